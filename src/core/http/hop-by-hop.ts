import type { HeaderList, HeaderPair } from './messages.js';

/** Fields that speak of one connection only (RFC 9110, section 7.6.1), and those that made it there by habit. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** The lower-case names that the `Connection` fields of a message declare to be of this connection only. */
export function connectionNames(headers: HeaderList): ReadonlySet<string> {
  let names: Set<string> | undefined;
  for (const [name, value] of headers) {
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const part of value.toLowerCase().split(',')) {
      const option = part.trim();
      // Far the most common, and no names of fields.
      if (option === '' || option === 'keep-alive' || option === 'close') continue;
      names ??= new Set();
      names.add(option);
    }
  }
  return names ?? NONE;
}

const NONE: ReadonlySet<string> = new Set();

/** The fields of a message that may go on to the next connection. */
export function endToEndHeaders(headers: HeaderList): HeaderPair[] {
  const named = connectionNames(headers);
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return !HOP_BY_HOP.has(key) && !named.has(key);
  });
}
