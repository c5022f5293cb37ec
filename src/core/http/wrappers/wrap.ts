import type { Handler } from '../handler.js';
import type { HttpResponse, IncomingRequest } from '../messages.js';

/** Makes a handler that does something around another one. */
export type Wrapper = (handler: Handler) => Handler;

/** Puts wrappers around a handler, the first outermost. */
export function wrap(handler: Handler, ...wrappers: readonly Wrapper[]): Handler {
  return wrappers.reduceRight((inner, wrapper) => wrapper(inner), handler);
}

/** Answers some requests, upgrades among them, in the handler's place. */
export function guard(
  check: (request: IncomingRequest) => HttpResponse | undefined | Promise<HttpResponse | undefined>,
): Wrapper {
  return (handler) => {
    const { upgrade } = handler;
    return {
      ...passOn(handler),
      handle(request) {
        const answer = check(request);
        if (!(answer instanceof Promise)) return answer ?? handler.handle(request);
        return answer.then((late) => late ?? handler.handle(request));
      },
      ...(upgrade !== undefined && {
        upgrade: async (request, socket, head) =>
          (await check(request)) ?? upgrade.call(handler, request, socket, head),
      }),
    };
  };
}

/** Changes answers. A handler that answers at once still does. */
export function adorn(change: (request: IncomingRequest, response: HttpResponse) => HttpResponse): Wrapper {
  return (handler) => ({
    ...passOn(handler),
    handle: (request) => {
      const response = handler.handle(request);
      return response instanceof Promise
        ? response.then((late) => change(request, late))
        : change(request, response);
    },
  });
}

/** The abilities a wrapper leaves as they are. */
export function passOn(handler: Handler): Omit<Handler, 'handle'> {
  return {
    ...(handler.upgrade !== undefined && { upgrade: handler.upgrade.bind(handler) }),
    ...(handler.retire !== undefined && { retire: handler.retire.bind(handler) }),
    ...(handler.close !== undefined && { close: handler.close.bind(handler) }),
  };
}
