/**
 * Whether a path ends in one of the extensions. Letter case is folded for ASCII only: with Unicode's rules the name
 * of an upload could become a script's (FrankenPHP GHSA-3g8v-8r37-cgjm).
 */
export function endsInExtension(path: string, extensions: readonly string[]): boolean {
  const folded = path.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return extensions.some((extension) => folded.endsWith(extension));
}
