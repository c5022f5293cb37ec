import type { Readable } from 'node:stream';
import type { ClientResponse } from '../core/http/client.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import type { Context } from './context.js';
import { exitCodeForStatus } from './exit-codes.js';
import { pipeBody, readExcerpt, showBody } from './output/body.js';
import type { OutputFile } from './output/file.js';
import { JsonText } from './output/json-text.js';
import { compactJson, isJson } from './output/json-tokens.js';
import { createReporter } from './output/reporter.js';
import type { RequestFlags } from './request-plan.js';
import { viewResponseHead } from './views/request.js';

/** What a `--json` document holds has to fit into memory. */
const DOCUMENT_LIMIT_BYTES = 128 * 2 ** 20;

/** How much of an error page is shown when the answer was to become a file. */
const EXCERPT_BYTES = 4096;

/** An answer, and where it is to go. */
export interface Delivery {
  readonly context: Context;
  readonly followed: FollowedResponse;
  readonly flags: RequestFlags;
  readonly file: OutputFile | undefined;
  /** Called before anything is written. */
  readonly beforeOutput: () => void;
}

/** Brings the answer to where it was asked for, and returns the exit code that its status comes to. */
export async function deliver(delivery: Delivery): Promise<number> {
  const { response } = delivery.followed;
  const body = await toBody(delivery);
  const { file, context } = delivery;
  if (context.json) await deliverDocument(delivery, body);
  else if (file === undefined) await print(delivery, body);
  else if (response.status >= 400) await printExcerpt(delivery, body);
  else await save(delivery, file, body);
  return exitCodeForStatus(response.status);
}

/** The body to deliver: decoded, unless it is to be left as it was sent. */
async function toBody({ followed, flags }: Delivery): Promise<Readable> {
  const { response, request } = followed;
  const { hasHeader } = await import('../core/http/headers.js');
  const empty = request.method === 'HEAD' || response.status === 204 || response.status === 304;
  const encoded = hasHeader(response.headers, 'content-encoding');
  if (flags.raw === true || empty || !encoded) return response.body;
  const { decodeBody } = await import('../core/http/decoding.js');
  return decodeBody(response.body, response.headers);
}

async function print(delivery: Delivery, body: Readable): Promise<void> {
  const { context, followed, beforeOutput } = delivery;
  const { stdout } = context.io;
  const { headers } = followed.response;
  const { getCharset, getMediaType, isJsonType } = await import('../core/http/body.js');
  beforeOutput();
  printHead(delivery);
  if (stdout.isTTY !== true) return pipeBody(body, stdout);
  const kind = { json: isJsonType(getMediaType(headers)), charset: getCharset(headers) };
  if (await showBody(body, kind, stdout, context.style.stdout)) return;
  talk(context, 'note: the body is binary and not shown on a terminal; save it with -o FILE or pipe it');
}

function printHead({ context, flags, followed, beforeOutput }: Delivery): void {
  if (flags.include !== true) return;
  beforeOutput();
  context.io.stdout.write(`${viewResponseHead(followed.response, context.style.stdout)}\n\n`);
}

async function save(delivery: Delivery, file: OutputFile, body: Readable): Promise<void> {
  printHead(delivery);
  await file.write(body);
}

/** An error page never becomes the file; its start goes where people look. */
async function printExcerpt(delivery: Delivery, body: Readable): Promise<void> {
  const { context, followed, beforeOutput } = delivery;
  const { getCharset } = await import('../core/http/body.js');
  const text = await readExcerpt(body, getCharset(followed.response.headers), EXCERPT_BYTES);
  beforeOutput();
  printHead(delivery);
  const { status, reason } = followed.response;
  talk(context, `note: ${status} ${reason}: ${delivery.flags.output} is not written`);
  if (text !== undefined && text !== '') {
    const shown = context.style.stderr.foreign(text.replaceAll('\r\n', '\n'));
    context.io.stderr.write(shown.endsWith('\n') ? shown : `${shown}\n`);
  }
}

function talk(context: Context, text: string): void {
  if (!context.quiet) context.io.stderr.write(`${context.redact(text)}\n`);
}

/** The one JSON document of the run; an answer that was saved is told without its body. */
async function deliverDocument(delivery: Delivery, body: Readable): Promise<void> {
  const { context, followed, file, flags } = delivery;
  const { response, request, hops } = followed;
  const saves = file !== undefined && response.status < 400;
  const content = saves ? undefined : await readContent(body, response);
  const bodySizeBytes = saves ? await file.write(body) : (content?.bytes.length ?? 0);
  const { toHeaderRecord } = await import('../core/http/headers.js');
  const document = {
    type: 'response' as const,
    ok: response.status < 400,
    status: response.status,
    statusText: response.reason,
    httpVersion: response.httpVersion,
    method: request.method,
    url: request.url.href,
    redirects: hops,
    headers: toHeaderRecord(response.headers),
    rawHeaders: response.headers,
    body: content?.body ?? null,
    bodyBase64: content?.base64,
    bodySizeBytes,
    wireSizeBytes: response.wireSizeBytes,
    remoteAddress: response.remoteAddress,
    remotePort: response.remotePort,
    attempts: 1,
    file: saves ? flags.output : undefined,
    timings: roundTimings(response),
  };
  createReporter<typeof document>(context, () => undefined, 'stdout')(document);
}

interface Content {
  readonly bytes: Buffer;
  readonly body: JsonText | string | null;
  readonly base64?: string;
}

async function readContent(stream: Readable, { headers }: ClientResponse): Promise<Content> {
  const { collect, decodeText, getCharset, getMediaType, isJsonType } = await import('../core/http/body.js');
  const bytes = await collect(stream, DOCUMENT_LIMIT_BYTES);
  if (bytes.length === 0) return { bytes, body: null };
  const text = decodeText(bytes, getCharset(headers));
  if (text === undefined) return { bytes, body: null, base64: bytes.toString('base64') };
  const type = getMediaType(headers);
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text;
  const json = (type === '' || isJsonType(type)) && isJson(bare);
  return { bytes, body: json ? new JsonText(compactJson(bare)) : text };
}

/** To the microsecond; what lies below is noise. */
function roundTimings({ timings }: ClientResponse): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(timings).map(([step, ms]) => [step, ms === null ? null : Math.round(ms * 1000) / 1000]),
  );
}
