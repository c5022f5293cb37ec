import type { IncomingRequest } from './messages.js';

/** What a wrapper may change of a request before it hands it on. */
export type RequestChanges = Partial<
  Pick<IncomingRequest, 'method' | 'headers' | 'path' | 'query' | 'requestId'>
>;

/**
 * The same request with some of it changed. Neither a copy nor an heir: fields may be computed when they are asked
 * for (an abort signal nobody needs is never made), and may be private to the request's class.
 */
export function deriveRequest(request: IncomingRequest, changes: RequestChanges): IncomingRequest {
  return new Proxy(request, {
    get(target, key) {
      if (Object.hasOwn(changes, key)) return Reflect.get(changes, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
