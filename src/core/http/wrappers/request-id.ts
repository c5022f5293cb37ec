import { randomUUID } from 'node:crypto';
import { deriveRequest } from '../derived-request.js';
import type { Handler } from '../handler.js';
import { getHeader, withHeader } from '../headers.js';
import type { HttpResponse, IncomingRequest } from '../messages.js';
import { passOn, type Wrapper } from './wrap.js';

const NAME = 'X-Request-Id';

/** What may be passed on of somebody else's: it goes into logs and fields. */
const USABLE = /^[\w.:+/=@-]{1,128}$/;

/** Gives each request a name that the application and the client both see; a trusted peer's is kept. */
export function nameRequests(isTrusted: (address: string) => boolean): Wrapper {
  const idOf = (request: IncomingRequest): string => {
    const given = getHeader(request.headers, NAME);
    return given !== undefined && USABLE.test(given) && isTrusted(request.peerAddress) ? given : randomUUID();
  };
  const named = (request: IncomingRequest, id: string): IncomingRequest => {
    request.note?.({ requestId: id });
    return deriveRequest(request, { headers: withHeader(request.headers, NAME, id), requestId: id });
  };
  const signed = (response: HttpResponse, id: string): HttpResponse => ({
    ...response,
    headers: withHeader(response.headers, NAME, id),
  });
  return (handler) => {
    const { upgrade } = handler;
    const wrapped: Handler = {
      ...passOn(handler),
      handle(request) {
        const id = idOf(request);
        const response = handler.handle(named(request, id));
        return response instanceof Promise ? response.then((late) => signed(late, id)) : signed(response, id);
      },
      ...(upgrade !== undefined && {
        upgrade: (request, socket, head) =>
          upgrade.call(handler, named(request, idOf(request)), socket, head),
      }),
    };
    return wrapped;
  };
}
