import { rememberHeads } from '../../http/known-heads.js';
import type { HeaderPair, HttpResponse } from '../../http/messages.js';

/** The head of an answer: status, reason, header fields. */
export type AnswerHead = Pick<HttpResponse, 'status' | 'reason' | 'headers'>;

/** `200 OK NUL name NUL value…` as the head of an answer. */
export const parseHead = rememberHeads(parse, /\0set-cookie\0/i);

function parse(head: string): AnswerHead {
  const fields = head.split('\0');
  const line = fields[0] ?? '';
  const headers: HeaderPair[] = [];
  for (let index = 1; index + 1 < fields.length; index += 2) {
    headers.push([fields[index] as string, fields[index + 1] as string]);
  }
  const status = Number(line.slice(0, 3));
  const reason = line.slice(4);
  return reason === '' ? { status, headers } : { status, reason, headers };
}

/** Head parts travel as Latin-1; text in them is UTF-8. */
export function toText(head: string): string {
  return Buffer.from(head, 'latin1').toString('utf8');
}
