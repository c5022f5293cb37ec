import type { HeaderPair, HttpResponse } from '../../http/messages.js';

/** The head of an answer: status, reason, header fields. */
export type AnswerHead = Pick<HttpResponse, 'status' | 'reason' | 'headers'>;

const MAX_KNOWN = 500;
const MAX_LENGTH = 300;

/** Heads an application has sent before: most send few different ones, and a frozen one is serialised once. */
let known = new Map<string, AnswerHead>();

/** `200 OK NUL name NUL value…` as the head of an answer. */
export function parseHead(head: string): AnswerHead {
  const found = known.get(head);
  if (found !== undefined) return found;
  const parsed = parse(head);
  // What is meant for one client is not kept.
  if (head.length > MAX_LENGTH || /\0set-cookie\0/i.test(head)) return parsed;
  Object.freeze(parsed.headers);
  if (known.size >= MAX_KNOWN) known = new Map();
  known.set(head, parsed);
  return parsed;
}

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
