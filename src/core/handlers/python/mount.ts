/** A path split where an application is mounted. */
export interface MountedPath {
  /** What stands before the mount, without a slash at the end: `SCRIPT_NAME`, `root_path`. Empty at the root. */
  readonly prefix: string;
  /** The rest, percent-encoded as sent. */
  readonly rest: string;
}

/** `/api/` → `/api`, `/` and nothing → nothing. */
export function cleanPrefix(prefix: string | undefined): string {
  const inner = (prefix ?? '').split('/').filter(Boolean).join('/');
  return inner === '' ? '' : `/${inner}`;
}

/**
 * The part of a request's path below a mount, on a segment's border. The path goes to applications as it was sent;
 * only where dot segments or codings hide the prefix the canonical path takes its place.
 */
export function splitMount(prefix: string, rawPath: string, path: string): MountedPath {
  if (prefix === '') return { prefix, rest: rawPath };
  const after = rawPath.charCodeAt(prefix.length);
  if (rawPath.startsWith(prefix) && (Number.isNaN(after) || after === 0x2f)) {
    return { prefix, rest: rawPath.slice(prefix.length) };
  }
  const rest = path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
  return { prefix, rest: encodeURI(rest).replaceAll('?', '%3F').replaceAll('#', '%23') };
}
