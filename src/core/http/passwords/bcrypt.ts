import type { Worker } from 'node:worker_threads';

/** A guess, and who waits for what becomes of it. */
interface Guess {
  resolve(fits: boolean): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  /** In the order they were handed over, which is the order of the answers. */
  readonly waiting: Guess[];
}

let thread: Promise<Thread> | undefined;

/**
 * Whether a password is the one of a bcrypt hash (`$2a$`, `$2b$`, `$2y$`). Blowfish in JavaScript takes 50 ms and
 * more, without a pause: in a thread of its own it keeps nobody waiting but the one who guesses.
 */
export async function matchesBcrypt(password: string, hash: string): Promise<boolean> {
  thread ??= start();
  const { worker, waiting } = await thread;
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    worker.ref();
    worker.postMessage([password, hash]);
  });
}

async function start(): Promise<Thread> {
  const [{ Worker }, { BCRYPT_SOURCE }] = await Promise.all([
    import('node:worker_threads'),
    import('./bcrypt-source.js'),
  ]);
  const source = `${BCRYPT_SOURCE}
    const { parentPort } = require('node:worker_threads');
    const { compareSync } = module.exports;
    parentPort.on('message', ([password, hash]) => parentPort.postMessage(compareSync(password, hash)));`;
  const worker = new Worker(source, { eval: true });
  const waiting: Guess[] = [];
  worker.unref();
  worker.on('message', (fits: boolean) => {
    waiting.shift()?.resolve(fits);
    if (waiting.length === 0) worker.unref();
  });
  worker.on('error', (error: Error) => {
    // The next guess gets a new one.
    thread = undefined;
    for (const guess of waiting.splice(0)) guess.reject(error);
  });
  return { worker, waiting };
}
