import { NettoolError, toNettoolError } from '../errors.js';

/** How far a transfer had come when it broke. */
export interface TransferState {
  /** The peer as messages call it: `example.org:80`. */
  readonly peer: string;
  /** The peer has sent its end (FIN). */
  readonly ended: boolean;
  readonly bytesRead: number;
  readonly headSeen: boolean;
  readonly bodyBytes: number;
  /** The body's length as announced. */
  readonly contentLength: number | undefined;
}

/** Whether an error came from the socket itself, rather than from who uses it. */
export function isSystemError(error: NodeJS.ErrnoException): boolean {
  return error.syscall !== undefined || error.code?.startsWith('ERR_SSL_') === true;
}

/** undici's codes for a request it does not want to send. */
const UNSENDABLE = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED']);

/**
 * What an error of undici's client means. It says "other side closed" of an empty reply, of half a head and of
 * half a body alike, so the state of the transfer decides.
 */
export function toTransferError(error: Error, state: TransferState): NettoolError {
  const { peer } = state;
  const code = String((error as NodeJS.ErrnoException).code);
  if (error instanceof NettoolError) return error;
  if (UNSENDABLE.has(code)) return new NettoolError('USAGE', `cannot send this request (${error.message})`);
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    return new NettoolError('USAGE', 'the body is not as long as its Content-Length says', { cause: error });
  }
  if (isSystemError(error)) return toNettoolError(error, `the connection to ${peer} broke`);
  if (isMalformed(code, error, state)) {
    return new NettoolError('MALFORMED_REPLY', `${peer} did not answer in HTTP (${describeFault(error)})`, {
      cause: error,
    });
  }
  if (state.bytesRead === 0) return new NettoolError('EMPTY_REPLY', `${peer} closed without a reply`);
  if (!state.headSeen) {
    return new NettoolError('CONNECTION_BROKEN', `${peer} closed in the middle of the header fields`);
  }
  return new NettoolError('TRUNCATED', `the transfer was cut short (${describeProgress(state)})`, {
    cause: error,
  });
}

function isMalformed(code: string, error: Error, state: TransferState): boolean {
  // What the end of the stream makes of an unfinished message is not a fault of form.
  if (error.name === 'HTTPParserError') return !error.message.includes('EOF');
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return true;
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return !state.headSeen || !state.ended;
  // An interim answer or a switch of protocols that nobody asked for.
  return code === 'UND_ERR_SOCKET' && error.message.startsWith('bad ');
}

/** The parser's reason, which stands in brackets, and never the bytes it stumbled over. */
function describeFault(error: Error): string {
  if ((error as NodeJS.ErrnoException).code === 'UND_ERR_HEADERS_OVERFLOW') return 'too many header fields';
  if (error.message.includes('content-length')) return 'its Content-Length fields do not agree';
  return (/\((.*)\)$/.exec(error.message)?.[1] ?? error.message).toLowerCase();
}

function describeProgress({ bodyBytes, contentLength }: TransferState): string {
  return contentLength === undefined
    ? `the end never came after ${bodyBytes} bytes`
    : `${bodyBytes} of ${contentLength} bytes arrived`;
}
