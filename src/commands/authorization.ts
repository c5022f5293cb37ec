import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { readInput, readSecret } from './secret-values.js';

/** How a request logs in. */
export interface Login {
  /** The Authorization field, unless it is Digest, which waits for a challenge. */
  readonly header?: string | undefined;
  readonly digest?: { readonly user: string; readonly password: string } | undefined;
  /** The environment variable a token came from. */
  readonly variable?: string | undefined;
}

/** The login that `--auth` and `--bearer` ask for. */
export async function readLogin(context: Context, flags: AllFlags): Promise<Login | undefined> {
  if (flags.bearer !== undefined) {
    const { value, variable } = await readSecret(context, flags.bearer);
    if (/[\0-\x1f\x7f\s]/.test(value))
      throw new NettoolError('USAGE', 'a bearer token has no blanks or controls');
    context.addSecret(value);
    return { header: `Bearer ${value}`, variable };
  }
  if (flags.auth === undefined) return undefined;
  const { user, password } = await readUser(context, flags.auth);
  context.addSecret(password);
  if (flags.authType === 'digest') return { digest: { user, password } };
  const { toBasicAuth } = await import('../core/http/basic-auth.js');
  return { header: toBasicAuth(user, password) };
}

/** `USER:PASS`, or `USER:env:NAME`, or `env:NAME` and `@file` holding both. */
async function readUser(context: Context, typed: string): Promise<{ user: string; password: string }> {
  const { value, isReference } = await readSecret(context, typed);
  const colon = value.indexOf(':');
  if (colon === -1)
    throw new NettoolError('USAGE', "--auth is 'USER:PASS' (the password may be env:NAME or @file)");
  const user = value.slice(0, colon);
  const rest = value.slice(colon + 1);
  if (/[\0-\x1f\x7f]/.test(value)) throw new NettoolError('USAGE', 'a login has no control characters');
  return { user, password: isReference ? rest : (await readSecret(context, rest)).value };
}

/** The login of a host in netrc, when the flags ask to look there. */
export async function readNetrc(context: Context, flags: AllFlags, host: string): Promise<Login | undefined> {
  if (flags.netrc !== true && flags.netrcFile === undefined) return undefined;
  const { env, cwd } = context.io;
  const usual = env.NETRC || join(env.HOME || homedir(), '.netrc');
  const path = flags.netrcFile === undefined ? usual : resolve(cwd, flags.netrcFile);
  const text = (await readInput(context, path)).toString();
  const { findNetrcLogin } = await import('../core/http/netrc.js');
  const found = findNetrcLogin(text, host);
  if (found === undefined) return undefined;
  context.addSecret(found.password);
  if (flags.authType === 'digest') return { digest: { user: found.login, password: found.password } };
  const { toBasicAuth } = await import('../core/http/basic-auth.js');
  return { header: toBasicAuth(found.login, found.password) };
}
