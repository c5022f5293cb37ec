import type { ErrorCode } from '../core/errors.js';

/** The one table from named failures to process exit codes; README prints it. */
const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  INTERNAL: 1,
  NOT_FOUND: 1,
  USAGE: 2,
  DNS_NOT_FOUND: 6,
  DNS_FAILED: 6,
  CONNECTION_REFUSED: 7,
  UNREACHABLE: 7,
  TRUNCATED: 18,
  EXPECTATION_FAILED: 20,
  OUTPUT_FAILED: 23,
  INPUT_FAILED: 26,
  TIMEOUT: 28,
  CHECKSUM: 32,
  TLS_HANDSHAKE: 35,
  ADDRESS_IN_USE: 45,
  ADDRESS_NOT_AVAILABLE: 45,
  TOO_MANY_REDIRECTS: 47,
  REDIRECT_REFUSED: 47,
  EMPTY_REPLY: 52,
  CONNECTION_BROKEN: 56,
  MALFORMED_REPLY: 56,
  TLS_CERTIFICATE: 60,
  BAD_ENCODING: 61,
  TOO_LARGE: 63,
  PERMISSION: 77,
  UNSUPPORTED: 78,
  INTERRUPTED: 130,
  TERMINATED: 143,
};

/** The exit code of a command that ended with this failure. */
export function exitCodeFor(code: ErrorCode): number {
  return EXIT_CODES[code];
}

/** The exit code of a final HTTP status: 0 below 300 and for 304, else its class (3, 4 or 5). */
export function exitCodeForStatus(status: number): number {
  if (status < 300 || status === 304) return 0;
  return Math.min(Math.trunc(status / 100), 5);
}
