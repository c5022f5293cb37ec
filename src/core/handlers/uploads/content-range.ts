/** What a PUT with `Content-Range` brings: a part of the whole, or only the question how much is there. */
export interface PartialContent {
  /** First byte, and how many; `undefined` for the question. */
  readonly part: { readonly first: number; readonly length: number } | undefined;
  readonly totalBytes: number;
}

/** Reads `bytes 0-99/1000` and a total alone (RFC 9110, section 14.4); `undefined` for anything else. */
export function parseContentRange(field: string): PartialContent | undefined {
  const match = /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(\d{1,16})$/i.exec(field.trim());
  if (match === null) return undefined;
  const totalBytes = Number(match[3]);
  if (!Number.isSafeInteger(totalBytes)) return undefined;
  if (match[1] === undefined) return { part: undefined, totalBytes };
  const first = Number(match[1]);
  const last = Number(match[2]);
  if (last < first || last >= totalBytes) return undefined;
  return { part: { first, length: last - first + 1 }, totalBytes };
}
