import { errorResponse } from '../error-response.js';
import type { Handler } from '../handler.js';
import { getHeader } from '../headers.js';
import type { HttpResponse, IncomingRequest, ServiceNote } from '../messages.js';
import type { CloseReason, ServeOptions, ServerEvent, ServerLimits, ServerTimers } from '../server-types.js';
import { Clock } from './clock.js';
import { DEFAULT_LIMITS, DEFAULT_TIMERS } from './limits.js';
import type { Peer } from './request.js';
import { REASONS, Refusal } from './status.js';

/** A connection of any version, as the server sees it. */
export interface AnyConnection {
  readonly peer: Peer;
  readonly requests: number;
  readonly closeReason: CloseReason;
  /**
   * Ends it now when idle, else after what is under way. When it is late, answers that have been quiet since the last
   * call are no longer waited for.
   */
  drain(isLate: boolean): void;
  destroy(reason: 'server'): void;
}

/** A request whose time was taken. */
export interface TimedRequest {
  readonly request: IncomingRequest & { readonly service?: ServiceNote | undefined };
  readonly content?: { readonly bytesIn: number } | undefined;
  readonly times: readonly [arrived: number, called: number, answered: number] | undefined;
}

/** How a request ended. */
export interface Outcome {
  readonly status: number;
  readonly bytes: number;
  /** Not all of it was sent: as the client left, or for the reason `error`. */
  readonly aborted: boolean;
  readonly error?: unknown;
}

/** Why an answer is not complete that had no more time. */
export class ServerStopped extends Error {
  constructor() {
    super('the server stopped before the answer was complete');
  }
}

const DEFAULT_EVENTS: readonly ServerEvent['type'][] = ['listening', 'request', 'closed'];

/** What is told of a request. */
type Told = Pick<
  IncomingRequest,
  'method' | 'target' | 'scheme' | 'headers' | 'remoteAddress' | 'remotePort'
> & {
  readonly httpVersion: string;
  readonly service?: ServiceNote | undefined;
};

const UNREADABLE = { method: '-', target: '-', scheme: 'http', httpVersion: '-', headers: [] } as const;

/** What all connections of a server share. */
export class ServerContext {
  readonly handler: Handler;
  readonly limits: ServerLimits;
  readonly timers: ServerTimers;
  readonly clock: Clock;
  readonly wantsRequests: boolean;
  readonly wantsConnections: boolean;
  readonly connections = new Set<AnyConnection>();
  requests = 0;
  isStopping = false;
  onEmpty: (() => void) | undefined;
  /** Called whenever no connection but those that were taken over is left. */
  onlyUpgraded: (() => void) | undefined;
  readonly #wantsFailures: boolean;
  readonly #wanted: ReadonlySet<ServerEvent['type']>;
  readonly #emit: (event: ServerEvent) => void;
  readonly #perAddress = new Map<string, number>();
  readonly #since = new WeakMap<AnyConnection, number>();

  constructor(handler: Handler, options: ServeOptions) {
    this.handler = handler;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.timers = { ...DEFAULT_TIMERS, ...options.timers };
    const { headMs, bodyMs, keepAliveMs, lingerMs } = this.timers;
    this.clock = new Clock(
      Math.max(10, Math.min(500, headMs / 4, bodyMs / 4, keepAliveMs / 4, lingerMs / 4)),
    );
    const events = options.events ?? DEFAULT_EVENTS;
    this.#wanted = new Set(events);
    const tells = events.includes('request');
    this.wantsRequests = tells && options.failuresOnly !== true;
    this.#wantsFailures = tells;
    this.wantsConnections = events.includes('connection-open') || events.includes('connection-close');
    this.#emit = options.onEvent;
  }

  emit(event: ServerEvent): void {
    if (this.#wanted.has(event.type)) this.#emit(event);
  }

  /** Whether there is room for one more from there. */
  admits(peer: Peer): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.limits;
    if (this.connections.size >= maxConnections || this.isStopping) return false;
    if (maxConnectionsPerAddress === Number.POSITIVE_INFINITY) return true;
    return (this.#perAddress.get(peer.remoteAddress) ?? 0) < maxConnectionsPerAddress;
  }

  opened(connection: AnyConnection): void {
    const { remoteAddress } = connection.peer;
    this.connections.add(connection);
    if (this.limits.maxConnectionsPerAddress !== Number.POSITIVE_INFINITY) {
      this.#perAddress.set(remoteAddress, (this.#perAddress.get(remoteAddress) ?? 0) + 1);
    }
    if (!this.wantsConnections) return;
    this.#since.set(connection, performance.now());
    this.#reportConnection('connection-open', connection);
  }

  closed(connection: AnyConnection): void {
    if (!this.connections.delete(connection)) return;
    const { remoteAddress } = connection.peer;
    const left = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(remoteAddress, left);
    else this.#perAddress.delete(remoteAddress);
    if (this.wantsConnections) this.#reportConnection('connection-close', connection);
    this.tellWhatIsLeft();
  }

  /** To whoever waits for them to go. */
  tellWhatIsLeft(): void {
    if (this.connections.size === 0) this.onEmpty?.();
    else if (this.onlyUpgraded !== undefined) {
      for (const { closeReason } of this.connections) if (closeReason !== 'upgrade') return;
      this.onlyUpgraded();
    }
  }

  destroyAll(): void {
    for (const connection of [...this.connections]) connection.destroy('server');
  }

  #reportConnection(type: 'connection-open' | 'connection-close', connection: AnyConnection): void {
    const { peer, requests, closeReason: reason } = connection;
    const durationMs = round(performance.now() - (this.#since.get(connection) ?? 0));
    this.emit({
      type,
      time: new Date().toISOString(),
      remoteAddress: peer.remoteAddress,
      remotePort: peer.remotePort,
      connections: this.connections.size,
      ...(type === 'connection-close' && { reason, requests, durationMs }),
    });
  }

  /** The answer to a request whose handler failed. */
  failedAnswer(request: IncomingRequest): HttpResponse {
    return errorResponse(500, request.headers);
  }

  reportRequest(timed: TimedRequest, outcome: Outcome): void {
    this.requests += 1;
    if (!this.wantsRequests && !(this.#wantsFailures && isFailure(outcome))) return;
    this.#tell(timed.request, timed, outcome);
  }

  /** A request that no handler saw. */
  reportRefusal({ remoteAddress, remotePort }: Peer, refusal: Refusal, bytes: number): void {
    this.requests += 1;
    if (!this.wantsRequests) return;
    const outcome = { status: refusal.status, bytes, aborted: false, error: refusal };
    this.#tell({ ...UNREADABLE, remoteAddress, remotePort }, { times: undefined }, outcome);
  }

  #tell(request: Told, { content, times }: Omit<TimedRequest, 'request'>, outcome: Outcome): void {
    const ended = performance.now();
    const [arrived, called, answered] = times ?? [ended, ended, ended];
    const { queueMs: waitedMs, tally, ...service } = request.service ?? {};
    const waited = waitedMs ?? 0;
    const error = outcome.error === undefined ? undefined : toSentence(outcome.error);
    const handlerMs = Math.max(0, (answered || ended) - called - waited);
    // What runs in this process is a worker that cannot tell more than we know.
    const { workerMs = service.workerPid === undefined ? undefined : handlerMs, upstreamMs } = service;
    // A connection that speaks another protocol since then is no request that took so long.
    if (outcome.status !== 101) tally?.({ waitedMs, servedMs: workerMs ?? upstreamMs });
    const isOurs = isFailure(outcome) || outcome.error instanceof Refusal;
    const reason = service.reason ?? (isOurs ? error : undefined);
    this.#emit({
      type: 'request',
      time: new Date().toISOString(),
      method: request.method,
      target: request.target,
      scheme: request.scheme,
      httpVersion: request.httpVersion,
      status: outcome.status,
      bytes: Math.max(0, outcome.bytes),
      bytesIn: content?.bytesIn ?? 0,
      durationMs: round(ended - arrived),
      queueMs: round(called - arrived + waited),
      handlerMs: round(handlerMs),
      sendMs: round(ended - (answered || ended)),
      remoteAddress: request.remoteAddress,
      remotePort: request.remotePort,
      host: getHeader(request.headers, 'host') ?? null,
      userAgent: getHeader(request.headers, 'user-agent') ?? null,
      referer: getHeader(request.headers, 'referer') ?? null,
      ...(outcome.aborted && { aborted: true }),
      ...(error !== undefined && { error }),
      ...service,
      ...(workerMs !== undefined && { workerMs: round(workerMs) }),
      ...(upstreamMs !== undefined && { upstreamMs: round(upstreamMs) }),
      ...(reason !== undefined && { reason }),
    });
  }
}

/** Whether it went wrong on our side. */
function isFailure({ status, aborted, error }: Outcome): boolean {
  return status >= 500 || (aborted && error !== undefined);
}

function toSentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** A status as one line of text: for requests that are not worth more. */
export function plainAnswer(status: number): HttpResponse {
  return {
    status,
    headers: [['Content-Type', 'text/plain; charset=utf-8']],
    body: `${status} ${REASONS[status] ?? 'Error'}\n`,
  };
}
