import { resolve } from 'node:path';
import type { Handler } from '../core/http/handler.js';
import type { MetricsSnapshot } from '../core/http/metrics.js';
import type { ServerEvent } from '../core/http/server-types.js';
import type { SiteSnapshot } from '../core/http/site-metrics.js';
import type { Wrapper } from '../core/http/wrappers/wrap.js';
import type { Context } from './context.js';
import type { ServerFlags } from './serve-server-flags.js';

/** What {@link createOperation} goes by. */
export interface OperationOptions {
  readonly flags: ServerFlags;
  readonly isTrusted: (address: string) => boolean;
  readonly context: Context;
  /** How many connections are open. */
  readonly connections: () => number;
  /** The figures of all workers, in one of several. */
  readonly collect: (() => Promise<MetricsSnapshot | undefined>) | undefined;
  /** Figures of what is behind the server. */
  readonly site: () => SiteSnapshot;
}

/** What stands around a site: who may come in how often, what every answer says, what operators ask for. */
export interface Operation {
  wrap(handler: Handler): Handler;
  /** What operators get at a port of their own, with `--admin`. */
  readonly admin?: Handler;
  /** Counts, with `--metrics`. */
  readonly onEvent?: (event: ServerEvent) => void;
  readonly snapshot?: () => MetricsSnapshot;
}

const HSTS = ['Strict-Transport-Security', 'max-age=31536000'] as const;

/** Makes what the flags ask for around a site. */
export async function createOperation(options: OperationOptions): Promise<Operation> {
  const { context, flags, isTrusted } = options;
  const { wrap } = await import('../core/http/wrappers/wrap.js');
  const wrappers: Wrapper[] = [];
  const forOperators: Wrapper[] = [];
  if (flags.requestId === true) {
    const { nameRequests } = await import('../core/http/wrappers/request-id.js');
    wrappers.push(nameRequests(isTrusted));
  }
  if (flags.limitRate !== undefined) {
    const { throttleAnswers } = await import('../core/http/wrappers/throttle.js');
    wrappers.push(throttleAnswers(flags.limitRate));
  }
  wrappers.push(...(await fieldWrappers(flags)));
  if (flags.health !== undefined) {
    const { answerAt } = await import('../core/http/wrappers/answer-at.js');
    forOperators.push(answerAt(flags.health, 'text/plain; charset=utf-8', () => 'ok\n'));
  }
  const metrics = await createMetricsWrapper(options);
  if (metrics !== undefined) forOperators.push(metrics.wrapper);
  if (flags.admin === undefined) wrappers.push(...forOperators);
  if (flags.rateLimit !== undefined) {
    const { limitRequests } = await import('../core/http/wrappers/rate-limit.js');
    wrappers.push(limitRequests(flags.rateLimit));
  }
  const users = await userWrapper(flags, context);
  if (users !== undefined) wrappers.push(users);
  return {
    wrap: (handler) => wrap(handler, ...wrappers),
    ...(flags.admin !== undefined && { admin: wrap(await createNothing(), ...forOperators) }),
    ...(metrics !== undefined && { onEvent: metrics.onEvent, snapshot: metrics.snapshot }),
  };
}

async function createNothing(): Promise<Handler> {
  const { errorResponse } = await import('../core/http/error-response.js');
  return { handle: ({ headers }) => errorResponse(404, headers) };
}

async function createMetricsWrapper({ flags, connections, collect, site }: OperationOptions) {
  if (flags.metrics === undefined) return undefined;
  const { createMetrics, METRICS_TYPE, renderMetrics } = await import('../core/http/metrics.js');
  const { answerAt } = await import('../core/http/wrappers/answer-at.js');
  const { onEvent, snapshot } = createMetrics({ connections, site });
  const wrapper = answerAt(flags.metrics, METRICS_TYPE, async () =>
    renderMetrics((await collect?.()) ?? snapshot()),
  );
  return { onEvent, snapshot, wrapper };
}

async function fieldWrappers(flags: ServerFlags): Promise<readonly Wrapper[]> {
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
  { addSecret, io }: Context,
): Promise<Wrapper | undefined> {
  if (auth === undefined) return undefined;
  const named = auth.filter((user) => !user.startsWith('@'));
  for (const user of named) addSecret(user.slice(user.indexOf(':') + 1));
  const { parseUser, requireUser } = await import('../core/http/wrappers/auth.js');
  const { isWrite } = await import('../core/http/is-write.js');
  const { openUserFile } = await import('../core/http/wrappers/user-file.js');
  const onProblem = ({ message }: Error): void => void io.stderr.write(`${message}\n`);
  const files = auth
    .filter((user) => user.startsWith('@'))
    .map((file) => openUserFile(resolve(io.cwd, file.slice(1)), onProblem));
  const users = named.map(parseUser);
  return requireUser({
    users: () => (files.length === 0 ? users : [users, ...files.map((read) => read())].flat()),
    ...(authWrites === true && { applies: isWrite }),
  });
}
