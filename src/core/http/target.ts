/** A request-target taken apart. */
export interface ParsedTarget {
  /** The path as sent, percent-encoded, without the query. */
  readonly rawPath: string;
  /**
   * The one canonical path for rules, logs and opening files: decoded once, dot segments resolved and never above
   * the root, empty segments left out. Starts with exactly one `/`, holds no NUL.
   */
  readonly path: string;
  /** What follows the first `?`, as sent. */
  readonly query: string;
}

/** Nothing to decode, no dot segment, no empty segment: by far the most common, and its own canonical form. */
const PLAIN = /^(?:\/(?!\.\.?(?:\/|$))[\w!$&'()*+,;=:@~.-]+)*\/?$/;

/** What can stand in a target at all: no controls, no space; bytes above ASCII are let through as they came. */
const ALLOWED = /^[\x21-\x22\x24-\x7e\x80-\xff]+$/;

/**
 * The canonical parts of a request-target (RFC 9112, section 3.2), given as it came, a character per byte. Origin
 * and absolute form; the asterisk form is the server as a whole, its path `/`. `undefined` for anything malformed:
 * controls, a fragment, half an escape, an encoded NUL.
 */
export function parseTarget(target: string): ParsedTarget | undefined {
  if (!ALLOWED.test(target)) return undefined;
  if (target === '*') return { rawPath: '*', path: '/', query: '' };
  const local = toOriginForm(target);
  if (local === undefined) return undefined;
  const mark = local.indexOf('?');
  const rawPath = mark === -1 ? local : local.slice(0, mark);
  const query = mark === -1 ? '' : local.slice(mark + 1);
  if (PLAIN.test(rawPath)) return { rawPath, path: rawPath, query };
  const decoded = decode(rawPath);
  return decoded === undefined ? undefined : { rawPath, path: resolveSegments(decoded), query };
}

/** The canonical path with a character per byte, also where the bytes are not UTF-8: `/caf%E9` is five of them. */
export function toBytePath({ path, rawPath }: Pick<ParsedTarget, 'path' | 'rawPath'>): string {
  if (path.includes('\ufffd')) return resolveSegments(unescapePath(rawPath));
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** `http://host:80/a?b` → `/a?b`; a target that starts with `/` is its own. */
function toOriginForm(target: string): string | undefined {
  if (target.startsWith('/')) return target;
  const match = /^https?:\/\/[^/?@]+(\/[^?]*)?(\?.*)?$/i.exec(target);
  return match === null ? undefined : `${match[1] ?? '/'}${match[2] ?? ''}`;
}

/** Decodes each escape once, and the whole as UTF-8; bytes that are not become U+FFFD. */
function decode(rawPath: string): string | undefined {
  if (/%(?![0-9a-f]{2})|%00/i.test(rawPath)) return undefined;
  return Buffer.from(unescapePath(rawPath), 'latin1').toString('utf8');
}

function unescapePath(rawPath: string): string {
  return rawPath.replace(/%(..)/g, (_escape, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** RFC 3986, section 5.2.4, on the decoded path, so that `%2e%2e%2f` is worth no more than `../`. */
function resolveSegments(path: string): string {
  const segments: string[] = [];
  const all = path.split('/');
  for (const segment of all) {
    if (segment === '..') segments.pop();
    else if (segment !== '.' && segment !== '') segments.push(segment);
  }
  const isFolder = ['', '.', '..'].includes(all.at(-1) as string);
  return segments.length === 0 ? '/' : `/${segments.join('/')}${isFolder ? '/' : ''}`;
}
