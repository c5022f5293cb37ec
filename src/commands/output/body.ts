import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeStart, type TextClaim } from './body-text.js';
import { toStreamSink } from './byte-sink.js';
import { escapeControls } from './escape.js';
import type { Source } from './file.js';
import { isJson, prettyJson } from './json-tokens.js';
import { colorMarkup, indentXml } from './markup.js';
import type { Style } from './style.js';

/** JSON up to this size is laid out for a person; beyond it nobody reads it anyway. */
const PRETTY_LIMIT_BYTES = 4 * 2 ** 20;

/** What a terminal is to know of a body. */
export interface TerminalBody extends TextClaim {
  /** `lines` is shown line by line as it comes, `json` and `markup` are laid out and coloured. */
  readonly kind: 'json' | 'markup' | 'lines' | 'text';
  readonly isHtml: boolean;
}

/** Writes a body to a pipe or file, byte by byte as it is. */
export function pipeBody(body: Source, stdout: Writable): Promise<void> {
  return body.pour(toStreamSink(stdout));
}

/**
 * Writes a body for a person at a terminal: JSON and XML laid out and coloured, other text with its control characters
 * escaped. Resolves to `false`, with nothing written, when the body is binary.
 */
export async function showBody(
  body: Readable,
  { kind, isHtml, ...claim }: TerminalBody,
  stdout: Writable,
  style: Style,
): Promise<boolean> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>;
  const isWhole = kind === 'json' || kind === 'markup';
  const start = await readStart(chunks, isWhole ? PRETTY_LIMIT_BYTES : 1);
  if (start.bytes.length === 0) return true;
  const decoded = decodeStart(start.bytes, start.complete, claim);
  if (decoded === undefined) return false;
  const { text, decoder } = decoded;
  if (kind === 'json' && start.complete && isJson(withoutMark(text))) {
    stdout.write(`${prettyJson(withoutMark(text), style)}\n`);
    return true;
  }
  if (kind === 'markup' && start.complete) {
    const laidOut = isHtml ? text : indentXml(text);
    stdout.write(`${colorMarkup(laidOut.replaceAll('\r\n', '\n'), style).replace(/\n?$/, '\n')}`);
    return true;
  }
  const rest = start.failure === undefined ? chunks : failing(start.failure);
  const all = rejoin(text, rest, decoder);
  await (kind === 'lines' ? writeLines(all, stdout, style) : writeText(all, stdout));
  return true;
}

/** Each line as soon as it is there, JSON in it (NDJSON, or the data of an event) coloured. */
async function writeLines(texts: AsyncIterable<string>, stdout: Writable, style: Style): Promise<void> {
  const show = (line: string): string => {
    const [, field = '', value = line] = /^([a-z]+:\s?)(.*)$/.exec(line) ?? [];
    if (value.length > 1 && isJson(value)) {
      return `${style.dim(field)}${prettyJson(value, style).replaceAll(/\n\s*/g, ' ')}`;
    }
    return `${style.dim(style.foreign(field))}${style.foreign(value)}`;
  };
  let pending = '';
  for await (const text of texts) {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) stdout.write(`${show(line.replace(/\r$/, ''))}\n`);
  }
  if (pending !== '') stdout.write(`${show(pending)}\n`);
}

/** The text of an answer's first bytes made harmless, for an excerpt; `undefined` when it is binary. */
export async function readExcerpt(
  body: Readable,
  claim: TextClaim,
  limitBytes: number,
): Promise<string | undefined> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterableIterator<Buffer>;
  const { bytes } = await readStart(chunks, limitBytes);
  return decodeStart(bytes.subarray(0, limitBytes), false, claim)?.text;
}

/** Whether whoever read our output has gone away. */
export function isReaderGone(stdout: Writable): boolean {
  return (stdout.errored as NodeJS.ErrnoException | null)?.code === 'EPIPE';
}

interface Start {
  readonly bytes: Buffer;
  readonly complete: boolean;
  /** What broke the body behind these bytes. */
  readonly failure?: unknown;
}

async function readStart(chunks: AsyncIterator<Buffer>, wantedBytes: number): Promise<Start> {
  const read: Buffer[] = [];
  let size = 0;
  try {
    while (size < wantedBytes) {
      const { done, value } = await chunks.next();
      if (done === true) return { bytes: Buffer.concat(read), complete: true };
      read.push(value);
      size += value.length;
    }
  } catch (failure) {
    // Shown first, then told.
    if (size > 0) return { bytes: Buffer.concat(read), complete: false, failure };
    throw failure;
  }
  return { bytes: Buffer.concat(read), complete: false };
}

// biome-ignore lint/correctness/useYield: a stream that has nothing more to give but its failure
async function* failing(failure: unknown): AsyncGenerator<Buffer> {
  throw failure;
}

async function* rejoin(
  start: string,
  chunks: AsyncIterable<Buffer>,
  decoder: TextDecoder,
): AsyncGenerator<string> {
  yield start;
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

/** Text as a terminal may have it: CRLF as LF, other controls escaped, and a newline at the end. */
async function writeText(texts: AsyncIterable<string>, stdout: Writable): Promise<void> {
  async function* lines(): AsyncGenerator<string> {
    let last = '\n';
    let pending = '';
    for await (const text of texts) {
      const all = pending + text;
      // A carriage return at the end may be half of a CRLF.
      pending = all.endsWith('\r') ? '\r' : '';
      const ready = all.slice(0, all.length - pending.length).replaceAll('\r\n', '\n');
      if (ready === '') continue;
      last = ready;
      yield escapeControls(ready);
    }
    if (pending !== '') yield escapeControls(pending);
    if (pending !== '' || !last.endsWith('\n')) yield '\n';
  }
  try {
    await pipeline(lines(), stdout, { end: false });
  } catch (error) {
    if (!isReaderGone(stdout)) throw error;
  }
}

/** A byte order mark is no part of JSON, though some write one (RFC 8259, section 8.1). */
function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
