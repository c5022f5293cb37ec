import { NettoolError, toNettoolError } from '../errors.js';
import { hintOfHandshake } from '../net/tls-problem.js';
import { Refusal } from './server/status.js';

/** How far a transfer had come when it broke. */
export interface TransferState {
  /** The peer as messages call it: `example.org:80`. */
  readonly peer: string;
  readonly bytesRead: number;
  readonly headSeen: boolean;
  readonly bodyBytes: number;
  /** The body's length as announced. */
  readonly contentLength: number | undefined;
}

/** What broke a transfer; without an error of its own the connection has ended, and the state says what that means. */
export function toTransferError(error: Error | undefined, state: TransferState): NettoolError {
  const { peer } = state;
  if (error instanceof NettoolError) return error;
  if (error instanceof Refusal) {
    return new NettoolError('MALFORMED_REPLY', `${peer} did not answer in HTTP (${error.message})`, {
      cause: error,
    });
  }
  if (error !== undefined) return toBroken(error, peer);
  if (state.bytesRead === 0) return new NettoolError('EMPTY_REPLY', `${peer} closed without a reply`);
  if (!state.headSeen) {
    return new NettoolError('CONNECTION_BROKEN', `${peer} closed in the middle of the header fields`);
  }
  return new NettoolError('TRUNCATED', `the transfer was cut short (${describeProgress(state)})`);
}

/** With TLS 1.3 a server may refuse us when the handshake is through on our side. */
function toBroken(error: Error, peer: string): NettoolError {
  const failure = toNettoolError(error, `the connection to ${peer} broke`);
  const code = String((error as NodeJS.ErrnoException).code);
  const hint = code.endsWith('CERTIFICATE_REQUIRED') ? hintOfHandshake(code, {}) : undefined;
  return hint === undefined
    ? failure
    : new NettoolError(failure.code, failure.message, { hint, cause: error });
}

function describeProgress({ bodyBytes, contentLength }: TransferState): string {
  return contentLength === undefined
    ? `the end never came after ${bodyBytes} bytes`
    : `${bodyBytes} of ${contentLength} bytes arrived`;
}
