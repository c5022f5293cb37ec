/** C0 but for tab and newline, DEL, C1, and the controls that reorder text (bidi marks, embeddings, isolates). */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text from the network made harmless for a terminal: control characters become `\x1b` or `\u202e`.
 * Newline and tab stay.
 */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const hex = char.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, '0')}` : `\\x${hex.padStart(2, '0')}`;
  });
}

/** Like {@link escapeControls} for text that must stay on one line: newline and tab are escaped too. */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}
