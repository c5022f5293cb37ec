import { LateBinding, TICK_MS } from '../../src/core/handlers/fastcgi/binding.js';
import type { Link } from '../../src/core/handlers/fastcgi/link.js';

/** A request of the model. */
export interface ModelRequest {
  sinceMs: number;
  isRepeatable: boolean;
  startMs: number;
  readonly serviceMs: number;
  /** How often the application has begun with it. */
  runs: number;
  endMs?: number;
  outcome?: 'answered' | 'failed' | 'refused';
}

/** What the application is like. */
export interface ModelApplication {
  /** At a time; may change. */
  readonly children: (nowMs: number) => number;
  /** Requests of one connection, after which it is closed. */
  readonly maxRequests?: number;
  /** Connections that may wait for a child. */
  readonly maxBacklog?: number;
  readonly maxConnections?: number;
  readonly maxWaitMs?: number;
}

const CLOSING_MS = 0.2;
const REFUSING_MS = 0.05;

/** An application like php-fpm, its queue, and the rules before it, in a time that only passes here. */
export class FastcgiModel {
  now = 0;
  connects = 0;
  readonly requests: ModelRequest[] = [];
  readonly #application: ModelApplication;
  readonly #binding: LateBinding<ModelRequest>;
  readonly #backlog: Link[] = [];
  /** Those that have a child, and what they carry. */
  readonly #bound = new Set<Link>();
  readonly #carried = new Map<Link, ModelRequest>();
  readonly #served = new Map<Link, number>();
  readonly #strangers = new Set<Link>();
  readonly #onEnd = new Map<ModelRequest, () => void>();
  #over = 0;
  readonly #events: Array<{ at: number; run: () => void }> = [];

  constructor(application: ModelApplication) {
    this.#application = application;
    const { maxConnections = 256, maxWaitMs = 60_000, maxBacklog = Number.POSITIVE_INFINITY } = application;
    this.#binding = new LateBinding<ModelRequest>(
      {
        open: (link, request) => {
          this.connects += 1;
          if (this.#backlog.length >= maxBacklog) {
            this.at(REFUSING_MS, () => this.#binding.full(link, request));
            return;
          }
          this.#carried.set(link, request);
          this.#backlog.push(link);
        },
        send: (link, request) => {
          this.#carried.set(link, request);
          if (this.#bound.has(link)) this.#begin(link);
        },
        close: (link) => this.#bound.delete(link),
        refuse: (request) => this.#end(request, 'refused'),
      },
      { maxConnections, maxWaitMs },
    );
  }

  /** The longest that a request has taken. */
  get slowestMs(): number {
    return Math.max(...this.requests.map(({ startMs, endMs = Number.POSITIVE_INFINITY }) => endMs - startMs));
  }

  /** A request some time from now. */
  ask(afterMs: number, serviceMs: number, isRepeatable = true, onEnd: () => void = () => {}): void {
    const request: ModelRequest = { sinceMs: 0, startMs: 0, isRepeatable, serviceMs, runs: 0 };
    this.requests.push(request);
    this.#onEnd.set(request, onEnd);
    this.at(afterMs, () => {
      request.startMs = this.now;
      this.#binding.ask(request);
    });
  }

  /** A client that asks again as soon as it has its answer. */
  client(requests: number, serviceMs: () => number, isRepeatable: () => boolean = () => true): void {
    if (requests === 0) return;
    this.ask(0.05, serviceMs(), isRepeatable(), () => this.client(requests - 1, serviceMs, isRepeatable));
  }

  /** Somebody else, not us, wants the application to do something. */
  stranger(afterMs: number, serviceMs: number): void {
    const request: ModelRequest = { sinceMs: 0, startMs: 0, isRepeatable: false, serviceMs, runs: 0 };
    this.requests.push(request);
    this.at(afterMs, () => {
      request.startMs = this.now;
      const link: Link = { openedMs: this.now, sinceMs: this.now, uses: 0 };
      this.#strangers.add(link);
      this.#carried.set(link, request);
      this.#backlog.push(link);
    });
  }

  at(afterMs: number, run: () => void): void {
    this.#events.push({ at: this.now + afterMs, run });
  }

  /** Lets time pass until every request is over. */
  run(limitMs = 600_000): void {
    let nextTickMs = this.now;
    while (this.#over < this.requests.length) {
      this.#accept();
      let next = 0;
      for (let index = 1; index < this.#events.length; index += 1) {
        if ((this.#events[index]?.at ?? 0) < (this.#events[next]?.at ?? 0)) next = index;
      }
      const event = this.#events[next];
      if (event !== undefined && event.at <= nextTickMs) {
        this.#events.splice(next, 1);
        this.now = event.at;
        event.run();
      } else {
        this.now = nextTickMs;
        nextTickMs += TICK_MS;
        this.#binding.tick();
      }
      if (this.now > limitMs) throw new Error(`not over after ${limitMs} ms`);
    }
  }

  #end(request: ModelRequest, outcome: 'answered' | 'failed' | 'refused'): void {
    this.#over += 1;
    request.outcome = outcome;
    request.endMs = this.now;
    this.#onEnd.get(request)?.();
  }

  #accept(): void {
    while (this.#backlog.length > 0 && this.#bound.size < this.#application.children(this.now)) {
      const link = this.#backlog.shift() as Link;
      this.#bound.add(link);
      this.#begin(link);
    }
  }

  #begin(link: Link): void {
    const request = this.#carried.get(link) as ModelRequest;
    const { maxRequests = Number.POSITIVE_INFINITY } = this.#application;
    const served = (this.#served.get(link) ?? 0) + 1;
    // It is on its way out and reads nothing any more.
    if (served > maxRequests) return;
    this.#served.set(link, served);
    request.runs += 1;
    this.at(request.serviceMs, () => {
      this.#carried.delete(link);
      if (served === maxRequests) this.at(CLOSING_MS, () => this.#leave(link));
      this.#end(request, 'answered');
      if (this.#strangers.has(link)) {
        this.#bound.delete(link);
        return;
      }
      if (link.uses === 0) this.#binding.heard(link);
      this.#binding.free(link);
    });
  }

  /** The application closes a connection. */
  #leave(link: Link): void {
    this.#bound.delete(link);
    const request = this.#carried.get(link);
    if (request === undefined) this.#binding.gone(link);
    else if (!this.#binding.retry(link, request)) {
      this.#end(request, 'failed');
      this.#binding.gone(link);
    }
  }
}
