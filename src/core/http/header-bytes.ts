const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A header value or reason phrase, a character per byte, as text (RFC 9110, section 5.5, leaves open what it means). */
export function toUnicode(latin1: string): string {
  if (!/[\x80-\xff]/.test(latin1)) return latin1;
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return latin1;
  }
}
