import { NettoolError } from '../../errors.js';
import { errorResponse } from '../error-response.js';
import { getHeader } from '../headers.js';
import type { HttpResponse, IncomingRequest } from '../messages.js';
import { hashPassword, type PasswordHash, parsePasswordHash } from '../passwords/index.js';
import { guard, type Wrapper } from './wrap.js';

/** A user and what proves to be them. */
export interface User {
  readonly name: string;
  /** Plain passwords are hashed at once, so that all are compared alike. */
  readonly password: PasswordHash;
}

/** Who may come in. */
export interface AuthOptions {
  readonly users: () => readonly User[];
  /** Only requests this is true for need a user; all when left out. */
  readonly applies?: (request: IncomingRequest) => boolean;
}

const CHALLENGE = 'Basic realm="nettool", charset="UTF-8"';

/** `ann:secret` or `ann:HASH` as a user; the name ends at the first colon (RFC 7617). */
export function parseUser(text: string): User {
  const colon = text.indexOf(':');
  if (colon < 1) throw new NettoolError('USAGE', 'a user is written as name:password');
  const name = text.slice(0, colon);
  const secret = text.slice(colon + 1);
  const hashed = parsePasswordHash(secret);
  if (hashed === undefined && /^sha(?:256|512):[0-9a-f]+$/i.test(secret)) {
    throw new NettoolError('USAGE', `the digest of user ${name} has the wrong length`);
  }
  return { name, password: hashed ?? hashPassword(secret) };
}

/** Lets in who proves to be one of the users (Basic authentication, RFC 7617); 401 for everybody else. */
export function requireUser({ users, applies }: AuthOptions): Wrapper {
  return guard((request) => {
    if (applies?.(request) === false) return undefined;
    const refused = (): HttpResponse =>
      errorResponse(401, request.headers, [['WWW-Authenticate', CHALLENGE]]);
    const given = readCredentials(getHeader(request.headers, 'authorization'));
    if (given === undefined) return refused();
    const answer = (isUser: boolean): HttpResponse | undefined => {
      if (!isUser) return refused();
      request.note?.({ user: given.name });
      return undefined;
    };
    const isUser = knows(users(), given);
    return typeof isUser === 'boolean' ? answer(isUser) : isUser.then(answer);
  });
}

function knows(users: readonly User[], { name, password }: Credentials): boolean | Promise<boolean> {
  const named = users.filter((user) => user.name === name);
  // Somebody to compare with when the name is unknown, so that the time tells nothing about names.
  const stranger = users.find((user) => user.password.isSlow) ?? users[0];
  const known = named.length > 0 || stranger === undefined ? named : [stranger];
  const fits = known.map((user) => user.password.matches(password));
  const isKnown = (all: readonly boolean[]): boolean => named.length > 0 && all.includes(true);
  const isSettled = (all: typeof fits): all is boolean[] => all.every((fit) => typeof fit === 'boolean');
  return isSettled(fits) ? isKnown(fits) : Promise.all(fits).then(isKnown);
}

interface Credentials {
  readonly name: string;
  readonly password: string;
}

function readCredentials(header: string | undefined): Credentials | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
