import type { HeaderList, HeaderPair } from './messages.js';

/** The first value of a header field, names compared without case. */
export function getHeader(headers: HeaderList, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
}

/** Every value of a header field, in order. */
export function getAllHeaders(headers: HeaderList, name: string): string[] {
  const wanted = name.toLowerCase();
  return headers.filter(([key]) => key.toLowerCase() === wanted).map(([, value]) => value);
}

/** Whether a header field is there. */
export function hasHeader(headers: HeaderList, name: string): boolean {
  return getHeader(headers, name) !== undefined;
}

/** The list without the fields of a name. */
export function withoutHeader(headers: HeaderList, name: string): HeaderPair[] {
  const unwanted = name.toLowerCase();
  return headers.filter(([key]) => key.toLowerCase() !== unwanted);
}

/** The list with one field of that name, at the end. */
export function withHeader(headers: HeaderList, name: string, value: string): HeaderPair[] {
  return [...withoutHeader(headers, name), [name, value]];
}

/** `{lower-case name: value}`, a list where a field is repeated: the shape of `headers` in reports. */
export function toHeaderRecord(headers: HeaderList): Record<string, string | string[]> {
  // No prototype: a server may well send a field called `__proto__`.
  const record: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const known = record[key];
    record[key] = known === undefined ? value : [known, value].flat();
  }
  return record;
}
