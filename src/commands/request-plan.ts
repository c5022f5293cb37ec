import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import packageJson from '../../package.json' with { type: 'json' };
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { HeaderPair } from '../core/http/messages.js';
import { looksSecret } from '../core/secrets.js';
import type { Context, GlobalFlags } from './context.js';
import { badItem, checkJson, parseHeader, parseItem, type RequestItem } from './items.js';
import { buildJson } from './json-fields.js';
import { parseRequestUrl, withParams } from './request-url.js';

/** The flags of `get`, `post` and their kin. */
export interface RequestFlags extends GlobalFlags {
  readonly method?: string;
  readonly header?: readonly string[];
  readonly param?: readonly string[];
  readonly data?: readonly string[];
  readonly form?: boolean;
  readonly timeout?: number;
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly follow: boolean;
  readonly maxRedirects: number;
  readonly allowDowngrade?: boolean;
  readonly insecure?: boolean;
  readonly cacert?: string;
  readonly output?: string;
  readonly include?: boolean;
  readonly raw?: boolean;
}

/** A request as the command line asked for it: nothing has been sent, every file it needs has been read. */
export interface RequestPlan {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly HeaderPair[];
  readonly body: string | Uint8Array | undefined;
  /** Names, in lower case, of the fields whose values came from a file. */
  readonly secretHeaders: ReadonlySet<string>;
}

interface Content {
  readonly body: string | Uint8Array;
  readonly type: string;
}

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Turns URL, items and flags into a request; whatever is wrong with them is told before anything is sent. */
export async function planRequest(
  context: Context,
  method: string,
  [typedUrl, words]: readonly [string, readonly string[]],
  flags: RequestFlags,
): Promise<RequestPlan> {
  const { takeUserinfo } = await import('../core/http/basic-auth.js');
  const items = words.map(parseItem);
  const fromFlags = await readHeaderFlags(context, flags.header ?? []);
  const params = [
    ...(flags.param ?? []).map(parseParam),
    ...items.filter((item) => item.kind === 'param').map(({ name, value }) => [name, value] as const),
  ];
  const { url, authorization } = takeUserinfo(withParams(parseRequestUrl(typedUrl), params));
  const content = await toContent(context, items, flags);
  const { ACCEPT_ENCODING } = await import('../core/http/body.js');
  const defaults: HeaderPair[] = [
    ['User-Agent', `${packageJson.name}/${packageJson.version}`],
    ['Accept', '*/*'],
    ['Accept-Encoding', ACCEPT_ENCODING],
    ...(authorization === undefined ? [] : [['Authorization', authorization] as const]),
    ...(content === undefined ? [] : [['Content-Type', content.type] as const]),
  ];
  const headers = mergeHeaders(defaults, [...fromFlags.items, ...items]);
  const secretHeaders = fromFlags.secret;
  for (const [name, value] of headers) {
    if (looksSecret(name) || secretHeaders.has(name.toLowerCase())) rememberSecret(context, value);
  }
  return { method: flags.method ?? method, url, headers, body: content?.body, secretHeaders };
}

/** `Bearer abc` is a secret, and so is `abc`. */
function rememberSecret(context: Context, value: string): void {
  context.addSecret(value);
  context.addSecret(value.replace(/^\S+\s+/, ''));
}

/** Given fields replace the default of their name, and stand where the user put them; `Name:` takes one out. */
function mergeHeaders(defaults: readonly HeaderPair[], items: readonly RequestItem[]): HeaderPair[] {
  const given = items.filter((item) => item.kind === 'header' || item.kind === 'no-header');
  const named = new Set(given.map(({ name }) => name.toLowerCase()));
  const kept = defaults.filter(([name]) => !named.has(name.toLowerCase()));
  const added = given.flatMap((item) => (item.kind === 'header' ? [[item.name, item.value] as const] : []));
  return [...kept, ...added];
}

async function readHeaderFlags(
  context: Context,
  flags: readonly string[],
): Promise<{ items: RequestItem[]; secret: Set<string> }> {
  const items: RequestItem[] = [];
  const secret = new Set<string>();
  for (const flag of flags) {
    if (!flag.startsWith('@')) {
      items.push(parseHeader(flag));
      continue;
    }
    const lines = (await readInput(context, flag.slice(1))).toString().split(/\r?\n/);
    const fields = lines.filter((line) => line.trim() !== '').map(parseHeader);
    for (const { name } of fields) secret.add(name.toLowerCase());
    items.push(...fields);
  }
  return { items, secret };
}

function parseParam(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new NettoolError('USAGE', `bad parameter '${text}': it is 'name=value'`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

async function toContent(
  context: Context,
  items: readonly RequestItem[],
  flags: RequestFlags,
): Promise<Content | undefined> {
  const fields = await readFields(context, items);
  if (flags.data === undefined)
    return fields.length === 0 ? undefined : fieldsToContent(context, fields, flags);
  if (fields.length > 0) {
    throw new NettoolError('USAGE', 'the body comes either from --data or from fields, not from both');
  }
  const data = await readData(context, flags.data);
  const type = flags.form === true || !isJsonData(data) ? FORM_TYPE : JSON_TYPE;
  return { body: data, type };
}

type Field = {
  readonly name: string;
  readonly value: string;
  readonly json: boolean;
  readonly source: string;
};

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

function fieldsToContent(context: Context, fields: readonly Field[], flags: RequestFlags): Content {
  for (const { name, value } of fields) if (looksSecret(name)) context.addSecret(value);
  if (flags.form !== true) {
    const json = fields.map(({ name, value, json }) => ({
      path: name,
      value: json ? value : JSON.stringify(value),
    }));
    return { body: buildJson(json), type: JSON_TYPE };
  }
  const raw = fields.find(({ json }) => json);
  if (raw !== undefined) throw badItem(raw.source, "a form has no JSON fields (':='); use '='");
  const form = new URLSearchParams(fields.map(({ name, value }) => [name, value]));
  return { body: form.toString(), type: FORM_TYPE };
}

/** The data of one or more `-d`, which are joined as curl joins them. */
async function readData(context: Context, flags: readonly string[]): Promise<string | Buffer> {
  const parts: Buffer[] = [];
  for (const flag of flags) {
    parts.push(flag.startsWith('@') ? await readInput(context, flag.slice(1)) : Buffer.from(flag));
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.from(parts.join('&'));
}

function isJsonData(data: string | Buffer): boolean {
  try {
    JSON.parse(data.toString());
    return true;
  } catch {
    return false;
  }
}

function decodeUtf8(bytes: Buffer, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badItem(source, 'the file is not text in UTF-8');
  }
}

/** The bytes of a file, or of stdin for `-`. */
async function readInput(context: Context, path: string): Promise<Buffer> {
  if (path === '-') return Buffer.from(await readText(context.io.stdin));
  try {
    return await readFile(resolve(context.io.cwd, path), { signal: context.io.signal });
  } catch (error) {
    const { message } = toNettoolError(error, `cannot read ${path}`);
    throw new NettoolError('INPUT_FAILED', message, { cause: error });
  }
}
