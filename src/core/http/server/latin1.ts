/** `Buffer`'s own way, a third cheaper than `toString('latin1')`; not in its documentation, so it may be missing. */
const slice = (Buffer.prototype as { latin1Slice?: (start: number, end: number) => string }).latin1Slice;

/** Bytes as text, one character each: what HTTP's heads are made of. */
export function toLatin1(bytes: Uint8Array, start: number, end: number): string {
  if (slice !== undefined) return slice.call(bytes, start, end);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', start, end);
}
