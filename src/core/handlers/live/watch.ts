import { type FSWatcher, watch } from 'node:fs';
import { scanTree } from './scan.js';

/** What is watched, and how. */
export interface WatchOptions {
  /** A folder, or one file. */
  readonly path: string;
  readonly isFile: boolean;
  /** Names that change without anybody caring, as paths below the folder with `/`. */
  readonly ignores: (path: string) => boolean;
  /** Called with the paths that changed, below the folder, once it is quiet again; with none when there are too many. */
  readonly onChange: (paths: readonly string[]) => void;
  /** Looks every so often instead of being told. */
  readonly pollMs?: number;
}

/** A running watch. */
export interface Watch {
  close(): void;
}

/** An editor saves in several steps, a build writes many files: they are one change. */
const QUIET_MS = 60;
const LONGEST_MS = 500;

const MOST_PATHS = 200;

const POLL_MS = 1000;

/** Watches a folder with all below it, or a file, by the system's word; by looking where the system gives none. */
export function watchTree(options: WatchOptions): Watch {
  const changes = new Changes(options.onChange);
  let watcher: Watch;
  let isClosed = false;
  const poll = (): Watch => pollTree(options, (path) => changes.add(path), options.pollMs ?? POLL_MS);
  const fallBack = (): void => {
    watcher?.close();
    if (!isClosed) watcher = poll();
  };
  watcher = options.pollMs === undefined ? (tryNative(options, changes, fallBack) ?? poll()) : poll();
  return {
    close() {
      isClosed = true;
      changes.clear();
      watcher.close();
    },
  };
}

/** The system's own watch; `undefined` when it has none to give (no handles left, a file system without). */
function tryNative(options: WatchOptions, changes: Changes, onLost: () => void): FSWatcher | undefined {
  const { path, isFile, ignores } = options;
  const slashed = (name: string): string => name.replaceAll('\\', '/');
  try {
    const ignore = isFile ? [] : [(name: string) => ignores(slashed(name))];
    const watcher = watch(path, { recursive: !isFile, ignore }, (_type, name) => {
      if (isFile) changes.add('');
      else if (name === null) changes.add(undefined);
      else if (!ignores(slashed(name))) changes.add(slashed(name));
      // An editor that saves by renaming leaves us with the old file.
      if (isFile && _type === 'rename') onLost();
    });
    watcher.on('error', onLost);
    return watcher;
  } catch {
    return undefined;
  }
}

/** Collects what changes until it is quiet. */
class Changes {
  readonly #onChange: WatchOptions['onChange'];
  #paths = new Set<string>();
  #isTooMuch = false;
  #firstMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: WatchOptions['onChange']) {
    this.#onChange = onChange;
  }

  /** `undefined` is a change of which nothing more is known. */
  add(path: string | undefined): void {
    if (path === undefined || this.#paths.size >= MOST_PATHS) this.#isTooMuch = true;
    else this.#paths.add(path);
    const nowMs = performance.now();
    if (this.#timer === undefined) this.#firstMs = nowMs;
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.#firstMs + LONGEST_MS - nowMs));
    this.#timer = setTimeout(() => this.#tell(), waitMs).unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  #tell(): void {
    const paths = this.#isTooMuch ? [] : [...this.#paths];
    this.#timer = undefined;
    this.#paths = new Set();
    this.#isTooMuch = false;
    this.#onChange(paths);
  }
}

function pollTree(options: WatchOptions, onPath: (path: string) => void, pollMs: number): Watch {
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let known: ReadonlyMap<string, string> | undefined;
  const look = async (): Promise<void> => {
    const found = await scanTree(options);
    if (isClosed) return;
    if (known !== undefined) for (const path of differences(known, found)) onPath(path);
    known = found;
    timer = setTimeout(look, pollMs).unref();
  };
  void look();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const changed = [...after].filter(([path, state]) => before.get(path) !== state).map(([path]) => path);
  return [...changed, ...[...before.keys()].filter((path) => !after.has(path))];
}
