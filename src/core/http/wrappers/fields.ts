import { getHeader } from '../headers.js';
import type { HeaderList, HeaderPair, IncomingRequest } from '../messages.js';
import { adorn, guard, type Wrapper } from './wrap.js';

/** Puts these fields on every answer, in place of its own of the same names. */
export function setFields(fields: HeaderList): Wrapper {
  const names = new Set(fields.map(([name]) => name.toLowerCase()));
  // Lists that are frozen are sent again and again: what they become is made once.
  const changed = new WeakMap<HeaderList, HeaderList>();
  return adorn((_request, response) => {
    const known = changed.get(response.headers);
    if (known !== undefined) return { ...response, headers: known };
    const kept = response.headers.filter(([name]) => !names.has(name.toLowerCase()));
    const headers: HeaderList = [...kept, ...fields];
    if (Object.isFrozen(response.headers)) changed.set(response.headers, Object.freeze(headers));
    return { ...response, headers };
  });
}

const PREFLIGHT_SECONDS = 86_400;

/** Lets pages of other origins read the answers (the Fetch standard's CORS protocol), all origins or these. */
export function allowOrigins(origins: readonly string[]): readonly Wrapper[] {
  const any = origins.length === 0 || origins.includes('*');
  const fieldsFor = (request: IncomingRequest): HeaderPair[] => {
    if (any) return [['Access-Control-Allow-Origin', '*']];
    const origin = getHeader(request.headers, 'origin');
    const allowed = origin !== undefined && origins.includes(origin);
    return [
      ...(allowed ? ([['Access-Control-Allow-Origin', origin]] as const) : []),
      // Caches must not give one origin's answer to another.
      ['Vary', 'Origin'],
    ];
  };
  const preflight = guard((request) => {
    const method = getHeader(request.headers, 'access-control-request-method');
    if (request.method !== 'OPTIONS' || method === undefined) return undefined;
    const asked = getHeader(request.headers, 'access-control-request-headers');
    return {
      status: 204,
      headers: [
        ...fieldsFor(request),
        ['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
        ...(asked === undefined ? [] : ([['Access-Control-Allow-Headers', asked]] as const)),
        ['Access-Control-Max-Age', String(PREFLIGHT_SECONDS)],
      ],
    };
  });
  const mark = adorn((request, response) => {
    const own = response.headers.filter(([name]) => name.toLowerCase() !== 'access-control-allow-origin');
    return {
      ...response,
      headers: [
        ...own,
        ...fieldsFor(request),
        ['Access-Control-Expose-Headers', 'Content-Length, Content-Range, ETag, Accept-Ranges'],
      ],
    };
  });
  return [preflight, mark];
}
