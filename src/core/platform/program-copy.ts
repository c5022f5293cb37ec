import cluster, { type Address, type Worker } from 'node:cluster';
import { isSea } from 'node:sea';
import { setTimeout as delay } from 'node:timers/promises';
import { NettoolError, toNettoolError } from '../errors.js';

/** A second process of this very program; it can be seated by the worker master. */
export interface ProgramCopy {
  readonly pid: number | undefined;
  /** Resolves when it listens; rejects with what it says is wrong when it cannot. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended, in words, when it is gone. */
  readonly exited: Promise<string>;
  /** Where it listens, once it is ready; all copies share the port, also one that the system chose. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** No new connections; resolves when running requests are over and it is gone. */
  drain(): Promise<void>;
  /** Asks it to end, and kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** What a copy is to do. */
export interface CopyOptions {
  /** The arguments of this program, its own name left out. */
  readonly args: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it tells with {@link tellOriginal}. */
  readonly onMessage?: (message: unknown) => void;
}

/** Whether this process is a copy that another one has started. */
export function isProgramCopy(): boolean {
  return cluster.isWorker;
}

/** Tells the process that started this copy something that JSON can hold; does nothing when there is none. */
export function tellOriginal(message: object): void {
  if (cluster.isWorker && process.connected) process.send?.(message, undefined, {}, () => {});
}

/** Says why this copy cannot start, for {@link ProgramCopy.ready} to reject with. */
export function tellFailure(error: unknown): void {
  const { code, message, hint } = toNettoolError(error);
  tellOriginal({ [FAILURE]: { code, message, hint } });
}

/** What was dealt to a copy just before it is to end has not sent its first request yet, and would count as idle. */
const LAST_CONNECTIONS_MS = 250;

const FAILURE = 'nettool-failure';

/**
 * Starts this program again. What a copy listens on is one socket that this process holds and deals connections from,
 * so that none is lost when copies come and go, and a port that is taken is noticed.
 */
export function startProgramCopy({ args, env = {}, onMessage }: CopyOptions): ProgramCopy {
  // A packed program has no script: what node would take for one is its first argument.
  if (isSea()) cluster.setupPrimary({ exec: args[0] ?? '', args: args.slice(1), execArgv: [] });
  else cluster.setupPrimary({ args: [...args] });
  const worker = cluster.fork(env);
  let address: ProgramCopy['address'];
  const exited = new Promise<string>((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) => {
      resolve(signal ? `killed by ${signal}` : `exit code ${code}`);
    });
    worker.once('error', (error) => resolve(error.message));
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('listening', (where: Address) => {
      address = { host: where.address ?? '', port: where.port };
      resolve();
    });
    worker.on('message', (message: unknown) => {
      const failure = readFailure(message);
      if (failure === undefined) onMessage?.(message);
      else reject(failure);
    });
    void exited.then((reason) =>
      reject(new NettoolError('INTERNAL', `the worker ended before it listened (${reason})`)),
    );
  });
  ready.catch(() => {});
  const ask = (): void => signal(worker, 'SIGTERM');
  return {
    pid: worker.process.pid,
    ready,
    exited,
    get address() {
      return address;
    },
    async drain() {
      if (address !== undefined && worker.isConnected()) {
        const isOut = new Promise((resolve) => worker.once('disconnect', resolve));
        worker.disconnect();
        await Promise.race([isOut, exited]);
        await Promise.race([delay(LAST_CONNECTIONS_MS, undefined, { ref: false }), exited]);
      }
      ask();
      await exited;
    },
    async stop(graceMs) {
      ask();
      const timer = setTimeout(() => signal(worker, 'SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

function signal(worker: Worker, name: NodeJS.Signals): void {
  if (!worker.isDead()) worker.process.kill(name);
}

function readFailure(message: unknown): NettoolError | undefined {
  if (typeof message !== 'object' || message === null || !(FAILURE in message)) return undefined;
  const { code, message: sentence, hint } = message[FAILURE] as NettoolError;
  return new NettoolError(code, sentence, { hint });
}
