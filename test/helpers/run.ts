import type { EventEmitter } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Io } from '../../src/commands/context.js';
import { main } from '../../src/commands/main.js';

/** What a run left behind. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as bytes. */
  readonly output: Buffer;
}

/** What a fake process is like, where it differs from a plain pipe in an empty environment. */
export interface FakeProcess {
  readonly stdin?: string | Buffer | Readable;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdoutTTY?: boolean;
  readonly stderrTTY?: boolean;
  readonly signal?: AbortSignal;
  /** Called with each piece written to stdout or stderr. */
  readonly onWrite?: (stream: 'stdout' | 'stderr', text: string) => void;
  /** What starts the program once more, for commands that do that. */
  readonly self?: readonly [string, ...string[]];
  /** Emits the signals that do not end the run. */
  readonly signals?: EventEmitter;
  /** Stands in for stdout; what it gets is then not collected. */
  readonly stdout?: Writable;
}

/** Runs a command line in this process: `run(['get', url, '--json'])`. */
export async function run(argv: readonly string[], fake: FakeProcess = {}): Promise<RunResult> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const collector = (name: 'stdout' | 'stderr', isTTY = false): Writable => {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks[name].push(chunk);
        fake.onWrite?.(name, chunk.toString());
        done();
      },
    });
    return Object.assign(stream, { isTTY, columns: 80 });
  };
  const stdin = fake.stdin instanceof Readable ? fake.stdin : new PassThrough().end(fake.stdin ?? '');
  const io: Io = {
    stdin,
    stdout: fake.stdout ?? collector('stdout', fake.stdoutTTY),
    stderr: collector('stderr', fake.stderrTTY),
    env: fake.env ?? {},
    cwd: fake.cwd ?? process.cwd(),
    signal: fake.signal ?? new AbortController().signal,
    ...(fake.self !== undefined && { self: fake.self }),
    onSignal(name, listener) {
      fake.signals?.on(name, listener);
      return () => void fake.signals?.off(name, listener);
    },
  };
  const code = await main(argv, io);
  const output = Buffer.concat(chunks.stdout);
  return { code, output, stdout: output.toString(), stderr: Buffer.concat(chunks.stderr).toString() };
}

/** A line of JSON as a plain object. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into documents whose shape is what they test
export type Json = any;

/** The lines of an NDJSON output. */
export function parseLines(text: string): Json[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** A run that goes on until `stop()`; `event(type)` waits for the next NDJSON event of a type. */
export interface RunningCommand {
  event(type: string): Promise<Json>;
  stop(reason?: unknown): Promise<RunResult>;
  readonly done: Promise<RunResult>;
}

/** Starts a long-running command with `--json` in this process. */
export function start(argv: readonly string[], fake: FakeProcess = {}): RunningCommand {
  const stopper = new AbortController();
  const events: Json[] = [];
  const waiting: Array<() => void> = [];
  let rest = '';
  const done = run([...argv, '--json'], {
    ...fake,
    signal: stopper.signal,
    onWrite(stream, text) {
      fake.onWrite?.(stream, text);
      if (stream !== 'stdout') return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      events.push(...lines.map((line) => JSON.parse(line)));
      for (const wake of waiting.splice(0)) wake();
    },
  });
  let ended: RunResult | undefined;
  const wakeAll = (): void => {
    for (const wake of waiting.splice(0)) wake();
  };
  done.then((result) => {
    ended = result;
    wakeAll();
  }, wakeAll);
  return {
    done,
    async event(type) {
      for (;;) {
        const index = events.findIndex((event) => event.type === type);
        if (index !== -1) return events.splice(index, 1)[0];
        if (ended !== undefined) throw new Error(`ended (${ended.code}) without '${type}': ${ended.stderr}`);
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      }
    },
    async stop(reason) {
      stopper.abort(reason);
      return done;
    },
  };
}
