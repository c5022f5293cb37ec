import { setTimeout as delay } from 'node:timers/promises';
import { NettoolError } from '../../errors.js';
import { type Child, describeExit, startChild, stopChild } from '../../platform/child.js';
import type { WorkerProcess } from '../../workers/types.js';
import { encodeFrames, FRAME, FrameReader, type IncomingFrame } from './frames.js';
import { Lane } from './lane.js';

/** What a worker has found and started. */
export interface ApplicationInfo {
  readonly kind: 'wsgi' | 'asgi';
  /** `module:callable`. */
  readonly target: string;
  /** How to ask for exactly this one from the same folder. */
  readonly ask: string;
  /** Why this one. */
  readonly reason: string;
  readonly framework: string | null;
  readonly slots: number;
  /** Python's version. */
  readonly version: string;
  readonly executable: string;
  /** The application's own source files. */
  readonly files: readonly string[];
}

/** What the Python side is told at its start. */
export interface WorkerConfig {
  readonly target: string;
  readonly cwd: string;
  readonly kind?: 'wsgi' | 'asgi';
  /** What the generation before was: requests already wait in that form. */
  readonly expected?: 'wsgi' | 'asgi';
  readonly factory?: boolean;
  readonly streams: number;
  readonly workers: number;
  /** How much of an answer may be under way to a slow client before the application has to wait. */
  readonly windows: Readonly<Record<'wsgi' | 'asgi', number>>;
  readonly software: string;
}

/** Whatever hangs will not end by itself; its stacks are being written. */
const STUCK_GRACE_MS = 500;

/** How to start a worker. */
export interface WorkerRecipe {
  readonly python: string;
  /** The folder the Python side was unpacked to. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly config: WorkerConfig;
  readonly onLine: (worker: PythonWorker, line: string, stream: 'stdout' | 'stderr') => void;
}

/** How long a stuck worker may take to write its stacks before it is ended. */
const DUMP_MS = 300;

/** A Python process with one application in it. */
export class PythonWorker implements WorkerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  /** Known once it is ready. */
  info: ApplicationInfo | undefined;
  lanes: readonly Lane[] = [];
  readonly #child: Child;
  #lastLine = '';
  #ended: string | undefined;
  #onDrained: (() => void) | undefined;

  constructor(recipe: WorkerRecipe) {
    const { python, script, env, config } = recipe;
    this.#child = startChild(python, [script], {
      env,
      cwd: config.cwd,
      channels: config.streams + 1,
      onLine: (line, stream) => {
        if (stream === 'stderr' && line.trim() !== '') this.#lastLine = line.trim();
        recipe.onLine(this, line, stream);
      },
    });
    this.exited = this.#child.exited.then((exit) => {
      this.#ended = describeExit(exit);
      // What it has forked may still hold its ends.
      for (const channel of this.#child.channels) channel.destroy();
      return this.info === undefined && this.#lastLine !== ''
        ? `${this.#ended}: ${this.#lastLine}`
        : this.#ended;
    });
    this.ready = this.#boot(config);
    // Whoever starts it awaits this; it may also be ended before anybody does.
    this.ready.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Every thread's stack, to the log. */
  async explain(): Promise<void> {
    this.#child.signal('SIGQUIT', 'self');
    await delay(DUMP_MS);
  }

  /** Has a thread give back what waits behind a slow request. */
  recall(lane: Lane): void {
    this.#child.channels[0]?.write(encodeFrames([{ kind: FRAME.RECALL, number: lane.index }]));
  }

  /** Why it is gone, as soon as that is known. */
  async lossReason(): Promise<string> {
    return `the worker (pid ${this.pid}) ended: ${this.#ended ?? (await this.exited)}`;
  }

  /** Ends what would go on for ever: WebSockets. */
  endEndless(): void {
    for (const lane of this.lanes) for (const exchange of lane.open.values()) exchange.onRetire?.();
  }

  drain(): Promise<void> {
    this.endEndless();
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.onLaneIdle();
    });
  }

  /** A lane has finished all it was given. */
  onLaneIdle(): void {
    if (this.#onDrained === undefined) return;
    if (this.lanes.every((lane) => lane.isStuck || lane.open.size === 0)) this.#onDrained();
  }

  async stop(graceMs: number): Promise<void> {
    const ask = (): void => {
      for (const channel of this.#child.channels.slice(1)) channel.end();
    };
    const isStuck = this.lanes.some((lane) => lane.isStuck);
    await stopChild(this.#child, { ask, graceMs: isStuck ? Math.min(graceMs, STUCK_GRACE_MS) : graceMs });
  }

  #boot(config: WorkerConfig): Promise<void> {
    const [control, ...streams] = this.#child.channels;
    const reader = new FrameReader();
    // Read from the start, though nothing comes before it is ready: else their end would not be seen.
    for (const stream of streams) stream.resume();
    return new Promise((resolve, reject) => {
      if (control === undefined) return;
      control.on('data', (chunk: Buffer) => {
        reader.feed(chunk, (frame) => {
          if (frame.kind === FRAME.FAILED) reject(toBootError(frame, config.target));
          if (frame.kind !== FRAME.READY) return;
          const info = parseJson(frame) as ApplicationInfo;
          this.info = info;
          this.lanes = streams
            .slice(0, info.slots)
            .map((stream, index) => new Lane(this, index, stream, info.kind === 'asgi'));
          resolve();
        });
      });
      const head = Buffer.from(JSON.stringify(config)).toString('latin1');
      control.write(encodeFrames([{ kind: FRAME.CONFIG, head }]));
    });
  }
}

function parseJson(frame: IncomingFrame): unknown {
  return JSON.parse(Buffer.from(frame.head, 'latin1').toString('utf8'));
}

/** The traceback of an application that did not come up; for the log. */
export class BootFailure extends NettoolError {
  readonly traceback: string;

  constructor(message: string, traceback: string, hint: string | undefined) {
    super('INTERNAL', message, { hint });
    this.traceback = traceback;
  }
}

function toBootError(frame: IncomingFrame, target: string): BootFailure {
  const { message, traceback } = parseJson(frame) as { message: string; traceback: string };
  const hint = missingHint(message, target);
  return new BootFailure(`the application ${target} does not start: ${message}`, traceback, hint);
}

/** What to do about a module that is not there: the application's own, or one it needs. */
function missingHint(message: string, target: string): string | undefined {
  const missing = /^ModuleNotFoundError: No module named '([\w.]+)'/.exec(message)?.[1]?.split('.')[0];
  if (missing === undefined) return undefined;
  return missing === target.split(/[.:]/)[0]
    ? `${missing} is looked for in the current folder and among the interpreter's packages (--python chooses another)`
    : `install ${missing} for this interpreter, or choose the one that has it with --python`;
}
