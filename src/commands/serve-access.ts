import { NettoolError } from '../core/errors.js';
import type { Handler } from '../core/http/handler.js';
import type { Wrapper } from '../core/http/wrappers/wrap.js';
import type { ServerFlags } from './serve-server-flags.js';

/** What {@link wrapSite} goes by. */
export interface AccessOptions {
  readonly flags: ServerFlags;
  readonly isTrusted: (address: string) => boolean;
  readonly isTls: boolean;
  readonly addSecret: (secret: string) => void;
}

const HSTS = ['Strict-Transport-Security', 'max-age=31536000'] as const;

/** Puts what the flags ask for around a site: fields, rates, users, the health page. */
export async function wrapSite(
  handler: Handler,
  { flags, isTrusted, isTls, addSecret }: AccessOptions,
): Promise<Handler> {
  const { wrap } = await import('../core/http/wrappers/wrap.js');
  const wrappers: Wrapper[] = [];
  if (flags.limitRate !== undefined) {
    const { throttleAnswers } = await import('../core/http/wrappers/throttle.js');
    wrappers.push(throttleAnswers(flags.limitRate));
  }
  wrappers.push(...(await fieldWrappers(flags, isTls)));
  if (flags.health !== undefined) {
    const { answerHealth } = await import('../core/http/wrappers/health.js');
    wrappers.push(answerHealth(flags.health));
  }
  if (flags.rateLimit !== undefined) {
    const { limitRequests } = await import('../core/http/wrappers/rate-limit.js');
    const { clientAddress } = await import('../core/http/forwarded-client.js');
    wrappers.push(
      limitRequests({ ...flags.rateLimit, addressOf: (request) => clientAddress(request, isTrusted) }),
    );
  }
  const users = await userWrapper(flags, addSecret);
  if (users !== undefined) wrappers.push(users);
  return wrap(handler, ...wrappers);
}

async function fieldWrappers(flags: ServerFlags, isTls: boolean): Promise<readonly Wrapper[]> {
  if (flags.hsts === true && !isTls) {
    throw new NettoolError('USAGE', '--hsts is for HTTPS', { hint: 'add --tls, or --cert FILE' });
  }
  const fields = [...(flags.hsts === true ? [HSTS] : []), ...(flags.header ?? [])];
  if (fields.length === 0 && flags.cors === undefined) return [];
  const { allowOrigins, setFields } = await import('../core/http/wrappers/fields.js');
  const origins = typeof flags.cors === 'string' ? flags.cors.split(',').map((origin) => origin.trim()) : [];
  return [
    ...(fields.length > 0 ? [setFields(fields)] : []),
    ...(flags.cors === undefined ? [] : allowOrigins(origins)),
  ];
}

async function userWrapper(
  { auth, authWrites }: ServerFlags,
  addSecret: (secret: string) => void,
): Promise<Wrapper | undefined> {
  if (auth === undefined) {
    if (authWrites === true)
      throw new NettoolError('USAGE', '--auth-writes needs a user', { hint: 'add --auth name:password' });
    return undefined;
  }
  for (const user of auth) addSecret(user.slice(user.indexOf(':') + 1));
  const { parseUser, requireUser } = await import('../core/http/wrappers/auth.js');
  const { isWrite } = await import('../core/handlers/uploads/is-write.js');
  return requireUser({ users: auth.map(parseUser), ...(authWrites === true && { applies: isWrite }) });
}
