import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { BodySource } from '../core/http/messages.js';
import { looksSecret } from '../core/secrets.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { badItem, checkJson, type FileItem, parseFileFlag, type RequestItem } from './items.js';
import { buildJson } from './json-fields.js';
import { readInput, rememberSecretFields, toInputError } from './secret-values.js';

/** A body and what it says it is. */
export interface Content {
  readonly body: string | Uint8Array | BodySource;
  readonly type: string;
  readonly encoding?: string | undefined;
  /** The same body as flags of curl. */
  readonly curl: readonly string[];
}

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** So much of stdin is waited for before sending begins. */
const LOOK_INTO_STDIN_BYTES = 64 * 1024;

/** A file up to this size is looked into, to tell JSON from a form; a larger one is sent bit by bit. */
const LOOK_INTO_BYTES = 2 ** 20;

/** The body that items and flags make; `undefined` when they make none. */
export async function buildBody(
  context: Context,
  items: readonly RequestItem[],
  flags: AllFlags,
): Promise<Content | undefined> {
  const files = [...items.filter((item) => item.kind === 'file'), ...(flags.file ?? []).map(parseFileFlag)];
  const fields = await readFields(context, items);
  if (flags.data !== undefined) {
    if (fields.length > 0 || files.length > 0) {
      throw new NettoolError('USAGE', 'the body comes either from --data or from fields, not from both');
    }
    const content = await readData(context, items, flags);
    if (content.body instanceof Uint8Array && content.body.length <= LOOK_INTO_BYTES) {
      rememberSecretFields(context, content.body.toString());
    }
    return compress(content, flags);
  }
  if (fields.length === 0 && files.length === 0) return undefined;
  for (const { name, value } of fields) if (looksSecret(name)) context.addSecret(value);
  if (files.length > 0 || flags.multipart === true) return toMultipart(context, fields, files, flags);
  const content = flags.form === true ? toForm(fields) : toJson(fields);
  rememberSecretFields(context, content.body as string);
  return compress(content, flags);
}

interface Field {
  readonly name: string;
  readonly value: string;
  readonly json: boolean;
  readonly source: string;
}

async function readFields(context: Context, items: readonly RequestItem[]): Promise<Field[]> {
  const fields: Field[] = [];
  for (const item of items) {
    if (item.kind === 'text' || item.kind === 'json') {
      fields.push({ ...item, json: item.kind === 'json' });
    } else if (item.kind === 'text-file' || item.kind === 'json-file') {
      const { name, source, path } = item;
      const text = decodeUtf8(await readInput(context, path), source);
      const json = item.kind === 'json-file';
      fields.push({ name, source, json, value: json ? checkJson(source, text) : text });
    }
  }
  return fields;
}

function toJson(fields: readonly Field[]): Content {
  const json = fields.map(({ name, value, json }) => ({
    path: name,
    value: json ? value : JSON.stringify(value),
  }));
  return toText(buildJson(json), JSON_TYPE);
}

function toForm(fields: readonly Field[]): Content {
  refuseJson(fields);
  const form = new URLSearchParams(fields.map(({ name, value }) => [name, value]));
  return toText(form.toString(), FORM_TYPE);
}

function refuseJson(fields: readonly Field[]): void {
  const raw = fields.find(({ json }) => json);
  if (raw !== undefined) throw badItem(raw.source, "a form has no JSON fields (':='); use '='");
}

function toText(body: string, type: string): Content {
  return { body, type, curl: ['--data-binary', body] };
}

async function toMultipart(
  context: Context,
  fields: readonly Field[],
  files: readonly FileItem[],
  flags: AllFlags,
): Promise<Content> {
  refuseJson(fields);
  if (flags.compress === true) {
    throw new NettoolError(
      'USAGE',
      'a multipart body is sent from disk as it is, --compress does not go with it',
    );
  }
  const { createMultipart } = await import('../core/http/multipart.js');
  const parts = [];
  const curl: string[] = [];
  for (const { name, value } of fields) {
    parts.push({ name, content: value });
    curl.push('--form-string', `${name}=${value}`);
  }
  for (const { name, path, type, filename } of files) {
    const { absolute, sizeBytes } = await checkFile(context, path);
    const { guessType } = await import('./file-type.js');
    const sentType = type ?? guessType(filename ?? path);
    const sentName = filename ?? basename(path);
    parts.push({ name, filename: sentName, type: sentType, content: { path: absolute, sizeBytes } });
    curl.push('-F', `${name}=@${quoteForCurl(absolute)};type=${sentType};filename=${quoteForCurl(sentName)}`);
  }
  const { body, type } = createMultipart(parts);
  return { body, type, curl };
}

/** As curl's -F reads a path or a name. */
function quoteForCurl(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A regular file that can be read, and its size, before anything is sent. */
async function checkFile(context: Context, path: string): Promise<{ absolute: string; sizeBytes: number }> {
  const { access, constants } = await import('node:fs/promises');
  const absolute = resolve(context.io.cwd, path);
  try {
    const stats = await stat(absolute);
    await access(absolute, constants.R_OK);
    if (!stats.isFile()) throw new NettoolError('INPUT_FAILED', `cannot read ${path} (not a regular file)`);
    return { absolute, sizeBytes: stats.size };
  } catch (error) {
    throw error instanceof NettoolError ? error : toInputError(error, path);
  }
}

/** The data of one or more `-d`, which are joined as curl joins them; a single file or stdin is not read into memory. */
async function readData(context: Context, items: readonly RequestItem[], flags: AllFlags): Promise<Content> {
  const data = flags.data ?? [];
  const [first = ''] = data;
  let curl: string[] | undefined;
  if (data.length === 1 && first.startsWith('@')) {
    const path = first.slice(1);
    if (path === '-') return readStdin(context, items, flags);
    curl = ['--data-binary', `@${resolve(context.io.cwd, path)}`];
    const file = await openDataFile(context, path);
    if (file !== undefined) return { ...file, type: guess(flags, file.type), curl };
  }
  const parts: Buffer[] = [];
  for (const flag of data) {
    parts.push(flag.startsWith('@') ? await readInput(context, flag.slice(1)) : Buffer.from(flag));
  }
  const body = parts.length === 1 ? (parts[0] as Buffer) : Buffer.from(parts.join('&'));
  return {
    body,
    type: guess(flags, isJson(body) ? JSON_TYPE : FORM_TYPE),
    // Not --data-binary: what was read from a file may begin with an @.
    curl: curl ?? ['--data-raw', body.toString()],
  };
}

function guess(flags: AllFlags, type: string): string {
  return flags.form === true ? FORM_TYPE : type;
}

async function openDataFile(
  context: Context,
  path: string,
): Promise<Pick<Content, 'body' | 'type'> | undefined> {
  const stats = await stat(resolve(context.io.cwd, path)).catch(() => undefined);
  if (stats === undefined || !stats.isFile()) return undefined;
  const { absolute, sizeBytes } = await checkFile(context, path);
  if (sizeBytes <= LOOK_INTO_BYTES) return undefined;
  const { fileBody } = await import('../core/http/multipart.js');
  return {
    body: fileBody(absolute, sizeBytes),
    type: path.endsWith('.json') ? JSON_TYPE : 'application/octet-stream',
  };
}

/**
 * What stdin has: a little of it is waited for, to tell JSON from a form; more is sent as it comes, and so is everything
 * when a Content-Type is given.
 */
async function readStdin(context: Context, items: readonly RequestItem[], flags: AllFlags): Promise<Content> {
  const { stdin } = context.io;
  const curl = ['--data-binary', '@-'];
  const isTyped = [
    ...items,
    ...(flags.header ?? []).map((text) => ({ name: text.split(':', 1)[0] ?? '' })),
  ].some(({ name }) => name.toLowerCase() === 'content-type');
  const chunks = stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const start: Buffer[] = [];
  let size = 0;
  while (!isTyped && size <= LOOK_INTO_STDIN_BYTES) {
    const { done, value } = await chunks.next();
    if (done === true) {
      const body = Buffer.concat(start);
      return { body, type: guess(flags, isJson(body) ? JSON_TYPE : FORM_TYPE), curl };
    }
    start.push(Buffer.from(value));
    size += value.length;
  }
  async function* open(): AsyncGenerator<Uint8Array> {
    yield* start;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  return { body: { sizeBytes: undefined, isReplayable: false, open }, type: guess(flags, FORM_TYPE), curl };
}

function isJson(data: Buffer): boolean {
  try {
    JSON.parse(data.toString());
    return true;
  } catch {
    return false;
  }
}

/** `--compress`: gzip; what does not get smaller is sent as it is, and what comes bit by bit is compressed so. */
async function compress(content: Content, flags: AllFlags): Promise<Content> {
  if (flags.compress !== true) return content;
  const { createGzip, gzipSync } = await import('node:zlib');
  const { pipeline } = await import('node:stream/promises');
  const { body } = content;
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = Buffer.from(body as string);
    const packed = gzipSync(bytes);
    return packed.length < bytes.length ? { ...content, body: packed, encoding: 'gzip' } : content;
  }
  const open = (): AsyncIterable<Uint8Array> => {
    const gzip = createGzip();
    pipeline(copies(body.open()), gzip).catch((error) => gzip.destroy(error as Error));
    return gzip;
  };
  return {
    ...content,
    encoding: 'gzip',
    body: { sizeBytes: undefined, isReplayable: body.isReplayable, open },
  };
}

/** The pieces are only lent, and a stream may keep them. */
async function* copies(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const piece of source) yield Buffer.from(piece);
}

function decodeUtf8(bytes: Buffer, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badItem(source, 'the file is not text in UTF-8');
  }
}
