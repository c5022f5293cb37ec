import { NettoolError, toNettoolError } from '../errors.js';
import { type HostAddress, lookup } from '../net/lookup.js';
import { loadLibc } from '../platform/libc.js';
import { isRoot } from '../platform/os.js';
import { openBackend } from './backends/index.js';
import { findSource } from './backends/route.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { createSession, USER_INTERVAL_MS } from './session.js';
import { expandHosts } from './targets.js';
import type { PingBackend, PingEvent, PingOptions, PingTarget } from './types.js';

export type { PingEvent, PingOptions } from './types.js';

/** Names looked up at the same time; the resolver's threads are few. */
const LOOKUPS_AT_ONCE = 32;
/** What iputils lets ordinary users send unasked. */
const USER_PRELOAD = 3;

/**
 * Pings hosts and tells what happens, ending with a summary of each, also when the signal stops it. Throws when
 * nothing can be sent, and, once all is told, when a name did not resolve and no host replied.
 */
export async function* ping(options: PingOptions): AsyncGenerator<PingEvent, void, undefined> {
  checkManners(options);
  const { targets, failures } = await orAbort(resolveTargets(options), options.signal);
  const [firstFailure] = failures;
  if (targets.length === 0 && failures.length === 1 && firstFailure !== undefined) throw firstFailure.error;
  for (const { host, error } of failures) {
    yield { type: 'host-error', host, code: error.code, message: error.message };
  }
  let received = 0;
  if (targets.length > 0 && !options.signal.aborted) {
    for await (const event of pingTargets(targets, options)) {
      if (event.type === 'summary') received += event.received;
      yield event;
    }
  }
  if (firstFailure !== undefined && received === 0 && !options.signal.aborted) throw firstFailure.error;
}

async function* pingTargets(targets: readonly PingTarget[], options: PingOptions): AsyncGenerator<PingEvent> {
  const queue: EventQueue<PingEvent> = createEventQueue();
  const session = createSession(targets, options, queue.push);
  const backend = await openBackend(targets, options, session.listener);
  const { signal } = options;
  signal.addEventListener('abort', session.stop);
  if (signal.aborted) session.stop();
  try {
    for (const target of targets) yield startEvent(target, backend, options);
    session.run(backend).then(() => {
      for (const summary of session.summaries(backend.method)) queue.push(summary);
      queue.end();
    });
    yield* queue;
  } finally {
    session.stop();
    signal.removeEventListener('abort', session.stop);
    backend.close();
  }
}

function startEvent(target: PingTarget, backend: PingBackend, { probe, sizeBytes }: PingOptions): PingEvent {
  const source = backend.sourceOf?.(target) ?? null;
  const event = { type: 'start' as const, ...target, method: backend.method, sizeBytes, source };
  if (probe.kind === 'tcp') return { ...event, port: probe.port };
  return probe.kind === 'http' ? { ...event, url: probe.url } : event;
}

/** What iputils asks of those who are not root, as the network belongs to others too. */
function checkManners({ intervalMs, preload, probe }: PingOptions): void {
  if (probe.kind !== 'icmp' || isRoot()) return;
  if (intervalMs < USER_INTERVAL_MS) {
    throw new NettoolError('USAGE', 'only root may send more often than every 2 ms', {
      hint: 'use -i 0.002 (or more)',
    });
  }
  if (preload > USER_PRELOAD)
    throw new NettoolError('USAGE', `only root may preload more than ${USER_PRELOAD}`);
}

/** A name server that does not answer must not keep anyone who wants to leave. */
async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
}

interface Failure {
  readonly host: string;
  readonly error: NettoolError;
}

async function resolveTargets(options: PingOptions): Promise<{ targets: PingTarget[]; failures: Failure[] }> {
  const hosts = expandHosts(options.hosts);
  const found: Array<PingTarget | Failure> = [];
  for (let start = 0; start < hosts.length; start += LOOKUPS_AT_ONCE) {
    const some = hosts.slice(start, start + LOOKUPS_AT_ONCE);
    found.push(...(await Promise.all(some.map((host) => resolveTarget(host, options)))));
  }
  const failures = found.filter((entry): entry is Failure => 'error' in entry);
  return { targets: found.filter((entry): entry is PingTarget => !('error' in entry)), failures };
}

async function resolveTarget(host: string, options: PingOptions): Promise<PingTarget | Failure> {
  try {
    const family = options.family ?? familyOf(options.sourceAddress);
    const addresses = await lookup(host, { family });
    return { host, ...chooseAddress(host, addresses, options) };
  } catch (error) {
    return { host, error: toNettoolError(error, `cannot resolve ${host}`) };
  }
}

/** A source address says which family is meant. */
function familyOf(address: string | undefined): 4 | 6 | undefined {
  return address === undefined ? undefined : address.includes(':') ? 6 : 4;
}

/** Of several addresses the first there is a route to. */
function chooseAddress(host: string, addresses: readonly HostAddress[], options: PingOptions): HostAddress {
  const [first] = addresses;
  if (first === undefined) throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host} (no address)`);
  const libc = addresses.length > 1 ? loadLibc() : undefined;
  if (libc === undefined) return first;
  return addresses.find((address) => findSource(libc, { host, ...address }, options) !== undefined) ?? first;
}
