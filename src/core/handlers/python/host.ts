import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { toNettoolError } from '../../errors.js';
import { errorResponse } from '../../http/error-response.js';
import { gatewayResponse } from '../../http/gateway-error.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { ApplicationFigures } from '../../http/site-metrics.js';
import { shellWord } from '../../shell-word.js';
import { createWorkerMaster } from '../../workers/master.js';
import type { WorkerMaster } from '../../workers/types.js';
import { type FolderWatch, watchFolders } from '../../workers/watch.js';
import { aboutRequest } from '../handler-events.js';
import { encodeScope } from './asgi-scope.js';
import { Dispatcher, type DispatchStats } from './dispatcher.js';
import { FLAG, FRAME } from './frames.js';
import type { ExchangeFailure, ExchangeOwner } from './http-exchange.js';
import type { Exchange, Lane } from './lane.js';
import { type ExchangePlace, openExchange } from './open-exchange.js';
import type { SettledOptions } from './options.js';
import { isPythonFile } from './target.js';
import { tracebackPage } from './traceback-page.js';
import { WebSocketExchange } from './websocket-exchange.js';
import { isWebSocketRequest, refuseHandshake, WebSockets } from './websockets.js';
import { type ApplicationInfo, BootFailure, PythonWorker, type WorkerConfig } from './worker.js';

/** A thread is to be free again soon; an event loop can wait. */
const WINDOW_BYTES = { wsgi: 1024 * 1024, asgi: 262_144 };

/** An event loop that has not looked at its requests for so long is blocked. */
const BLOCKED_MS = 1000;

/** The interpreter, and where the Python side lies. */
export interface PythonPlace {
  readonly command: string;
  readonly reason: string;
  readonly script: string;
}

/** A Python application with its workers: requests in, answers out. */
export class PythonHost implements ExchangeOwner {
  readonly requestTimeoutMs: number;
  readonly #options: SettledOptions;
  readonly #place: PythonPlace;
  readonly #master: WorkerMaster<PythonWorker>;
  readonly #dispatcher: Dispatcher;
  readonly #webSockets: WebSockets;
  readonly #live = new Set<PythonWorker>();
  #info: ApplicationInfo | undefined;
  #watch: FolderWatch | undefined;
  #closing: Promise<void> | undefined;
  /** By `performance.now()`: the end of the time that running requests have, once the server stops. */
  #stopsAt: number | undefined;
  #exchangePlace: ExchangePlace | undefined;

  constructor(options: SettledOptions, place: PythonPlace) {
    this.#options = options;
    this.#place = place;
    this.requestTimeoutMs = options.requestTimeoutMs;
    this.#webSockets = new WebSockets(options.maxMessageBytes);
    this.#dispatcher = new Dispatcher((worker, count) => this.#master.count(worker, count));
    const { workers: count, bootTimeoutMs, graceMs, maxRequests, onEvent } = options;
    this.#master = createWorkerMaster<PythonWorker>({
      count,
      bootTimeoutMs,
      graceMs,
      ...(maxRequests !== undefined && { maxRequests }),
      start: () => this.#startWorker(),
      onLive: (worker) => this.#onLive(worker),
      onGone: (worker) => this.#onGone(worker),
      onEvent,
    });
  }

  /** Of the newest generation. */
  get application(): ApplicationInfo {
    return this.#info as ApplicationInfo;
  }

  get stats(): DispatchStats & Pick<ApplicationFigures, 'workerPids'> {
    const workerPids = [...this.#live].map(({ pid }) => pid).filter((pid) => pid !== undefined);
    return { ...this.#dispatcher.stats, workerPids };
  }

  async start(): Promise<void> {
    try {
      await this.#master.start();
    } catch (error) {
      this.#tellTraceback(error);
      throw error;
    }
    this.#tellApplication();
    if (this.#options.reload === true) this.#startWatching();
  }

  handle(request: IncomingRequest): Promise<HttpResponse> {
    const refused = this.#refuse(request);
    if (refused !== undefined) return Promise.resolve(refused);
    this.#exchangePlace ??= {
      owner: this,
      dispatcher: this.#dispatcher,
      kind: this.application.kind,
      prefix: this.#options.prefix,
      rootPath: this.#options.rootPath,
      isTrusted: this.#options.isTrusted,
    };
    return openExchange(request, this.#exchangePlace);
  }

  async upgrade(request: IncomingRequest, socket: Duplex, head: Buffer): Promise<HttpResponse | undefined> {
    if (!isWebSocketRequest(request)) return this.handle(request);
    const refused = refuseHandshake(request) ?? this.#refuse(request);
    const scope = encodeScope(request, this.#options);
    if (refused !== undefined || scope === undefined) return refused ?? errorResponse(400, request.headers);
    const opening = { kind: FRAME.WS_OPEN, id: 0, ...scope };
    const exchange = new WebSocketExchange(this, request, opening, {
      socket,
      accept: (accepted) => this.#webSockets.accept(request, socket, head, accepted),
    });
    this.#dispatcher.submit(exchange);
    return exchange.outcome;
  }

  async reload(reason: string): Promise<void> {
    const { onEvent } = this.#options;
    try {
      await this.#master.reload();
    } catch (error) {
      this.#tellTraceback(error);
      const { message } = toNettoolError(error);
      onEvent({ type: 'reload', ok: false, reason, message: `${message}; the code that ran serves on` });
      throw error;
    }
    onEvent({ type: 'reload', ok: true, reason });
  }

  resize(change: 1 | -1, reason: string): Promise<void> {
    return this.#master.resize(change, reason);
  }

  /** No more requests are to come: what goes on for ever ends, the rest is finished. */
  retire(): void {
    this.#stopsAt = performance.now() + this.#options.graceMs;
    for (const worker of this.#live) worker.endEndless();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- what exchanges ask

  answerFailure(request: IncomingRequest, failure: ExchangeFailure): HttpResponse {
    const { status, traceback, message } = failure;
    if (this.#options.debug) return tracebackPage(status, traceback || message);
    return gatewayResponse(status, request.headers);
  }

  onFailure(request: IncomingRequest, failure: ExchangeFailure): void {
    const { status, message, traceback } = failure;
    request.note?.({ reason: message });
    this.#options.onEvent({
      type: 'application-error',
      message,
      ...(traceback && { traceback }),
      ...aboutRequest(request),
      status,
    });
  }

  onTimeout(exchange: Exchange, lane: Lane): void {
    const { worker } = lane;
    const seconds = this.requestTimeoutMs / 1000;
    if (lane.isShared) {
      const stillMs = lane.unacknowledgedSince === 0 ? 0 : performance.now() - lane.movedAt;
      const isBlocked = stillMs >= Math.min(BLOCKED_MS, this.requestTimeoutMs / 2);
      lane.abort(exchange, FLAG.TIMED_OUT);
      if (!isBlocked) return;
    }
    if (lane.isStuck) return;
    lane.isStuck = true;
    const others = worker.lanes.some((other) => !other.isStuck && other.open.size > 0);
    const reason = lane.isShared
      ? `its event loop was blocked when a request had taken ${seconds} s`
      : `a request took more than ${seconds} s`;
    void worker
      .explain()
      .then(() => this.#master.discard(worker, reason, others ? this.#options.graceMs : 0));
  }

  // ---- workers

  #startWorker(): PythonWorker {
    const { target, cwd, kind, factory, threads, workers, env, onEvent } = this.#options;
    const config: WorkerConfig = {
      target,
      cwd,
      ...(kind !== undefined && { kind }),
      ...(this.#info !== undefined && { expected: this.#info.kind }),
      ...(factory !== undefined && { factory }),
      streams: threads,
      workers,
      windows: WINDOW_BYTES,
      software: 'nettool',
    };
    return new PythonWorker({
      python: this.#place.command,
      script: this.#place.script,
      env,
      config,
      onLine: ({ pid }, line, stream) =>
        onEvent({ type: 'application-output', pid: pid ?? null, stream, line }),
    });
  }

  #onLive(worker: PythonWorker): void {
    this.#info = worker.info;
    this.#live.add(worker);
    this.#dispatcher.add(worker);
    this.#updateWatch();
  }

  #onGone(worker: PythonWorker): void {
    this.#live.delete(worker);
    this.#dispatcher.remove(worker);
  }

  #refuse(request: IncomingRequest): HttpResponse | undefined {
    const isFull = this.#dispatcher.queued >= this.#options.maxQueued;
    if (!isFull && !(this.#master.failing && !this.#dispatcher.hasLanes) && this.#closing === undefined)
      return undefined;
    const message = isFull ? `${this.#options.maxQueued} requests wait already` : 'no worker can be started';
    const failure = { status: 503 as const, message };
    this.onFailure(request, failure);
    return this.answerFailure(request, failure);
  }

  #tellApplication(): void {
    const { kind, target, ask, reason, framework, executable, version } = this.application;
    const { prefix, workers, threads, onEvent } = this.#options;
    const mount = prefix === '' ? '' : `--app ${prefix}=`;
    onEvent({
      type: 'application',
      kind,
      target,
      equivalent: `${mount}${shellWord(ask)} --${kind} --python ${shellWord(executable)}`,
      reason,
      framework,
      prefix,
      python: executable,
      pythonVersion: version,
      pythonReason: this.#place.reason,
      workers,
      threads: kind === 'wsgi' ? threads : 1,
    });
  }

  #tellTraceback(error: unknown): void {
    // One line alone says no more than the failure itself.
    if (!(error instanceof BootFailure) || !error.traceback.trim().includes('\n')) return;
    const { message, traceback } = error;
    this.#options.onEvent({ type: 'application-error', message, traceback });
  }

  // ---- reload

  #startWatching(): void {
    this.#watch = watchFolders({
      accepts: isPythonFile,
      // A reload that fails has told why; the next change tries again.
      onChange: (name) => void this.reload(`${name} has changed`).catch(() => {}),
    });
    this.#updateWatch();
  }

  #updateWatch(): void {
    const folders = new Set(this.#options.watchFolders ?? []);
    for (const file of this.application.files) folders.add(dirname(file));
    this.#watch?.update(folders);
  }

  async #close(): Promise<void> {
    this.#watch?.close();
    const leftMs = (this.#stopsAt ?? Infinity) - performance.now();
    // Not 0, which would be at once: its shutdown takes a moment.
    await this.#master.stop(Math.max(1, Math.min(this.#options.graceMs, leftMs)));
    this.#webSockets.close();
  }
}
