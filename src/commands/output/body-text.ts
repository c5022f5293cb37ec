/** What an answer says of its text. */
export interface TextClaim {
  /** Its media type is one of text. */
  readonly isText: boolean;
  readonly charset: string | undefined;
}

/** The beginning of a text, and what goes on where it ends, also in the middle of a character. */
export interface DecodedStart {
  readonly text: string;
  readonly decoder: TextDecoder;
}

/** How far into a page its own word on its charset is looked for, as browsers do. */
const SNIFFED_BYTES = 1024;

/**
 * Decodes the first bytes of a body: in the charset that the answer or the page names, else as UTF-8, else, where it is
 * called text, as windows-1252, as browsers do. `undefined` when it is binary.
 */
export function decodeStart(
  bytes: Uint8Array,
  isWhole: boolean,
  { isText, charset }: TextClaim,
): DecodedStart | undefined {
  const named = charset ?? (isText ? findCharset(bytes) : undefined);
  const isValid = decode(createDecoder(named, true), bytes, isWhole) !== undefined;
  if (!isValid && !isText) return undefined;
  const decoder = createDecoder(isValid ? named : (named ?? 'windows-1252'), false);
  const text = decode(decoder, bytes, isWhole);
  return text === undefined || text.includes('\0') ? undefined : { text, decoder };
}

function decode(decoder: TextDecoder, bytes: Uint8Array, isWhole: boolean): string | undefined {
  try {
    return decoder.decode(bytes, { stream: !isWhole });
  } catch {
    return undefined;
  }
}

/** `<meta charset="…">` and `<?xml … encoding="…"?>`. */
function findCharset(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, SNIFFED_BYTES)).toString('latin1');
  return /^<\?xml[^>]*\sencoding=["']([\w-]+)|<meta[^>]+charset=["']?([\w-]+)/i
    .exec(start)
    ?.slice(1)
    .find((name) => name !== undefined);
}

function createDecoder(charset: string | undefined, fatal: boolean): TextDecoder {
  try {
    return new TextDecoder(charset ?? 'utf-8', { fatal, ignoreBOM: true });
  } catch {
    return new TextDecoder('utf-8', { fatal, ignoreBOM: true });
  }
}
