import { Readable } from 'node:stream';
import type { Body, FileBody, HeaderList, HttpResponse } from '../messages.js';
import { type Clock, statusLine } from './clock.js';
import { NOT_A_VALUE, TOKEN } from './grammar.js';

/** Header fields as they go over the wire, and what they say about framing: that is the engine's to decide. */
export interface FieldBlock {
  readonly text: string;
  readonly contentLength: number | undefined;
  readonly close: boolean;
  readonly hasDate: boolean;
  /** The last usual answer with these fields: as long as the second lasts the next one has the same head. */
  last: LastAnswer | undefined;
}

interface LastAnswer {
  readonly plan: AnswerPlan;
  readonly status: number;
  readonly body: Uint8Array | undefined;
  readonly date: string;
}

/** Where an answer's content ends for the client (RFC 9112, section 6.3). */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** The head of an answer, and how its content is to be sent. */
export interface AnswerPlan {
  readonly head: string;
  readonly framing: Framing;
  /** Bytes of content, -1 when unknown. */
  readonly length: number;
  /** What the head says about them. */
  readonly contentLength: number | undefined;
  readonly keepAlive: boolean;
}

/** What the request says about its answer. */
export interface Asked {
  readonly method: string;
  readonly httpVersion: string;
}

/** Which fields the engine writes itself, by lower-case name. */
const OWNED = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'proxy-connection',
]);
/** Checked names and their lower-case form; bounded, as names may come from an application. */
const names = new Map<string, string>();
const frozen = new WeakMap<HeaderList, FieldBlock>();

/** Checks and serialises header fields; throws when a name or value could not be sent as it is. */
export function serializeFields(headers: HeaderList): FieldBlock {
  const known = frozen.get(headers);
  if (known !== undefined) return known;
  let text = '';
  let contentLength: number | undefined;
  let close = false;
  let hasDate = false;
  for (const [name, value] of headers) {
    const key = names.get(name) ?? checkName(name);
    if (NOT_A_VALUE.test(value)) throw new TypeError(`the value of ${key} holds a byte that cannot be sent`);
    if (key === 'date') hasDate = true;
    if (key === 'upgrade') text += 'Connection: upgrade\r\n';
    if (!OWNED.has(key)) text += `${name}: ${value}\r\n`;
    else if (key === 'connection') close ||= /(?:^|,)\s*close\s*(?:,|$)/i.test(value);
    else if (key === 'content-length') contentLength = readLength(value, contentLength);
  }
  const block: FieldBlock = { text, contentLength, close, hasDate, last: undefined };
  if (Object.isFrozen(headers)) frozen.set(headers, block);
  return block;
}

function checkName(name: string): string {
  if (!TOKEN.test(name)) throw new TypeError('the name of a header field is not a token');
  const key = name.toLowerCase();
  if (names.size < 1000) names.set(name, key);
  return key;
}

function readLength(value: string, before: number | undefined): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  if (length === undefined || (before !== undefined && before !== length)) {
    throw new TypeError('the Content-Length of the answer is malformed');
  }
  return length;
}

/** Decides how an answer is framed and writes its head; throws when the answer contradicts itself. */
export function planAnswer(asked: Asked, response: HttpResponse, mayStay: boolean, clock: Clock): AnswerPlan {
  const { status, body } = response;
  const fields = serializeFields(response.headers);
  const isUsual =
    mayStay && asked.httpVersion !== '1.0' && asked.method !== 'HEAD' && response.reason === undefined;
  if (!isUsual) return makePlan(asked, response, fields, mayStay, clock);
  const { last } = fields;
  if (last !== undefined && last.status === status && last.body === body && last.date === clock.date)
    return last.plan;
  const plan = makePlan(asked, response, fields, mayStay, clock);
  if (body === undefined || body instanceof Uint8Array)
    fields.last = { plan, status, body, date: clock.date };
  return plan;
}

function makePlan(
  asked: Asked,
  response: HttpResponse,
  fields: FieldBlock,
  mayStay: boolean,
  clock: Clock,
): AnswerPlan {
  const { status, body } = response;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`${status} is not a final status`);
  }
  const size = bodySize(body);
  const declared = fields.contentLength;
  if (declared !== undefined && size > 0 && declared !== size && asked.method !== 'HEAD' && status !== 304) {
    throw new RangeError(`the answer says ${declared} bytes and has ${size}`);
  }
  const length = size < 0 || (size === 0 && asked.method === 'HEAD') ? (declared ?? size) : size;
  let framing: Framing = 'length';
  let contentLength: number | undefined;
  let lines = '';
  if (status === 204 || status === 304) framing = 'none';
  else if (status === 205) contentLength = 0;
  // Nobody knows what GET would have brought: better no length than a wrong one.
  else if (asked.method === 'HEAD' && body === undefined && declared === undefined) framing = 'none';
  else if (length >= 0) contentLength = length;
  else if (asked.httpVersion === '1.0') framing = 'close';
  else {
    framing = 'chunked';
    lines = 'Transfer-Encoding: chunked\r\n';
  }
  if (contentLength !== undefined) lines = `Content-Length: ${contentLength}\r\n`;
  if (asked.method === 'HEAD' || status === 205) framing = 'none';
  const keepAlive = mayStay && !fields.close && framing !== 'close';
  if (!keepAlive) lines += 'Connection: close\r\n';
  else if (asked.httpVersion === '1.0') lines += 'Connection: keep-alive\r\n';
  return {
    head: `${startOf(response, fields, clock)}${fields.text}${lines}\r\n`,
    framing,
    length,
    contentLength,
    keepAlive,
  };
}

function startOf(response: HttpResponse, fields: FieldBlock, clock: Clock): string {
  if (response.reason === undefined && !fields.hasDate) return clock.head(response.status);
  if (response.reason !== undefined && NOT_A_VALUE.test(response.reason)) {
    throw new TypeError('the reason phrase holds a byte that cannot be sent');
  }
  const date = fields.hasDate ? '' : `Date: ${clock.date}\r\n`;
  return statusLine(response.status, response.reason) + date;
}

/** Bytes of a body; -1 when only reading it will tell. */
export function bodySize(body: Body | undefined): number {
  if (body === undefined) return 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.length;
  return isFileBody(body) ? body.length : -1;
}

/** Whether a body is a part of an open file. */
export function isFileBody(body: Body | undefined): body is FileBody {
  return typeof body === 'object' && 'fd' in body && !(body instanceof Readable);
}
