import { STATUS_CODES } from 'node:http';
import { chooseType } from '../../http/accept.js';
import { getHeader } from '../../http/headers.js';
import { escapeHtml, htmlPage, PAGE_POLICY } from '../../http/html.js';
import type { HeaderList, HttpResponse } from '../../http/messages.js';

/** Why something is not written: a status, and a sentence for whoever sent it that says nothing of the disk. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: HeaderList;

  constructor(status: number, reason: string, headers: HeaderList = []) {
    super(reason);
    this.name = 'Refusal';
    this.status = status;
    this.headers = headers;
  }
}

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT']);
const NOT_ALLOWED = new Set(['EACCES', 'EPERM', 'EROFS']);
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ESTALE', 'ELOOP']);
const IN_THE_WAY = new Set(['EEXIST', 'EISDIR', 'ENOTEMPTY']);

/** What the file system said as a {@link Refusal}; anything unknown is thrown on and becomes a 500. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (NO_SPACE.has(code)) return new Refusal(507, 'there is no space left');
  if (NOT_ALLOWED.has(code)) return new Refusal(403, 'writing is not permitted there');
  if (GONE.has(code)) return new Refusal(404, 'there is no such folder or file');
  if (IN_THE_WAY.has(code)) return new Refusal(409, 'the name is taken');
  if (code === 'ENAMETOOLONG') return new Refusal(400, 'the name is too long');
  if (code === 'EFBIG') return new Refusal(413, 'the file is too large');
  throw error;
}

/** A refusal as a page, JSON or text, as the client prefers. */
export function refuse(refusal: Refusal, requestHeaders: HeaderList): HttpResponse {
  const { status, message: reason, headers } = refusal;
  const phrase = STATUS_CODES[status] ?? 'Error';
  const type = chooseType(getHeader(requestHeaders, 'accept'), [
    'text/plain',
    'text/html',
    'application/json',
  ]);
  const title = `${status} ${phrase}`;
  const bodies = {
    'text/plain': () => `${title}: ${reason}\n`,
    'text/html': () =>
      htmlPage(title, `<h1>${title}</h1><p>${escapeHtml(reason)}</p><p><a href="./">Back</a></p>`),
    'application/json': () => `${JSON.stringify({ status, error: phrase, reason })}\n`,
  };
  return {
    status,
    headers: [...answerHeaders(type), ...headers],
    body: bodies[type](),
  };
}

/** The fields of every answer of this folder that has content. */
export function answerHeaders(type: string): HeaderList {
  return [
    ['Content-Type', `${type}; charset=utf-8`],
    ['Cache-Control', 'no-store'],
    ['Vary', 'Accept'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Content-Security-Policy', PAGE_POLICY],
  ];
}
