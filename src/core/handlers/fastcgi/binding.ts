import type { Asking, Link } from './link.js';

/** What the rules have done. None of it calls back before it returns. */
export interface BindingActions<Request> {
  /** Opens a connection and sends the request on it. */
  open(link: Link, request: Request): void;
  send(link: Link, request: Request): void;
  /** Ends a connection that carries nothing. */
  close(link: Link): void;
  /** The request has waited for longer than it may. */
  refuse(request: Request): void;
}

/** How many connections, and how long a request may wait for one. */
export interface BindingLimits {
  readonly maxConnections: number;
  readonly maxWaitMs: number;
}

/** How often `tick` is to be called. */
export const TICK_MS = 5;
/**
 * When nothing became free for so long, requests that wait get connections of their own, at first one, twice as many
 * with each tick: that much a slow script may cost others. Longer after that was in vain: the application was only
 * held up.
 */
const STARVING_MS = { least: 20, most: 160 };
/** A new connection without an answer for so long stands in the queue of the application; if that is slow, longer. */
const PATIENCE_MS = { least: 20, most: 1000, ofUsual: 4 };
/** Connections that nobody needs are given up sooner. */
const UNNEEDED_MS = 10;
/** After so long a connection is given up: others who want that child get their turn. */
const MAX_AGE_MS = 1000;
const IDLE_MS = 1000;
/** By then it is known whether the application closes after its answer. */
const SETTLED_MS = 2 * TICK_MS;
/** In use a moment ago, a connection is not one that the application closes because nobody uses it. */
const FRESH_MS = 500;
/** What ends later than this under a request is not the connection, which was not kept, but the script. */
const STALE_MS = 500;
/** How often more connections than the application has children are tried. */
const PROBE_MS = { first: 500, most: 4000 };
const FIRST_STEP = 2;

/**
 * Decides which connection carries which request, where an application gives a child to a connection until that is
 * closed, as php-fpm does. Requests wait here rather than in its queue, and get the connection that becomes free
 * first; new ones are opened as long as they are answered by themselves. When one is not while others become free,
 * all children are taken: one that is free is closed in its favour, and no more are opened for a while.
 *
 * Its time is counted in ticks: when this process was held up, the application is not to blame.
 */
export class LateBinding<Request extends Asking> {
  readonly #actions: BindingActions<Request>;
  readonly #limits: BindingLimits;
  readonly #links = new Set<Link>();
  /** The one used last is the last. */
  readonly #free: Link[] = [];
  /** Not known to have a child, in the order they were opened, which is the order they get one. */
  readonly #unheard: Link[] = [];
  readonly #queue: Request[] = [];
  /** Connections closed in favour of those unheard. */
  #yields = 0;
  /** How many may be unheard at a time. */
  #step = FIRST_STEP;
  /** How many can have a child at a time, as far as is known. */
  #capacity = Number.POSITIVE_INFINITY;
  #probeMs = PROBE_MS.first;
  #nextProbeMs = 0;
  #isProbing = false;
  #nowMs = 0;
  #lastFreeMs = 0;
  #starvingMs = STARVING_MS.least;
  #isFeeding = false;
  /** How long an answer usually takes. */
  #usualMs: number | undefined;
  /** Whether the application takes a second request on a connection. */
  #keeps: boolean | undefined;

  constructor(actions: BindingActions<Request>, limits: BindingLimits) {
    this.#actions = actions;
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Whether `tick` is to be called every few milliseconds. */
  get isActive(): boolean {
    return this.#queue.length > 0 || this.#links.size > 0;
  }

  ask(request: Request): void {
    // After a rest nobody has waited for what is free next.
    if (!this.isActive) this.#lastFreeMs = this.#nowMs;
    request.sinceMs = this.#nowMs;
    this.#queue.push(request);
    this.#serve();
  }

  /** Nobody wants an answer any more; false when the request has a connection already. */
  withdraw(request: Request): boolean {
    const isWaiting = remove(this.#queue, request);
    if (isWaiting) this.#serve();
    return isWaiting;
  }

  /** The application has said something on a connection for the first time. */
  heard(link: Link): void {
    // It takes connections in the order they were opened: those before this one have a child, too.
    const taken = this.#unheard.splice(0, this.#unheard.indexOf(link) + 1).length;
    if (taken === 0) return;
    if (this.#yields === 0) {
      this.#step += taken;
      if (this.#isFeeding) this.#starvingMs = STARVING_MS.least;
      this.#isFeeding = false;
      if (this.#links.size > this.#capacity) this.#forgetCapacity();
    }
    this.#yields = Math.max(0, this.#yields - taken);
    this.#serve();
  }

  /** A connection has done its request and can take the next one. */
  free(link: Link): void {
    this.#measure(link);
    link.uses += 1;
    link.sinceMs = this.#nowMs;
    if (link.uses > 1) this.#keeps = true;
    this.#lastFreeMs = this.#nowMs;
    if (this.#unheardFor(this.#patienceMs) > this.#yields) {
      this.#learnCapacity();
      this.#yield(link);
    } else if (this.#nowMs - link.openedMs > MAX_AGE_MS) this.#close(link);
    else this.#free.push(link);
    this.#serve();
  }

  /** A connection has ended. */
  gone(link: Link): void {
    if (!this.#links.delete(link)) return;
    const wasFree = remove(this.#free, link);
    if (wasFree && link.uses === 1) this.#keeps ??= false;
    remove(this.#unheard, link);
    this.#yields = Math.min(this.#yields, this.#unheard.length);
    this.#serve();
  }

  /** A connection ended under a request; whether that is sent once more, as nobody can have begun with it. */
  retry(link: Link, request: Request): boolean {
    if (link.uses === 0 || !request.isRepeatable || this.#nowMs - link.sinceMs > STALE_MS) return false;
    if (link.uses === 1) this.#keeps ??= false;
    request.isRepeatable = false;
    this.#queue.unshift(request);
    this.gone(link);
    this.#serve();
    return true;
  }

  /** The application's own queue has no room for a connection: its request goes on waiting for what becomes free. */
  full(link: Link, request: Request): void {
    this.#queue.unshift(request);
    this.#links.delete(link);
    remove(this.#unheard, link);
    this.#yields = Math.min(this.#yields, this.#unheard.length);
    this.#learnCapacity();
    this.#lastFreeMs = this.#nowMs;
  }

  /** Time has passed. */
  tick(): void {
    this.#nowMs += TICK_MS;
    while (this.#free.length > 0 && this.#unheardFor(UNNEEDED_MS) > this.#yields) {
      this.#yield(this.#free.shift() as Link);
    }
    while (this.#isOlder(this.#free[0], IDLE_MS)) this.#close(this.#free.shift() as Link);
    this.#feed();
    while (this.#isOlder(this.#queue[0], this.#limits.maxWaitMs)) {
      this.#actions.refuse(this.#queue.shift() as Request);
    }
    this.#serve();
  }

  /** Nothing becomes free: those who wait get connections of their own. */
  #feed(): void {
    const ticks = (this.#nowMs - this.#lastFreeMs - this.#starvingMs) / TICK_MS;
    if (ticks < 0) return;
    for (let left = 2 ** Math.min(ticks, 10); left >= 1; left -= 1) {
      const first = this.#queue[0];
      if (this.#links.size >= this.#limits.maxConnections || !this.#isOlder(first, STARVING_MS.least)) return;
      this.#isFeeding = true;
      this.#open(first as Request);
    }
  }

  #isOlder(item: { readonly sinceMs: number } | undefined, ms: number): boolean {
    return item !== undefined && this.#nowMs - item.sinceMs >= ms;
  }

  #serve(): void {
    if (this.#queue.length === 0) return;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const link = this.#pick(first);
      if (link !== undefined) {
        this.#queue.shift();
        link.sinceMs = this.#nowMs;
        this.#actions.send(link, first);
      } else if (this.#free.length > 0 && this.#keeps !== false) {
        // It needs a new one, and gets the child of an old one.
        this.#yield(this.#free.shift() as Link);
        this.#open(first);
      } else if (this.#mayOpen()) this.#open(first);
      else return;
    }
  }

  /** A free connection for a request. What may not be sent twice is sent on none that is just about to be closed. */
  #pick(request: Request): Link | undefined {
    if (request.isRepeatable && this.#keeps !== false) return this.#free.pop();
    const index = this.#free.findIndex(({ sinceMs }) => this.#nowMs - sinceMs <= FRESH_MS);
    const link = this.#free[index];
    if (link === undefined || this.#nowMs - link.sinceMs < SETTLED_MS) return undefined;
    this.#free.splice(index, 1);
    return link;
  }

  #mayOpen(): boolean {
    if (this.#links.size >= this.#limits.maxConnections) return false;
    if (this.#keeps === false) return true;
    if (this.#unheard.length >= this.#step) return false;
    if (this.#links.size < this.#capacity) return true;
    if (this.#nowMs < this.#nextProbeMs) return false;
    this.#nextProbeMs = this.#nowMs + this.#probeMs;
    this.#isProbing = true;
    return true;
  }

  #open(request: Request): void {
    remove(this.#queue, request);
    const link: Link = { openedMs: this.#nowMs, sinceMs: this.#nowMs, uses: 0 };
    this.#links.add(link);
    this.#unheard.push(link);
    this.#actions.open(link, request);
  }

  #close(link: Link): void {
    this.#links.delete(link);
    this.#actions.close(link);
  }

  #yield(link: Link): void {
    this.#yields += 1;
    this.#close(link);
  }

  /** All children are taken: by those that were heard, and by those that get the child of one that is closed. */
  #learnCapacity(): void {
    const isNews = this.#capacity === Number.POSITIVE_INFINITY;
    this.#capacity = this.#links.size - this.#unheard.length + this.#yields;
    this.#step = 1;
    if (this.#isFeeding) this.#starvingMs = Math.min(2 * this.#starvingMs, STARVING_MS.most);
    this.#isFeeding = false;
    if (!isNews && !this.#isProbing) return;
    this.#probeMs = isNews ? PROBE_MS.first : Math.min(2 * this.#probeMs, PROBE_MS.most);
    this.#nextProbeMs = this.#nowMs + this.#probeMs;
    this.#isProbing = false;
  }

  #forgetCapacity(): void {
    this.#capacity = Number.POSITIVE_INFINITY;
    this.#step = FIRST_STEP;
    this.#isProbing = false;
  }

  get #patienceMs(): number {
    const { least, most, ofUsual } = PATIENCE_MS;
    return Math.min(most, Math.max(least, ofUsual * (this.#usualMs ?? most)));
  }

  /** How many have been unheard for at least so long. */
  #unheardFor(ms: number): number {
    if (this.#unheard.length === 0) return 0;
    const younger = this.#unheard.findIndex(({ openedMs }) => this.#nowMs - openedMs < ms);
    return younger === -1 ? this.#unheard.length : younger;
  }

  /** The first answer on a connection may have waited for a child. */
  #measure({ uses, sinceMs }: Link): void {
    if (this.#usualMs === undefined) this.#usualMs = this.#nowMs - sinceMs;
    else if (uses > 0) this.#usualMs += (this.#nowMs - sinceMs - this.#usualMs) / 8;
  }
}

function remove<Item>(list: Item[], item: Item): boolean {
  const index = list.indexOf(item);
  if (index !== -1) list.splice(index, 1);
  return index !== -1;
}
