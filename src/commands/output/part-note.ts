import { unlinkSync, writeFileSync } from 'node:fs';

/** What is remembered of an unfinished file: what proves that the rest belongs to it. */
export interface PartNote {
  /** What a server can be asked to compare: a strong ETag, else a date. */
  readonly validator: string | undefined;
  /** What the answer said of its content, to be compared with the answer that brings the rest. */
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** The bytes were decoded on the way, so the server cannot continue them. */
  readonly isDecoded: boolean;
  /** Ranges are being written, and what lies between them is missing. */
  readonly hasGaps?: boolean | undefined;
}

/** Reads a note; what is none says nothing. */
export function parseNote(text: string): Partial<PartNote> {
  try {
    const { validator, etag, lastModified, isDecoded, hasGaps } = JSON.parse(text) as PartNote;
    const toText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
    return {
      isDecoded: isDecoded === true,
      hasGaps: hasGaps === true,
      validator: toText(validator),
      etag: toText(etag),
      lastModified: toText(lastModified),
    };
  } catch {
    return {};
  }
}

/** Writes a note in place of the one before; a download does not fail for it. */
export function writeNote(path: string, note: PartNote): void {
  forgetNote(path);
  try {
    // A planted link must not be followed.
    writeFileSync(path, JSON.stringify(note), { flag: 'wx' });
  } catch {
    // Without it the next transfer begins anew, or goes on as it can.
  }
}

/** Takes a note away, when there is one. */
export function forgetNote(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There was none.
  }
}
