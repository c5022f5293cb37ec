import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { CookieStore } from '../core/http/cookies.js';
import type { HeaderPair } from '../core/http/messages.js';
import type { HostMemory, Session } from '../core/http/session.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import type { AddressedPlan } from './request-plan.js';

/** The session of a run. */
export interface OpenSession {
  readonly cookies: CookieStore;
  /** The plan with what the session remembers of its host, where the command line does not say otherwise. */
  apply(plan: AddressedPlan): AddressedPlan;
  /** Adds what the run has brought. */
  save(plans: readonly AddressedPlan[]): Promise<void>;
}

/** Fields that speak of one request and not of whoever sends it. */
const NOT_KEPT = /^(content-|if-|range$|cookie$|authorization$|host$|idempotency-key$)/i;

/** Opens the session of `--session`; `undefined` without the flag. */
export async function openSession(context: Context, flags: AllFlags): Promise<OpenSession | undefined> {
  if (flags.session === undefined) return undefined;
  const path = toPath(context, flags.session);
  const { readSession, updateSession } = await import('../core/http/session.js');
  const { createCookieStore } = await import('../core/http/cookies.js');
  const session = await readSession(path);
  const cookies = createCookieStore(session.cookies);
  for (const cookie of session.cookies?.cookies ?? []) context.addSecret(String(cookie.value ?? ''));
  return {
    cookies,
    apply: (plan) => remember(context, session, plan),
    async save(plans) {
      const [first] = plans;
      if (first === undefined) return;
      for (const plan of plans) {
        // The cookies are the run's, and saved once.
        const changes = plan === first ? cookies.changes : [];
        await updateSession(path, { host: plan.url.host, memory: toMemory(plan), changes });
      }
    },
  };
}

/** A name stands for a file among the user's settings, a path for itself. */
function toPath(context: Context, typed: string): string {
  const { env, cwd } = context.io;
  if (/[\0-\x1f\x7f]/.test(typed) || typed === '') throw new NettoolError('USAGE', 'bad name of a session');
  if (/[/\\]/.test(typed) || typed.endsWith('.json')) return resolve(cwd, typed);
  if (/^\.+$/.test(typed)) throw new NettoolError('USAGE', `'${typed}' is not the name of a session`);
  const home = env.HOME || homedir();
  return join(env.XDG_CONFIG_HOME || join(home, '.config'), 'nettool', 'sessions', `${typed}.json`);
}

function remember(context: Context, session: Session, plan: AddressedPlan): AddressedPlan {
  const memory = session.hosts[plan.url.host];
  if (memory === undefined) return plan;
  const given = new Set(plan.givenHeaders.map(([name]) => name.toLowerCase()));
  const kept = memory.headers.filter(([name]) => !given.has(name.toLowerCase()));
  const known = new Set(kept.map(([name]) => name.toLowerCase()));
  const headers: HeaderPair[] = [...plan.headers.filter(([name]) => !known.has(name.toLowerCase())), ...kept];
  for (const [, value] of kept) context.addSecret(value);
  const hasLogin =
    plan.digest !== undefined || headers.some(([name]) => name.toLowerCase() === 'authorization');
  const { auth } = memory;
  if (auth === undefined || hasLogin) return { ...plan, headers };
  context.addSecret(auth.value);
  if (auth.type === 'header') return { ...plan, headers: [...headers, ['Authorization', auth.value]] };
  const colon = auth.value.indexOf(':');
  context.addSecret(auth.value.slice(colon + 1));
  return {
    ...plan,
    headers,
    digest: { user: auth.value.slice(0, colon), password: auth.value.slice(colon + 1) },
  };
}

function toMemory({ givenHeaders, headers, digest }: AddressedPlan): HostMemory {
  const kept = givenHeaders.filter(([name]) => !NOT_KEPT.test(name));
  const header = headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  if (digest !== undefined)
    return { headers: kept, auth: { type: 'digest', value: `${digest.user}:${digest.password}` } };
  return header === undefined
    ? { headers: kept }
    : { headers: kept, auth: { type: 'header', value: header } };
}
