/**
 * The closed list of failures nettool can name. A public contract: a code never changes its meaning,
 * and `commands/exit-codes.ts` gives each its number.
 */
export type ErrorCode =
  | 'INTERNAL'
  | 'NOT_FOUND'
  | 'USAGE'
  | 'DNS_NOT_FOUND'
  | 'DNS_FAILED'
  | 'CONNECTION_REFUSED'
  | 'UNREACHABLE'
  | 'TRUNCATED'
  | 'EXPECTATION_FAILED'
  | 'OUTPUT_FAILED'
  | 'INPUT_FAILED'
  | 'TIMEOUT'
  | 'CHECKSUM'
  | 'TLS_HANDSHAKE'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_NOT_AVAILABLE'
  | 'TOO_MANY_REDIRECTS'
  | 'REDIRECT_REFUSED'
  | 'EMPTY_REPLY'
  | 'CONNECTION_BROKEN'
  | 'MALFORMED_REPLY'
  | 'TLS_CERTIFICATE'
  | 'BAD_ENCODING'
  | 'TOO_LARGE'
  | 'PERMISSION'
  | 'UNSUPPORTED'
  | 'INTERRUPTED'
  | 'TERMINATED';

/** Where in something the user wrote the fault is. */
export interface Place {
  readonly text: string;
  readonly position: number;
}

/** What `new NettoolError` takes beside the code and the sentence. */
export interface ErrorDetails {
  /** One sentence that says what to do about it. */
  hint?: string | undefined;
  place?: Place | undefined;
  cause?: unknown;
}

/** The one error class: a code scripts can rely on, a sentence for people, and what lies behind it. */
export class NettoolError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly place: Place | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'NettoolError';
    this.code = code;
    this.hint = details.hint;
    this.place = details.place;
  }
}

type Reason = readonly [code: ErrorCode, words: string];

/** Node's, libuv's and undici's own codes, and what each means here. */
const FOREIGN: Readonly<Record<string, Reason>> = {
  ENOTFOUND: ['DNS_NOT_FOUND', 'no such host'],
  ENODATA: ['DNS_NOT_FOUND', 'the name has no address'],
  EAI_AGAIN: ['DNS_FAILED', 'the name server did not answer'],
  EAI_FAIL: ['DNS_FAILED', 'the name server failed'],
  ECONNREFUSED: ['CONNECTION_REFUSED', 'connection refused'],
  EHOSTUNREACH: ['UNREACHABLE', 'no route to host'],
  ENETUNREACH: ['UNREACHABLE', 'network is unreachable'],
  EHOSTDOWN: ['UNREACHABLE', 'host is down'],
  ENETDOWN: ['UNREACHABLE', 'network is down'],
  ETIMEDOUT: ['TIMEOUT', 'timed out'],
  ECONNRESET: ['CONNECTION_BROKEN', 'connection reset by peer'],
  ECONNABORTED: ['CONNECTION_BROKEN', 'connection aborted'],
  EPIPE: ['CONNECTION_BROKEN', 'the peer closed the connection'],
  EADDRINUSE: ['ADDRESS_IN_USE', 'address already in use'],
  EADDRNOTAVAIL: ['ADDRESS_NOT_AVAILABLE', 'this machine has no such address'],
  EAFNOSUPPORT: ['UNSUPPORTED', 'address family not supported'],
  EACCES: ['PERMISSION', 'permission denied'],
  EPERM: ['PERMISSION', 'operation not permitted'],
  ENOENT: ['INPUT_FAILED', 'no such file or directory'],
  ENOTDIR: ['INPUT_FAILED', 'not a directory'],
  EISDIR: ['INPUT_FAILED', 'is a directory'],
  ELOOP: ['INPUT_FAILED', 'too many symbolic links'],
  ENAMETOOLONG: ['INPUT_FAILED', 'name too long'],
  ENOSPC: ['OUTPUT_FAILED', 'no space left on device'],
  EDQUOT: ['OUTPUT_FAILED', 'disk quota exceeded'],
  EROFS: ['OUTPUT_FAILED', 'read-only file system'],
  EFBIG: ['OUTPUT_FAILED', 'file too large'],
  EIO: ['OUTPUT_FAILED', 'input/output error'],
  EMFILE: ['INTERNAL', 'too many open files'],
  ENFILE: ['INTERNAL', 'too many open files in the system'],
  EPROTO: ['TLS_HANDSHAKE', 'the peer does not speak TLS as asked'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['TLS_CERTIFICATE', 'the certificate is for another name'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['TLS_CERTIFICATE', 'self-signed certificate'],
  SELF_SIGNED_CERT_IN_CHAIN: ['TLS_CERTIFICATE', 'self-signed certificate in the chain'],
  UNABLE_TO_GET_ISSUER_CERT: ['TLS_CERTIFICATE', 'unknown issuer'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['TLS_CERTIFICATE', 'unknown issuer'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['TLS_CERTIFICATE', 'unknown issuer'],
  CERT_HAS_EXPIRED: ['TLS_CERTIFICATE', 'the certificate has expired'],
  CERT_NOT_YET_VALID: ['TLS_CERTIFICATE', 'the certificate is not valid yet'],
  CERT_UNTRUSTED: ['TLS_CERTIFICATE', 'the certificate is not trusted'],
  CERT_REJECTED: ['TLS_CERTIFICATE', 'the certificate was rejected'],
  CERT_REVOKED: ['TLS_CERTIFICATE', 'the certificate was revoked'],
  HOSTNAME_MISMATCH: ['TLS_CERTIFICATE', 'the certificate is for another name'],
  UND_ERR_CONNECT_TIMEOUT: ['TIMEOUT', 'timed out while connecting'],
  UND_ERR_HEADERS_TIMEOUT: ['TIMEOUT', 'timed out waiting for the answer'],
  UND_ERR_BODY_TIMEOUT: ['TIMEOUT', 'the transfer stood still'],
  UND_ERR_SOCKET: ['CONNECTION_BROKEN', 'the peer closed the connection'],
  UND_ERR_HEADERS_OVERFLOW: ['MALFORMED_REPLY', 'the header fields are too large'],
  UND_ERR_INVALID_ARG: ['USAGE', 'not a valid request'],
};

/** Codes that mean something else when the file system, not the network, said them. */
const FILE_CALLS = new Set([
  'open',
  'stat',
  'lstat',
  'fstat',
  'read',
  'scandir',
  'opendir',
  'realpath',
  'access',
]);

function reasonFor(code: string, error: NodeJS.ErrnoException): Reason | undefined {
  if (code.startsWith('HPE_')) return ['MALFORMED_REPLY', 'the reply is not HTTP'];
  if (code.startsWith('ERR_SSL_')) return ['TLS_HANDSHAKE', tlsWords(code)];
  const { syscall } = error;
  if (
    syscall !== undefined &&
    FILE_CALLS.has(syscall) &&
    (code === 'EACCES' || code === 'EPERM' || code === 'EIO')
  ) {
    return ['INPUT_FAILED', FOREIGN[code]?.[1] ?? code];
  }
  if (syscall === 'connect') {
    // A Unix socket that is not there, and an address family this host has no address of.
    if (code === 'ENOENT') return ['CONNECTION_REFUSED', 'no such socket'];
    if (code === 'EADDRNOTAVAIL') return ['UNREACHABLE', 'cannot assign the requested address'];
  }
  return FOREIGN[code];
}

/** `ERR_SSL_WRONG_VERSION_NUMBER` → `wrong version number`. */
function tlsWords(code: string): string {
  return code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ');
}

/** Every error behind an error, itself first: `cause` chains and the members of an `AggregateError`. */
export function flattenCauses(error: unknown): Error[] {
  const found: Error[] = [];
  const visit = (value: unknown): void => {
    if (!(value instanceof Error) || found.includes(value) || found.length >= 32) return;
    found.push(value);
    if (value instanceof AggregateError) value.errors.forEach(visit);
    visit(value.cause);
  };
  visit(error);
  return found;
}

/** The address a socket error speaks of, as `host:port`. */
function addressOf(error: Error & { address?: unknown; port?: unknown }): string | undefined {
  if (typeof error.address !== 'string') return undefined;
  if (typeof error.port !== 'number') return error.address;
  return error.address.includes(':') ? `[${error.address}]:${error.port}` : `${error.address}:${error.port}`;
}

/**
 * Turns whatever was thrown into a {@link NettoolError}: what was being done, why it failed, and, when several
 * addresses were tried, each of them. Foreign errors are known by their `code`, never by their text.
 *
 * @param doing what failed, as the start of a sentence: `cannot connect to example.org:80`
 */
export function toNettoolError(error: unknown, doing?: string): NettoolError {
  const causes = flattenCauses(error);
  const known = causes.find((cause) => cause instanceof NettoolError);
  if (known !== undefined) return known;
  const start = doing === undefined ? '' : `${doing} `;
  const named = causes.flatMap((cause) => {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason = typeof code === 'string' ? reasonFor(code, cause) : undefined;
    return reason === undefined ? [] : [{ cause, reason }];
  });
  const first = named[0];
  if (first !== undefined) {
    const [code, words] = first.reason;
    const tried = [...new Set(named.flatMap(({ cause }) => addressOf(cause) ?? []))];
    const where = tried.length > 1 ? `: ${tried.join(', ')}` : '';
    return new NettoolError(code, `${start}(${words}${where})`.replace(/^\((.*)\)$/, '$1'), { cause: error });
  }
  if (causes[0]?.name === 'TimeoutError') {
    return new NettoolError('TIMEOUT', `${start}(timed out)`.replace(/^\((.*)\)$/, '$1'), { cause: error });
  }
  const text = causes[0]?.message ?? String(error);
  return new NettoolError('INTERNAL', doing === undefined ? text : `${doing}: ${text}`, { cause: error });
}
