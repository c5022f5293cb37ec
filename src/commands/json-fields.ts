import { NettoolError } from '../core/errors.js';

/** A field of a JSON body: where it goes, and its value as JSON text. */
export interface JsonField {
  /** `name`, or nested: `a[b][]`, `a[0]`, `[]`. */
  readonly path: string;
  /** JSON, sent as it is written. */
  readonly value: string;
}

/** One step into the body: an object's key, an array's index, or `undefined` for one more at an array's end. */
interface Segment {
  readonly key: string | number | undefined;
  /** The path up to here. */
  readonly upTo: string;
}

type Node =
  | { readonly kind: 'object'; readonly entries: Map<string, Node> }
  | { readonly kind: 'array'; readonly items: Node[] }
  | { readonly kind: 'value'; readonly text: string };

/** An index further out would only fill memory with nulls. */
const MAX_INDEX = 9999;

const MAX_DEPTH = 100;

/** Puts fields together to one JSON text; the last of two fields with the same path wins. */
export function buildJson(fields: readonly JsonField[]): string {
  let root: Node | undefined;
  for (const { path, value } of fields) {
    const segments = parsePath(path);
    root = place(root, { path, segments, depth: 0 }, { kind: 'value', text: value });
  }
  return root === undefined ? '{}' : toText(root);
}

interface Place {
  readonly path: string;
  readonly segments: readonly Segment[];
  readonly depth: number;
}

function place(node: Node | undefined, at: Place, value: Node): Node {
  const segment = at.segments[at.depth];
  if (segment === undefined) return value;
  const next = { ...at, depth: at.depth + 1 };
  if (typeof segment.key === 'string') {
    const target = node ?? { kind: 'object', entries: new Map<string, Node>() };
    if (target.kind !== 'object') throw mismatch(at, target, 'an object');
    target.entries.set(segment.key, place(target.entries.get(segment.key), next, value));
    return target;
  }
  const target = node ?? { kind: 'array', items: [] };
  if (target.kind !== 'array') throw mismatch(at, target, 'an array');
  const index = segment.key ?? target.items.length;
  while (target.items.length < index) target.items.push({ kind: 'value', text: 'null' });
  target.items[index] = place(target.items[index], next, value);
  return target;
}

/** `a[b][0][]` → `a`, `b`, 0, one more. Brackets, digits and backslashes are literal after a backslash. */
function parsePath(path: string): Segment[] {
  const segments: Segment[] = [];
  let position = 0;
  if (path[0] !== '[') {
    const { text, end } = readUntil(path, 0, '[');
    segments.push({ key: text, upTo: path.slice(0, end) });
    position = end;
  }
  while (position < path.length) {
    if (path[position] !== '[') throw badPath(path, position, "expected '['");
    const { text, end } = readUntil(path, position + 1, ']');
    if (path[end] !== ']') throw badPath(path, end, "expected ']'");
    const written = path.slice(position + 1, end);
    segments.push({ key: toKey(path, { text, written, position }), upTo: path.slice(0, end + 1) });
    position = end + 1;
  }
  if (segments.length > MAX_DEPTH) throw badPath(path, 0, `nested more than ${MAX_DEPTH} deep`);
  return segments;
}

function toKey(path: string, part: { text: string; written: string; position: number }): Segment['key'] {
  if (part.written === '') return undefined;
  // As written: `[\0]` is a key that looks like an index.
  if (!/^\d+$/.test(part.written)) return part.text;
  if (Number(part.text) > MAX_INDEX) throw badPath(path, part.position + 1, `an index above ${MAX_INDEX}`);
  return Number(part.text);
}

function readUntil(path: string, start: number, stop: '[' | ']'): { text: string; end: number } {
  let text = '';
  let end = start;
  while (end < path.length && path[end] !== stop) {
    if (path[end] === '[' || path[end] === ']') throw badPath(path, end, `unexpected '${path[end]}'`);
    if (path[end] === '\\' && /^[[\]\\\d]/.test(path.slice(end + 1))) end += 1;
    text += path[end];
    end += 1;
  }
  return { text, end };
}

function mismatch({ path, segments, depth }: Place, node: Node, wanted: string): NettoolError {
  const owner = depth === 0 ? 'the body' : `'${segments[depth - 1]?.upTo}'`;
  const kind = node.kind === 'value' ? 'a plain value' : node.kind === 'array' ? 'an array' : 'an object';
  const why = `${owner} is ${kind} already, not ${wanted}`;
  return badPath(path, depth === 0 ? 0 : (segments[depth - 1]?.upTo.length ?? 0), why);
}

function badPath(path: string, position: number, why: string): NettoolError {
  return new NettoolError('USAGE', `bad field name '${path}': ${why} (at character ${position + 1})`, {
    hint: "a backslash makes a bracket part of the name: 'a\\[b\\]=1'",
    place: { text: path, position },
  });
}

function toText(node: Node): string {
  if (node.kind === 'value') return node.text;
  if (node.kind === 'array') return `[${node.items.map(toText).join(',')}]`;
  return `{${[...node.entries].map(([key, item]) => `${JSON.stringify(key)}:${toText(item)}`).join(',')}}`;
}
