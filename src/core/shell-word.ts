/** A word as it can be typed into a shell of POSIX: `app:make('x')` would be none. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
