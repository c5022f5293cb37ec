import { compactJson, isJson, readMembers } from './json-tokens.js';

/**
 * The value at a path (`a.b[0].c`, keys with dots as `["a.b"]`) of a JSON text, as it was written; `undefined` when
 * there is none. The empty path is the whole.
 */
export function pickJson(text: string, path: string): string | undefined {
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (!isJson(bare)) return undefined;
  let current: string | undefined = compactJson(bare);
  for (const step of parsePath(path)) {
    if (current === undefined) return undefined;
    // Of a key that is there twice the last one counts, as everywhere.
    current = readMembers(current).findLast(({ key }) => key === step)?.value;
  }
  return current;
}

/** Whether a JSON value is what a person typed: the same JSON, or a string of these characters. */
export function isSameJson(found: string, wanted: string): boolean {
  if (isJson(wanted) && compactJson(wanted) === found) return true;
  if (found.startsWith('"')) return JSON.parse(found) === wanted;
  return found === wanted.trim();
}

function parsePath(path: string): Array<string | number> {
  const steps: Array<string | number> = [];
  for (const [, index, quoted, name] of path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)) {
    if (index !== undefined) steps.push(Number(index));
    else steps.push(quoted === undefined ? (name as string) : (JSON.parse(`"${quoted}"`) as string));
  }
  return steps;
}
