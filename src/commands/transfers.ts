import { NettoolError, toNettoolError } from '../core/errors.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { exitCodeFor } from './exit-codes.js';
import type { Expectations } from './expectations.js';
import { createCollector } from './output/collector.js';
import { formatProgress } from './output/progress-line.js';
import { toJsonLine } from './output/reporter.js';
import { startSpinner } from './output/spinner.js';
import { createProgress, type TransferProgress } from './progress.js';
import type { AddressedPlan } from './request-plan.js';
import { runTransfer } from './transfer.js';
import type { Transport } from './transport.js';
import { toErrorEvent, viewError } from './views/error.js';

/** All transfers of a command line. */
export interface TransfersJob {
  readonly context: Context;
  readonly plans: readonly AddressedPlan[];
  readonly flags: AllFlags;
  readonly transport: Transport;
  readonly expectations: Expectations;
  readonly signal: AbortSignal;
  /** Who talks on stderr calls this first. */
  readonly talk: { before: () => void };
}

/** Runs the transfers, and resolves to the greatest of their exit codes. */
export async function runTransfers(job: TransfersJob): Promise<number> {
  const [only] = job.plans;
  if (job.plans.length === 1 && only !== undefined) return runWatched(job, only);
  return runMany(job);
}

/** One transfer, with a bar where one can be drawn. */
async function runWatched(job: TransfersJob, plan: AddressedPlan): Promise<number> {
  const { context, flags, transport, expectations, signal, talk } = job;
  const names = new Set<string>();
  const progress = createProgress(sizeOf(plan));
  const spinner = startSpinner(context, () => describe(plan, progress));
  talk.before = spinner.stop;
  // A bar beside the body on the same terminal would only tear it apart.
  const toFile = flags.download === true || (flags.output !== undefined && flags.output !== '-');
  const beforeOutput = toFile ? () => spinner.stop() : spinner.stop;
  try {
    return await runTransfer({
      names,
      context,
      plan,
      flags,
      transport,
      expectations,
      signal,
      progress,
      beforeOutput,
    });
  } finally {
    spinner.stop();
  }
}

function sizeOf({ body }: AddressedPlan): number | undefined {
  if (body === undefined) return undefined;
  return typeof body === 'string' || body instanceof Uint8Array ? Buffer.byteLength(body) : body.sizeBytes;
}

function describe({ method, url }: AddressedPlan, progress: TransferProgress): string {
  const { response, uploadedBytes, uploadSizeBytes, startedAt } = progress;
  const elapsedMs = performance.now() - startedAt;
  const title = `${method} ${url.host}`;
  if (response === undefined) {
    return formatProgress({ title, doneBytes: uploadedBytes, sizeBytes: uploadSizeBytes, elapsedMs });
  }
  const length = response.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  const sizeBytes = length === undefined ? undefined : Number(length);
  return formatProgress({ title, doneBytes: response.wireSizeBytes, sizeBytes, elapsedMs });
}

/** Several URLs: in their order, or `--parallel` at once; what one prints is not torn apart by another. */
async function runMany(job: TransfersJob): Promise<number> {
  const { plans, flags } = job;
  const queue = [...plans];
  const stop = new AbortController();
  const signal = AbortSignal.any([job.signal, stop.signal]);
  let worst = 0;
  const printer = createQueue();
  const names = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let plan = queue.shift(); plan !== undefined && !signal.aborted; plan = queue.shift()) {
      const exitCode = await runOne({ ...job, signal, names }, plan, printer);
      worst = Math.max(worst, exitCode);
      if (exitCode === 0 || flags.failEarly !== true) continue;
      stop.abort(new NettoolError('INTERRUPTED', 'another URL has failed (--fail-early)'));
    }
  };
  const count = Math.min(flags.parallel ?? 1, plans.length);
  await Promise.all(Array.from({ length: count }, worker));
  // An interruption, or --timeout: it ends all of them, and is told once.
  if (job.signal.aborted) throw job.signal.reason;
  return worst;
}

/** Runs one task after the other. */
type Queue = <T>(task: () => Promise<T>) => Promise<T>;

function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const mine = last.then(task, task);
    last = mine.catch(() => {});
    return mine;
  };
}

/** One of several: its failure is told and numbered here, so that the others go on. */
async function runOne(
  job: TransfersJob & { readonly names: Set<string> },
  plan: AddressedPlan,
  printer: Queue,
): Promise<number> {
  const { flags, context, signal } = job;
  const isParallel = (flags.parallel ?? 1) > 1;
  const output = isParallel ? createBufferedContext(context) : undefined;
  const mine = output?.context ?? context;
  let exitCode: number;
  try {
    const { transport, expectations, names } = job;
    const progress = createProgress(sizeOf(plan));
    const shared = { names, plan, flags, transport, expectations, signal, progress, beforeOutput: () => {} };
    exitCode = await runTransfer({ ...shared, context: mine });
  } catch (error) {
    if (signal.aborted) return 0;
    const failure = toNettoolError(error);
    exitCode = exitCodeFor(failure.code);
    const event = toErrorEvent(failure, plan.method.toLowerCase(), exitCode);
    const named = { ...event, url: plan.url.href };
    if (context.json) mine.io.stdout.write(`${toJsonLine(named, context.redact)}\n`);
    mine.io.stderr.write(`${context.redact(viewError(event, context.style.stderr))}\n`);
  }
  if (!context.quiet && !context.json) {
    const shown = context.style.stderr.foreign(plan.url.href);
    mine.io.stderr.write(`${context.redact(`${exitCode === 0 ? 'ok' : `failed (${exitCode})`} ${shown}`)}\n`);
  }
  if (output !== undefined) await printer(output.flush);
  return exitCode;
}

/** A context whose output is kept until it can be written as one piece. */
function createBufferedContext(context: Context) {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const { io } = context;
  const buffered: Context = {
    ...context,
    io: {
      get stdin() {
        return io.stdin;
      },
      stdout: createCollector(stdout, io.stdout.isTTY),
      stderr: createCollector(stderr, io.stderr.isTTY),
      env: io.env,
      cwd: io.cwd,
      signal: io.signal,
    },
  };
  const flush = async (): Promise<void> => {
    for (const [chunks, target] of [
      [stdout, io.stdout],
      [stderr, io.stderr],
    ] as const) {
      if (chunks.length === 0) continue;
      await new Promise<void>((resolve) => target.write(Buffer.concat(chunks), () => resolve()));
    }
  };
  return { context: buffered, flush };
}
