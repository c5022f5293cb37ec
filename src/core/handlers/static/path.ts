import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { sep } from 'node:path';
import { NettoolError, toNettoolError } from '../../errors.js';
import { isWindows } from '../../platform/os.js';
import { createRealFolder } from '../real-folder.js';
import { createWithholding, type Withheld, type Withholds } from './withheld.js';

/** What is served: its real path, and what may be reached from it. */
export interface Root {
  readonly path: string;
  readonly isFile: boolean;
  readonly followLinks: boolean;
  readonly withholds?: Withholds;
}

/** An open file or folder known to lie inside the root. Whoever gets it closes `fd`. */
export interface Opened {
  readonly fd: number;
  readonly stat: BigIntStats;
  /** Its real path. */
  readonly place: string;
}

/** Never waits for a FIFO's writer, never makes a terminal ours; Windows has neither flag. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Names Windows would take for something else: other separators, streams, short names, devices, trailing dots. */
const UNPORTABLE = /[\\:*?"<>|\x00-\x1f]|[. ](?=\/|$)|~\d|\/(?:con|prn|aux|nul|com\d|lpt\d)(?=[./]|$)/i;

/** The root of a folder or file to serve; refuses what is missing, unreadable or neither. */
export function resolveRoot(target: string, followLinks: boolean, withheld?: Withheld): Root {
  const doing = `cannot serve ${target}`;
  try {
    const place = createRealFolder(target);
    const path = place();
    const stat = statSync(path);
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new NettoolError('INPUT_FAILED', `${doing} (neither a folder nor a regular file)`);
    }
    closeSync(openSync(path, FLAGS));
    const withholds = withheld && createWithholding(withheld);
    return {
      get path() {
        return place();
      },
      isFile: stat.isFile(),
      followLinks,
      ...(withholds && { withholds }),
    };
  } catch (error) {
    throw toNettoolError(error, doing);
  }
}

/** Whether a canonical path names something that starts with a dot, `.well-known` (RFC 8615) excepted. */
export function isHidden(path: string): boolean {
  return /\/\.(?!well-known(?:\/|$))/.test(path);
}

/** Whether the system will read a canonical path as we do. */
export function isPortable(path: string, windows: boolean = isWindows): boolean {
  return !windows || !UNPORTABLE.test(path);
}

/**
 * Opens what a canonical path names below the root, or says with which status it is refused. What counts is the open
 * descriptor: it must be a regular file or a folder, and its real place must lie inside the root. Nothing that is
 * swapped between a check and the opening can get past that.
 */
export function openWithin(root: Root, path: string): Opened | 403 | 404 {
  const base = root.path;
  const name = base + path;
  if (root.withholds?.(name)) return 404;
  let fd: number | undefined;
  try {
    // Opening a FIFO or a device can have effects; this spares them, the check below is the one that holds.
    const before = statSync(name, { throwIfNoEntry: false });
    if (before === undefined || !(before.isFile() || before.isDirectory())) return 404;
    fd = openSync(name, FLAGS);
    const stat = fstatSync(fd, { bigint: true });
    const place = placeOf(fd, name, stat);
    if ((stat.isFile() || stat.isDirectory()) && place !== undefined && mayServe(root, place, base)) {
      const opened = { fd, stat, place };
      fd = undefined;
      return opened;
    }
    return 404;
  } catch (error) {
    return statusFor(error as NodeJS.ErrnoException, root, name);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Whether a real path may be served. */
export function mayServe(root: Root, place: string, base = root.path): boolean {
  if (root.withholds?.(place)) return false;
  if (root.followLinks || place === base) return true;
  return place.startsWith(base.endsWith(sep) ? base : base + sep);
}

/** The path to read an open folder by; where the system allows, one that cannot lead elsewhere by now. */
export function readablePath({ fd, place, stat }: Opened): string {
  const path = `/proc/self/fd/${fd}`;
  const same = statSync(path, { bigint: true, throwIfNoEntry: false });
  return same?.ino === stat.ino && same.dev === stat.dev ? path : place;
}

/** The real path of an open descriptor: the kernel's word for it, else {@link placeByName}. */
function placeOf(fd: number, name: string, stat: BigIntStats): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return placeByName(name, stat);
  }
}

/** The real path of a name, if it still leads to that very file or folder; for systems without `/proc`. */
export function placeByName(name: string, opened: BigIntStats): string | undefined {
  const place = realpathSync.native(name);
  const { ino, dev } = statSync(place, { bigint: true });
  return ino === opened.ino && dev === opened.dev ? place : undefined;
}

const ABSENT = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENXIO',
  'ENODEV',
  'EINVAL',
  'ESTALE',
  'ERR_INVALID_ARG_VALUE',
]);

function statusFor(error: NodeJS.ErrnoException, root: Root, name: string): 403 | 404 {
  if (ABSENT.has(error.code ?? '')) return 404;
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
  // What lies outside must not even be known to exist.
  return mayServe(root, realPathOf(name) ?? '') ? 403 : 404;
}

function realPathOf(name: string): string | undefined {
  try {
    return realpathSync.native(name);
  } catch {
    return undefined;
  }
}
