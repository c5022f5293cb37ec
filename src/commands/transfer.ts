import { toNettoolError } from '../core/errors.js';
import type { Content } from '../core/http/content.js';
import type { HeaderList } from '../core/http/messages.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import { looksSecret } from '../core/secrets.js';
import type { AllFlags } from './all-flags.js';
import { createVerifier } from './checksum.js';
import type { Context } from './context.js';
import { type Delivery, deliver } from './deliver-response.js';
import type { Expectations } from './expectations.js';
import { holdBack } from './hold-back.js';
import { createPatience, limitAttempt, type Patience, pause } from './patience.js';
import type { TransferProgress } from './progress.js';
import type { AddressedPlan } from './request-plan.js';
import { DOCUMENT_LIMIT_BYTES } from './response-document.js';
import { createSaver, type Saver } from './saver.js';
import type { Transport } from './transport.js';

/** One URL's transfer, from the first attempt to the exit code. */
export interface TransferJob {
  readonly context: Context;
  readonly plan: AddressedPlan;
  readonly flags: AllFlags;
  readonly transport: Transport;
  readonly expectations: Expectations;
  readonly signal: AbortSignal;
  /** Names of files that transfers of this run have taken. */
  readonly names: Set<string>;
  readonly progress: TransferProgress;
  readonly beforeOutput: () => void;
}

/** Attempts until one is good enough, or there is to be no other; resolves to the exit code. */
export async function runTransfer(job: TransferJob): Promise<number> {
  const { plan, flags, expectations, signal, context } = job;
  const patience = await createPatience(plan, flags, expectations);
  const saver = await createSaver(job);
  for (let attempt = 1; ; attempt += 1) {
    const state = { hasBegun: false };
    let pauseMs: number | undefined;
    let why: string;
    try {
      const result = await attemptOnce(job, { attempt, patience, saver, state });
      if (result.exitCode !== undefined) return result.exitCode;
      ({ pauseMs, why } = result);
    } catch (error) {
      const failure = toNettoolError(error);
      pauseMs = state.hasBegun || signal.aborted ? undefined : patience.afterFailure(attempt, failure.code);
      if (pauseMs === undefined) throw error;
      why = failure.message;
    }
    job.progress.restart();
    if (flags.wait === undefined || context.verbose > 0) {
      talk(job, `note: attempt ${attempt}: ${why}; again in ${(pauseMs / 1000).toFixed(1)} s`);
    }
    await pause(pauseMs, signal);
  }
}

interface Attempt {
  readonly attempt: number;
  readonly patience: Patience;
  readonly saver: Saver | undefined;
  /** Whether anything of the answer has been given away. */
  readonly state: { hasBegun: boolean };
}

type AttemptResult =
  | { readonly exitCode: number }
  | { readonly exitCode: undefined; readonly pauseMs: number; readonly why: string };

async function attemptOnce(
  job: TransferJob,
  { attempt, patience, saver, state }: Attempt,
): Promise<AttemptResult> {
  const { plan, flags, expectations, context, transport } = job;
  const limit = limitAttempt(job.signal, patience.untilMs);
  let followed: FollowedResponse | undefined;
  try {
    followed = await exchange(job, limit.signal, await saver?.headers(attempt));
    if ((await saver?.needsRestart(followed)) === true) {
      followed.response.body.destroy();
      followed = await exchange(job, limit.signal, undefined);
    }
    const verifier = flags.checksum === undefined ? undefined : await createVerifier(flags.checksum);
    const { content, failures } = await readAsExpected(job, followed, verifier?.observe);
    const isAsExpected = expectations.any ? failures.length === 0 : followed.response.status < 400;
    const pauseMs = patience.afterAnswer(attempt, followed.response, isAsExpected);
    if (pauseMs !== undefined) {
      const { status, reason } = followed.response;
      followed.response.body.destroy();
      return { exitCode: undefined, pauseMs, why: failures[0] ?? `${status} ${reason}`.trim() };
    }
    limit.clear();
    const isSecret = (name: string): boolean =>
      flags.showSecrets !== true && (looksSecret(name) || plan.secretHeaders.has(name.toLowerCase()));
    const holds = patience.isPatient && saver === undefined && flags.stream !== true;
    const delivery: Delivery = {
      context,
      followed,
      flags,
      content: holds ? holdBack(content, state) : content,
      expectations,
      failures,
      attempts: attempt,
      target: await saver?.targetFor(followed, verifier),
      records: transport.records,
      isSecret,
      verify: verifier?.verify,
      digest: () => verifier?.digest(),
      beforeOutput: job.beforeOutput,
    };
    state.hasBegun = !holds && saver === undefined && !context.json;
    return { exitCode: await deliver(delivery) };
  } finally {
    limit.clear();
    // What nobody read to its end; one that has ended may have given its connection to the next request.
    if (followed?.response.body.readableEnded === false) followed.response.body.destroy();
  }
}

function exchange(
  job: TransferJob,
  signal: AbortSignal,
  headers: HeaderList | undefined,
): Promise<FollowedResponse> {
  const { plan, transport, progress } = job;
  return transport.exchange(plan, {
    signal,
    ...(headers === undefined ? {} : { headers }),
    onUpload: (bytes) => progress.onUpload(bytes),
  });
}

/** The body, read as far as the expectations need it, and those that do not hold. */
async function readAsExpected(
  { flags, expectations, progress, transport }: TransferJob,
  followed: FollowedResponse,
  observe: ((bytes: Buffer) => void) | undefined,
): Promise<{ content: Content; failures: readonly string[] }> {
  const { openContent, toContent } = await import('../core/http/content.js');
  const { response, request } = followed;
  progress.onResponse(response);
  const captured = transport.records.findLast((record) => record.response === response)?.body;
  const content = await openContent(response, {
    method: request.method,
    raw: flags.raw === true,
    maxSizeBytes: flags.maxSize,
    observers: [observe, captured?.take].filter((observer) => observer !== undefined),
  });
  if (!expectations.needsBody) return { content, failures: expectations.findFailures(response, undefined) };
  const { collect, decodeText, getCharset } = await import('../core/http/body.js');
  const bytes = await collect(content.stream(), DOCUMENT_LIMIT_BYTES);
  const failures = expectations.findFailures(response, decodeText(bytes, getCharset(response.headers)));
  return { content: toContent(bytes), failures };
}

function talk({ context, beforeOutput }: TransferJob, text: string): void {
  if (context.quiet) return;
  beforeOutput();
  context.io.stderr.write(`${context.redact(context.style.stderr.foreign(text))}\n`);
}
