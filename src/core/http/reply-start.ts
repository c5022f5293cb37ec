import type { Socket } from 'node:net';

/** The longest interim answer that is waited for, in bytes. */
const MAX_INTERIM = 16_384;

/** What was seen of a reply before its head was parsed. */
export interface ReplyStart {
  /** When the first byte arrived (`performance.now()`); `undefined` until then. */
  readonly firstByteAt: number | undefined;
  readonly httpVersion: '1.0' | '1.1';
  /** Bytes read from the socket since the watch began. */
  readonly bytesRead: number;
}

/**
 * Looks at the first bytes of a reply and puts them back, for what the parser does not tell: when they came, and
 * the HTTP version. A `100 Continue` nobody asked for is taken out, which RFC 9110 (15.2) wants clients to cope
 * with and undici takes for an attack.
 *
 * Has to be called before the parser listens to the socket.
 */
export function watchReplyStart(socket: Socket): ReplyStart {
  const before = socket.bytesRead;
  let held = Buffer.alloc(0);
  const seen = {
    firstByteAt: undefined as number | undefined,
    httpVersion: '1.1' as '1.0' | '1.1',
    get bytesRead() {
      return seen.firstByteAt === undefined ? 0 : Math.max(socket.bytesRead - before, 1);
    },
  };
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen.firstByteAt ??= performance.now();
    held = withoutContinue(Buffer.concat([held, chunk]));
    if (isUndecided(held)) return;
    socket.off('readable', onReadable);
    if (held.subarray(0, 8).toString('latin1') === 'HTTP/1.0') seen.httpVersion = '1.0';
    socket.unshift(held);
  };
  socket.on('readable', onReadable);
  return seen;
}

/** Whether more bytes are needed to know what the reply starts with. */
function isUndecided(head: Buffer): boolean {
  const start = head.subarray(0, 12).toString('latin1');
  if (start.length < 12) return 'HTTP/1.'.startsWith(start.slice(0, 7));
  return isContinue(head) && head.length < MAX_INTERIM;
}

function isContinue(head: Buffer): boolean {
  return /^HTTP\/1\.\d 100/.test(head.subarray(0, 12).toString('latin1'));
}

function withoutContinue(head: Buffer): Buffer<ArrayBuffer> {
  let rest = Buffer.from(head);
  while (isContinue(rest)) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) break;
    rest = rest.subarray(end + 4);
  }
  return rest;
}
