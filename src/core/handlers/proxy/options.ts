import { NettoolError } from '../../errors.js';
import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import type { OnHandlerEvent } from '../handler-events.js';
import { normalizePrefix } from '../mounts.js';
import type { Balance, HashKey } from './balance.js';
import type { RewriteRule } from './target.js';
import { parseUpstreamUrl, type UpstreamUrl } from './upstream-url.js';

/** How a reverse proxy works. */
export interface ProxyOptions {
  /** `http://host:port`, `https://host`, `unix:/path`; a path in it replaces the prefix. */
  readonly upstreams: readonly string[];
  readonly prefix?: string;
  readonly balance?: Balance;
  readonly hashKey?: HashKey;
  /** `Host` for the upstream: a name, or `true` for the upstream's own; the client's unless given. */
  readonly upstreamHost?: string | true;
  readonly rewrite?: readonly RewriteRule[];
  /** Whose `X-Forwarded-*` are believed and appended to. Nobody's unless given. */
  readonly isTrusted?: IsTrusted;
  readonly connectTimeoutMs?: number;
  /** Until the head of an answer. */
  readonly responseTimeoutMs?: number;
  /** Without a byte, once an answer has begun. */
  readonly stallTimeoutMs?: number;
  /** How many other upstreams a request may be tried at. */
  readonly retries?: number;
  /** After so many failures in a row an upstream rests for `failTimeoutMs`, as long as there are others. */
  readonly maxFails?: number;
  readonly failTimeoutMs?: number;
  readonly healthCheck?: HealthCheckOptions | undefined;
  /** Connections kept for later, per upstream, and for how long. */
  readonly maxIdle?: number;
  readonly idleMs?: number;
  /** Certificates to trust instead of the system's, PEM; and whether to check at all. */
  readonly ca?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly onEvent?: OnHandlerEvent;
}

/** How upstreams are asked whether they are well. */
export interface HealthCheckOptions {
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How many checks in a row have to fail. */
  readonly falls?: number;
  readonly host?: string;
}

/** The options with everything filled in. */
export type ProxySettings = Required<
  Omit<ProxyOptions, 'upstreams' | 'hashKey' | 'upstreamHost' | 'healthCheck' | 'ca' | 'insecure'>
> &
  Pick<ProxyOptions, 'upstreamHost' | 'healthCheck' | 'ca' | 'insecure'> & {
    readonly upstreams: readonly UpstreamUrl[];
    readonly hashKey: HashKey;
  };

const HOST = /^[\w.~!$&'()*+,;=%:[\]-]+$/;

/** Checks the options and fills in what was not given. */
export function toProxySettings(options: ProxyOptions): ProxySettings {
  const { upstreamHost, healthCheck } = options;
  if (options.upstreams.length === 0) throw new NettoolError('USAGE', 'a proxy needs an upstream');
  if (typeof upstreamHost === 'string' && !HOST.test(upstreamHost)) {
    throw new NettoolError('USAGE', `'${upstreamHost}' is no host`);
  }
  if (healthCheck !== undefined && !/^\/[\x21-\x7e]*$/.test(healthCheck.path)) {
    throw new NettoolError('USAGE', `'${healthCheck.path}' is no path for a health check`);
  }
  return {
    balance: 'round-robin',
    hashKey: 'address',
    rewrite: [],
    isTrusted: trustNobody,
    connectTimeoutMs: 10_000,
    responseTimeoutMs: 60_000,
    stallTimeoutMs: 60_000,
    retries: 2,
    maxFails: 1,
    failTimeoutMs: 10_000,
    maxIdle: 256,
    idleMs: 30_000,
    onEvent: () => {},
    ...withoutUndefined(options),
    prefix: normalizePrefix(options.prefix ?? ''),
    upstreams: options.upstreams.map(parseUpstreamUrl),
  };
}

/** What was passed as undefined counts as not given. */
function withoutUndefined(options: ProxyOptions): Omit<ProxyOptions, 'upstreams'> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
