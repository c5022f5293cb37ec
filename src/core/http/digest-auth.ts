import { createHash, randomBytes } from 'node:crypto';
import type { ClientResponse } from './client.js';
import { getAllHeaders, hasHeader, withHeader } from './headers.js';
import type { OutgoingRequest } from './messages.js';

/** Who we are to one origin. */
export interface DigestCredentials {
  readonly user: string;
  readonly password: string;
  /** Only servers of this origin are answered. */
  readonly origin: string;
}

type Send = (request: OutgoingRequest) => Promise<ClientResponse>;
type Challenge = Readonly<Record<string, string>>;

const HASHES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

/** The strongest a server offers is taken (RFC 7616, section 3.7). */
const PREFERENCE = ['SHA-512-256', 'SHA-256', 'MD5'];

/**
 * A `send` that answers Digest challenges (RFC 7616: MD5, SHA-256, SHA-512-256, their `-sess` forms, qop `auth`).
 * A nonce that has gone stale is replaced once; a second refusal is the answer.
 */
export function withDigest(send: Send, credentials: DigestCredentials): Send {
  let challenge: Challenge | undefined;
  let count = 0;
  const sign = (request: OutgoingRequest): OutgoingRequest => {
    if (challenge === undefined) return request;
    count += 1;
    const value = answerChallenge(challenge, credentials, request, count);
    return { ...request, headers: withHeader(request.headers, 'Authorization', value) };
  };
  return async (request) => {
    if (request.url.origin !== credentials.origin || hasHeader(request.headers, 'authorization')) {
      return send(request);
    }
    const first = await send(sign(request));
    const offered =
      first.status === 401 ? findChallenge(getAllHeaders(first.headers, 'www-authenticate')) : undefined;
    const isRefusal = challenge !== undefined && offered?.stale?.toLowerCase() !== 'true';
    if (offered === undefined || isRefusal || !canReplay(request)) return first;
    first.body.destroy();
    challenge = offered;
    count = 0;
    return send(sign(request));
  };
}

function canReplay({ body }: OutgoingRequest): boolean {
  return (
    body === undefined ||
    typeof body === 'string' ||
    body instanceof Uint8Array ||
    ('open' in body && body.isReplayable)
  );
}

/** The best Digest challenge among what a server offers, in one field or several. */
function findChallenge(fields: readonly string[]): Challenge | undefined {
  const challenges = fields.flatMap(readDigestChallenges);
  const usable = challenges.filter(({ algorithm = 'MD5', qop }) => {
    const known = PREFERENCE.includes(algorithm.toUpperCase().replace(/-SESS$/, ''));
    return known && (qop === undefined || qop.split(/\s*,\s*/).includes('auth'));
  });
  const rank = ({ algorithm = 'MD5' }: Challenge): number =>
    PREFERENCE.indexOf(algorithm.toUpperCase().replace(/-SESS$/, ''));
  return usable.sort((a, b) => rank(a) - rank(b))[0];
}

/** `name=value` and `name="value"`, or a word alone, which begins a challenge (RFC 9110, section 11.6.1). */
const PARAMETER_OR_SCHEME = /([^\s,="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([^\s,="]+)/g;

/** The challenges of one field that are for Digest; words in quotes, `domain="/digest"`, begin none. */
function readDigestChallenges(field: string): Challenge[] {
  const found: Record<string, string>[] = [];
  let current: Record<string, string> | undefined;
  for (const [, name, quoted, plain, scheme] of field.matchAll(PARAMETER_OR_SCHEME)) {
    if (scheme !== undefined) {
      current = scheme.toLowerCase() === 'digest' ? Object.create(null) : undefined;
      if (current !== undefined) found.push(current);
    } else if (current !== undefined && name !== undefined) {
      current[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
    }
  }
  return found;
}

function answerChallenge(
  challenge: Challenge,
  { user, password }: DigestCredentials,
  { method, url }: OutgoingRequest,
  count: number,
): string {
  const { realm = '', nonce = '', opaque, qop } = challenge;
  const algorithm = challenge.algorithm ?? 'MD5';
  const name = HASHES[algorithm.toUpperCase().replace(/-SESS$/, '')] as string;
  const hash = (text: string): string => createHash(name).update(text).digest('hex');
  const cnonce = randomBytes(16).toString('hex');
  const nc = count.toString(16).padStart(8, '0');
  const uri = `${url.pathname}${url.search}`;
  const secret = hash(`${user}:${realm}:${password}`);
  const isSession = /-sess$/i.test(algorithm);
  const a1 = isSession ? hash(`${secret}:${nonce}:${cnonce}`) : secret;
  const a2 = hash(`${method}:${uri}`);
  const response =
    qop === undefined ? hash(`${a1}:${nonce}:${a2}`) : hash(`${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}`);
  const userhash = challenge.userhash?.toLowerCase() === 'true';
  const fields = [
    `username=${quote(userhash ? hash(`${user}:${realm}`) : user)}`,
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(uri)}`,
    ...(challenge.algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
    ...(qop === undefined ? [] : ['qop=auth', `nc=${nc}`]),
    // Its hash holds it in any case.
    ...(qop === undefined && !isSession ? [] : [`cnonce=${quote(cnonce)}`]),
    `response=${quote(response)}`,
    ...(opaque === undefined ? [] : [`opaque=${quote(opaque)}`]),
    ...(userhash ? ['userhash=true'] : []),
  ];
  return `Digest ${fields.join(', ')}`;
}

function quote(text: string): string {
  return `"${text.replace(/(["\\])/g, '\\$1')}"`;
}
