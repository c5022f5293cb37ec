import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import type { PythonEvent } from './events.js';

/** A Python application, and how it is to be run. */
export interface PythonOptions {
  /** `module:callable`, `module`, a `.py` file (`:callable` after it), or a folder with one of the usual files. */
  readonly target: string;
  /** The folder relative targets are looked for in. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Gives up the start. Later it closes WebSockets, which would not end by themselves; the rest is for `close`. */
  readonly signal?: AbortSignal;
  /** Where it is mounted: `SCRIPT_NAME` and `root_path`. */
  readonly prefix?: string;
  /** What a proxy in front has taken off every path; it comes before the prefix again. */
  readonly rootPath?: string;
  /** Which interface, instead of finding out. */
  readonly kind?: 'wsgi' | 'asgi';
  /** The callable makes the application. */
  readonly factory?: boolean;
  /** Interpreter or virtual environment. */
  readonly python?: string;
  readonly workers?: number;
  /** Requests a WSGI worker answers at a time. */
  readonly threads?: number;
  /** How long an application may take to begin its answer (504). */
  readonly requestTimeoutMs?: number;
  readonly bootTimeoutMs?: number;
  /** How long running requests may take when a worker is to end. */
  readonly graceMs?: number;
  readonly maxRequests?: number;
  /** Requests that may wait for a worker (503 beyond). */
  readonly maxQueued?: number;
  readonly maxMessageBytes?: number;
  /** Loads the application anew when its files change. */
  readonly reload?: boolean;
  /** Folders to look at beside those the application's own modules are in. */
  readonly watchFolders?: readonly string[];
  /** Shows tracebacks on the page. */
  readonly debug?: boolean;
  /** Whose forwarded fields the application sees; nobody's by default. */
  readonly isTrusted?: IsTrusted;
  readonly onEvent: (event: PythonEvent) => void;
}

/** {@link PythonOptions} with everything said. */
export type SettledOptions = PythonOptions &
  Required<Pick<PythonOptions, keyof typeof DEFAULTS>> & {
    readonly prefix: string;
    readonly rootPath: string;
  };

/** What holds when nothing else is said. */
export const DEFAULTS = {
  workers: 1,
  threads: 1,
  requestTimeoutMs: 60_000,
  bootTimeoutMs: 30_000,
  graceMs: 30_000,
  maxQueued: 5000,
  maxMessageBytes: 16 * 1024 * 1024,
  debug: false,
  isTrusted: trustNobody,
};
