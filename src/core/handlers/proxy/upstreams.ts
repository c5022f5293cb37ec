import type { IncomingRequest } from '../../http/messages.js';
import { Clock } from '../../http/server/clock.js';
import { UpstreamClient } from '../../http/upstream/client.js';
import { connect } from '../../net/connect.js';
import { createSocketReader } from '../../net/socket-reader.js';
import type { TlsClientOptions } from '../../net/tls-client.js';
import type { OnHandlerEvent } from '../handler-events.js';
import { type Choose, createBalancer } from './balance.js';
import type { ProxySettings } from './options.js';
import { createHeadWriter, type WriteHead } from './request-head.js';
import { createResponder, type ToResponse } from './response.js';
import type { UpstreamUrl } from './upstream-url.js';

/** One of the servers behind the proxy. */
export interface Upstream {
  readonly name: string;
  readonly url: UpstreamUrl;
  readonly client: UpstreamClient;
  readonly writeHead: WriteHead;
  readonly toResponse: ToResponse;
  readonly active: number;
}

/** The servers behind a proxy, and which of them may be asked. */
export interface Upstreams {
  /** One to ask, of those not tried yet; undefined when there is none. */
  choose(request: IncomingRequest, tried: ReadonlySet<Upstream>): Upstream | undefined;
  succeeded(upstream: Upstream): void;
  failed(upstream: Upstream, reason: string): void;
  close(): void;
}

/** How one of them has done lately. */
interface Health {
  fails: number;
  /** Not asked until then, as long as there are others; in the milliseconds of performance.now(). */
  restsUntil: number;
  /** What the active check says; nothing is asked of one that fails it. */
  isChecked: boolean;
  checksFailed: number;
}

type State = Upstream & { readonly health: Health };

/** What every plain connection is read into: it is emptied before the next one's turn. */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Looks after the servers behind a proxy. */
export function createUpstreams(settings: ProxySettings, onEvent: OnHandlerEvent): Upstreams {
  const { maxFails, failTimeoutMs, healthCheck } = settings;
  const clock = new Clock(clockTick(settings));
  const all = settings.upstreams.map((url) => createState(url, settings, clock));
  const choose: Choose = createBalancer(settings.balance, settings.hashKey);
  const report = (upstream: Upstream, state: 'up' | 'down', reason: string): void =>
    onEvent({ type: 'upstream', url: upstream.name, state, reason });

  const checkOne = async (upstream: State): Promise<void> => {
    const { health } = upstream;
    const problem = await check(upstream, healthCheck as NonNullable<typeof healthCheck>);
    health.checksFailed = problem === undefined ? 0 : health.checksFailed + 1;
    if (problem === undefined && !health.isChecked) {
      Object.assign(health, { isChecked: true, fails: 0, restsUntil: 0 });
      report(upstream, 'up', 'the health check passed');
    } else if (
      problem !== undefined &&
      health.isChecked &&
      health.checksFailed >= (healthCheck?.falls ?? 2)
    ) {
      health.isChecked = false;
      report(upstream, 'down', `the health check failed: ${problem}`);
    }
  };
  const checkAll = (): void => {
    for (const upstream of all) void checkOne(upstream);
  };
  const timer = healthCheck === undefined ? undefined : setInterval(checkAll, healthCheck.intervalMs);
  timer?.unref();
  if (timer !== undefined) checkAll();

  return {
    choose(request, tried) {
      // By far the most common, and nothing to choose.
      if (all.length === 1 && tried.size === 0 && all[0]?.health.isChecked) return all[0];
      const usable = all.filter((upstream) => upstream.health.isChecked && !tried.has(upstream));
      if (usable.length === 0) return undefined;
      const now = performance.now();
      const rested = usable.filter(({ health }) => health.restsUntil <= now);
      if (rested.length > 0) return choose(rested, request);
      // Better one that failed a while ago than none at all.
      return usable.reduce((a, b) => (a.health.restsUntil <= b.health.restsUntil ? a : b));
    },
    succeeded(upstream) {
      const { health } = upstream as State;
      if (health.fails === 0) return;
      if (health.restsUntil > 0) report(upstream, 'up', 'it answers again');
      health.fails = 0;
      health.restsUntil = 0;
    },
    failed(upstream, reason) {
      const { health } = upstream as State;
      health.fails += 1;
      if (health.fails < maxFails || all.length === 1) return;
      if (health.restsUntil === 0) report(upstream, 'down', reason);
      health.restsUntil = performance.now() + failTimeoutMs;
    },
    close() {
      clearInterval(timer);
      for (const { client } of all) client.close();
    },
  };
}

function createState(url: UpstreamUrl, settings: ProxySettings, clock: Clock): State {
  const { connectTimeoutMs: timeoutMs, responseTimeoutMs, stallTimeoutMs, maxIdle, idleMs } = settings;
  const { ca, insecure } = settings;
  const tls: TlsClientOptions | undefined = url.isTls ? { ca, insecure, alpn: ['http/1.1'] } : undefined;
  const { address } = url;
  const place = 'path' in address ? { host: 'localhost', port: 0, socketPath: address.path } : address;
  const client = new UpstreamClient({
    open: (signal) => {
      const reader = url.isTls ? undefined : createSocketReader(sharedBuffer);
      return connect({ ...place, timeoutMs, signal, tls, reader });
    },
    clock,
    maxIdle,
    idleMs,
    responseMs: responseTimeoutMs,
    stallMs: stallTimeoutMs,
  });
  return {
    name: url.text,
    url,
    client,
    writeHead: createHeadWriter(url, settings),
    toResponse: createResponder(url, settings),
    get active() {
      return client.active;
    },
    health: { fails: 0, restsUntil: 0, isChecked: true, checksFailed: 0 },
  };
}

/** How exactly time-outs are kept: a quarter of the shortest, within reason. */
function clockTick({ responseTimeoutMs, stallTimeoutMs }: ProxySettings): number {
  return Math.max(10, Math.min(500, responseTimeoutMs / 4, stallTimeoutMs / 4));
}

/** Asks an upstream whether it is well; what is wrong when it is not. */
async function check(
  { url, client }: Upstream,
  { path, timeoutMs, host }: NonNullable<ProxySettings['healthCheck']>,
): Promise<string | undefined> {
  const head = `GET ${path} HTTP/1.1\r\nHost: ${host ?? url.authority}\r\nUser-Agent: nettool\r\n\r\n`;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const reply = await client.send({ method: 'GET', head, signal }, true);
    const { body } = reply;
    if (body !== undefined && !Buffer.isBuffer(body)) body.destroy();
    return reply.head.status < 400 ? undefined : `it answers ${reply.head.status}`;
  } catch (error) {
    return error instanceof Error && error.name !== 'TimeoutError'
      ? error.message
      : `no answer in ${timeoutMs} ms`;
  }
}
