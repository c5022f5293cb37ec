import type { Content } from '../core/http/content.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import { type AllFlags, toPrintParts } from './all-flags.js';
import type { Context } from './context.js';
import { exitCodeFor, exitCodeForStatus } from './exit-codes.js';
import type { Expectations } from './expectations.js';
import { isReaderGone, pipeBody, readExcerpt, showBody } from './output/body.js';
import type { TextClaim } from './output/body-text.js';
import { formatSize } from './output/units.js';
import { writeDocument } from './response-document.js';
import type { Saved, SaveTarget } from './save-response.js';
import type { ExchangeRecord } from './transport.js';
import { viewResponseHead, viewSentRequest } from './views/request.js';
import { viewTimings } from './views/timing.js';

/** How much of an error page is shown when the answer was to become a file. */
const EXCERPT_BYTES = 4096;

/** An answer, and where it is to go. */
export interface Delivery {
  readonly context: Context;
  readonly followed: FollowedResponse;
  readonly flags: AllFlags;
  readonly content: Content;
  readonly expectations: Expectations;
  /** Expectations that do not hold. */
  readonly failures: readonly string[];
  readonly attempts: number;
  /** The file to write, when the answer is to become one. */
  readonly target: SaveTarget | undefined;
  readonly records: readonly ExchangeRecord[];
  readonly isSecret: (name: string) => boolean;
  /** Checks what has passed against `--checksum`; throws when it does not fit. */
  readonly verify: (() => void) | undefined;
  /** The hash of what has passed. */
  readonly digest: () => string | undefined;
  /** Called before anything is written. */
  readonly beforeOutput: () => void;
}

/** Brings the answer to where it was asked for, and returns the exit code it comes to. */
export async function deliver(delivery: Delivery): Promise<number> {
  const { context, followed, expectations, failures, target, flags } = delivery;
  const { status } = followed.response;
  const isGood = expectations.acceptsStatus(status) && failures.length === 0;
  const saves = target !== undefined && (target.isComplete || isGood);
  if (context.json) await writeDocument(delivery, saves ? target : undefined);
  else if (saves) await save(delivery, target);
  else if (target !== undefined) await printExcerpt(delivery);
  else await print(delivery);
  if (flags.timing === true && !context.json) talk(context, viewTimings(delivery.records));
  if (target?.isComplete === true) return 0;
  for (const failure of failures) {
    if (!context.json) context.io.stderr.write(`${context.redact(`not as expected: ${failure}`)}\n`);
  }
  if (failures.length > 0) return exitCodeFor('EXPECTATION_FAILED');
  if (flags.expect !== undefined && expectations.acceptsStatus(status)) return 0;
  const exitCode = exitCodeForStatus(status);
  // What OPTIONS asks for is in the header fields.
  const isTold = exitCode !== 0 || followed.request.method === 'OPTIONS';
  if (isTold && !context.json && target === undefined) tellEmpty(delivery);
  return exitCode;
}

async function print(delivery: Delivery): Promise<void> {
  const { context, followed, beforeOutput, flags, content, verify } = delivery;
  const { stdout } = context.io;
  const parts = toPrintParts(flags, followed.request.method);
  beforeOutput();
  printHeads(delivery, parts);
  if (!parts.includes('b')) {
    followed.response.body.destroy();
  } else if (stdout.isTTY !== true) {
    await quietly(delivery, () => pipeBody(content, stdout));
  } else {
    await quietly(delivery, () => show(delivery));
  }
  verify?.();
  if (parts.includes('m')) stdout.write(`${parts === 'm' ? '' : '\n'}${viewTimings(delivery.records)}\n`);
}

/** A failure that has printed nothing would leave people with an exit code alone. */
function tellEmpty({ context, followed, flags }: Delivery): void {
  const { status, reason, wireSizeBytes } = followed.response;
  if (wireSizeBytes > 0 || toPrintParts(flags, followed.request.method) !== 'b') return;
  const more = followed.request.method === 'OPTIONS' ? '; -i shows the header fields' : '';
  talk(context, `note: ${`${status} ${reason}`.trim()}, without a body${more}`);
}

async function show(delivery: Delivery): Promise<void> {
  const { context, followed, flags, content } = delivery;
  const { headers } = followed.response;
  const { getMediaType, isJsonType } = await import('../core/http/body.js');
  const type = getMediaType(headers);
  const isLines = /^(text\/event-stream|application\/(x-)?(ndjson|jsonl|json-seq|jsonlines))$/.test(type);
  const markup = type === 'text/html' || /[/+]xml$/.test(type);
  const kind = {
    kind: flags.stream === true || isLines ? 'lines' : isJsonType(type) ? 'json' : markup ? 'markup' : 'text',
    isHtml: type === 'text/html',
    ...(await readClaim(delivery)),
  } as const;
  if (await showBody(content.stream(), kind, context.io.stdout, context.style.stdout)) return;
  talk(context, 'note: the body is binary and not shown on a terminal; save it with -o FILE or pipe it');
}

async function readClaim({ followed }: Delivery): Promise<TextClaim> {
  const { getCharset, getMediaType, isJsonType } = await import('../core/http/body.js');
  const { headers } = followed.response;
  const type = getMediaType(headers);
  const isText = type.startsWith('text/') || isJsonType(type) || /[/+]xml$|javascript$/.test(type);
  return { isText, charset: getCharset(headers) };
}

/** A reader that has gone away ends the output, not the run. */
async function quietly({ context }: Delivery, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isReaderGone(context.io.stdout)) throw error;
  }
}

function printHeads(delivery: Delivery, parts: string): void {
  const { context, followed, records, isSecret } = delivery;
  const { stdout } = context.io;
  const style = context.style.stdout;
  const last = records.at(-1);
  if (last !== undefined && /[HB]/.test(parts)) {
    stdout.write(`${viewSentRequest(last, parts, style, isSecret)}\n\n`);
  }
  if (!parts.includes('h')) return;
  const end = parts.includes('b') ? '\n\n' : '\n';
  stdout.write(`${viewResponseHead(followed.response, style)}${end}`);
}

async function save(delivery: Delivery, target: SaveTarget): Promise<void> {
  const { context, flags, content, verify } = delivery;
  if (/h/.test(toPrintParts(flags, 'GET'))) printHeads(delivery, 'hb');
  const startedAt = performance.now();
  const saved = await target.save(content, verify);
  delivery.beforeOutput();
  tellSaved(context, saved, performance.now() - startedAt);
}

function tellSaved(context: Context, { path, sizeBytes, receivedBytes }: Saved, ms: number): void {
  const rate = ms > 0 ? `, ${formatSize((receivedBytes / ms) * 1000)}/s` : '';
  const resumed =
    receivedBytes < sizeBytes ? `, ${formatSize(sizeBytes - receivedBytes)} were there already` : '';
  const name = context.style.stderr.foreign(path);
  talk(context, `saved ${name} (${formatSize(sizeBytes)} in ${(ms / 1000).toFixed(1)} s${rate}${resumed})`);
}

/** An error page never becomes the file; its start goes where people look. */
async function printExcerpt(delivery: Delivery): Promise<void> {
  const { context, followed, beforeOutput, content } = delivery;
  const stream = content.stream();
  const text = await readExcerpt(stream, await readClaim(delivery), EXCERPT_BYTES);
  stream.destroy();
  followed.response.body.destroy();
  beforeOutput();
  if (/h/.test(toPrintParts(delivery.flags, 'GET'))) printHeads(delivery, 'hb');
  const { status, reason } = followed.response;
  const name = delivery.flags.output ?? 'the file';
  talk(context, `note: ${`${status} ${reason}`.trim()}: ${name} is not written`);
  if (text !== undefined && text !== '') {
    const shown = context.style.stderr.foreign(text.replaceAll('\r\n', '\n'));
    context.io.stderr.write(shown.endsWith('\n') ? shown : `${shown}\n`);
  }
}

function talk(context: Context, text: string): void {
  if (!context.quiet && text !== '') context.io.stderr.write(`${context.redact(text)}\n`);
}
