import { createHash, timingSafeEqual } from 'node:crypto';
import { NettoolError } from '../../errors.js';
import { errorResponse } from '../error-response.js';
import { getHeader } from '../headers.js';
import type { IncomingRequest } from '../messages.js';
import { guard, type Wrapper } from './wrap.js';

/** A user and what proves to be them. */
export interface User {
  readonly name: string;
  readonly algorithm: 'sha256' | 'sha512';
  /** The password's digest; plain passwords are digested at once, so that all are compared alike. */
  readonly digest: Buffer;
}

/** Who may come in. */
export interface AuthOptions {
  readonly users: readonly User[];
  /** Only requests this is true for need a user; all when left out. */
  readonly applies?: (request: IncomingRequest) => boolean;
}

const CHALLENGE = 'Basic realm="nettool", charset="UTF-8"';

/** `ann:secret`, `ann:sha256:HEX` or `ann:sha512:HEX` as a user; the name ends at the first colon (RFC 7617). */
export function parseUser(text: string): User {
  const colon = text.indexOf(':');
  if (colon < 1) throw new NettoolError('USAGE', 'a user is written as name:password');
  const name = text.slice(0, colon);
  const secret = text.slice(colon + 1);
  const hashed = /^(sha256|sha512):([0-9a-f]+)$/i.exec(secret);
  if (hashed === null) return { name, algorithm: 'sha256', digest: digestOf('sha256', secret) };
  const algorithm = hashed[1]?.toLowerCase() as User['algorithm'];
  const digest = Buffer.from(hashed[2] as string, 'hex');
  if (digest.length !== (algorithm === 'sha256' ? 32 : 64)) {
    throw new NettoolError('USAGE', `the ${algorithm} digest of user ${name} has the wrong length`);
  }
  return { name, algorithm, digest };
}

/** Lets in who proves to be one of the users (Basic authentication, RFC 7617); 401 for everybody else. */
export function requireUser({ users, applies }: AuthOptions): Wrapper {
  // Somebody to compare with when the name is unknown, so that the time tells nothing about names.
  const nobody = parseUser('-:-');
  return guard((request) => {
    if (applies?.(request) === false) return undefined;
    const given = readCredentials(getHeader(request.headers, 'authorization'));
    const named = users.filter(({ name }) => name === given?.name);
    const known = named.length > 0 ? named : [nobody];
    const fits = known.map((user) =>
      timingSafeEqual(digestOf(user.algorithm, given?.password ?? ''), user.digest),
    );
    if (given !== undefined && named.length > 0 && fits.includes(true)) return undefined;
    return errorResponse(401, request.headers, [['WWW-Authenticate', CHALLENGE]]);
  });
}

function readCredentials(header: string | undefined): { name: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function digestOf(algorithm: User['algorithm'], password: string): Buffer {
  return createHash(algorithm).update(password).digest();
}
