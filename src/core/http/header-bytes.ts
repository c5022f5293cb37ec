import type { HeaderList, HeaderPair } from './messages.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Raw name and value bytes, alternating, as a list: values as UTF-8 where they are that, else as latin1. */
export function decodeHeaders(raw: readonly Uint8Array[]): HeaderPair[] {
  const headers: HeaderPair[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name, value] = [raw[index], raw[index + 1]] as [Uint8Array, Uint8Array];
    headers.push([Buffer.from(name).toString('latin1'), decodeHeaderValue(value)]);
  }
  return headers;
}

/** Bytes of a header value or reason phrase as text (RFC 9110, section 5.5, leaves open what they mean). */
export function decodeHeaderValue(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}

/** A list as a flat array whose strings, written as latin1, are the UTF-8 bytes of the values. */
export function encodeHeaders(headers: HeaderList): string[] {
  return headers.flatMap(([name, value]) => [name, Buffer.from(value, 'utf8').toString('latin1')]);
}
