import { HELD_UP_MS } from '../../platform/held-up.js';
import type { Exchange, Lane, LaneOwner } from './lane.js';
import type { PythonWorker } from './worker.js';

/** Requests that come while the machine is busy are looked after this often. */
const WATCH_MS = 100;
/** A batch that has not moved for so long gives back what was not begun. */
const RECALL_MS = 5;
const MAX_BATCH = 32;
const MAX_BATCH_BYTES = 65_536;
/** A thread gets no more at once than it answers within about this time. */
const BATCH_US = 1000;
/** Applications slower than this get one request at a time. */
const SLOW_US = 300;
const SHARED_BATCH = 64;

/** Numbers for metrics. */
export interface DispatchStats {
  /** Requests that wait for a worker now. */
  readonly queued: number;
  /** Requests that are with a worker now. */
  readonly active: number;
  /** Requests workers have finished. */
  readonly served: number;
}

/**
 * Gives requests to workers as late as possible: they wait here, and a lane gets the next when it has finished the
 * last. So no request waits behind a slow one while another worker is idle, and none is lost with a worker.
 */
export class Dispatcher implements LaneOwner {
  readonly #lanes: Lane[] = [];
  /** Lanes that get nothing new but have not finished. */
  #retiring: Lane[] = [];
  readonly #onServed: (worker: PythonWorker, count: number) => void;
  #queue: Exchange[] = [];
  #isPlanned = false;
  #averageUs = BATCH_US;
  #served = 0;
  #watching: NodeJS.Timeout | undefined;
  #watchedAt = 0;
  #recalling: NodeJS.Timeout | undefined;

  constructor(onServed: (worker: PythonWorker, count: number) => void) {
    this.#onServed = onServed;
  }

  get stats(): DispatchStats {
    let active = 0;
    for (const lane of [...this.#lanes, ...this.#retiring]) active += lane.open.size;
    return { queued: this.#queue.length, active, served: this.#served };
  }

  get queued(): number {
    return this.#queue.length;
  }

  get hasLanes(): boolean {
    return this.#lanes.length > 0;
  }

  /** The worker takes requests from now on. */
  add(worker: PythonWorker): void {
    for (const lane of worker.lanes) {
      lane.attach(this);
      this.#lanes.push(lane);
    }
    this.#plan();
  }

  /** The worker gets nothing new. */
  remove(worker: PythonWorker): void {
    for (const lane of worker.lanes) {
      const at = this.#lanes.indexOf(lane);
      if (at !== -1) this.#retiring.push(...this.#lanes.splice(at, 1));
    }
  }

  /** Has an exchange sent when it is its turn. */
  submit(exchange: Exchange): void {
    this.#queue.push(exchange);
    this.#plan();
    if (this.#watching === undefined) this.#watchLater(performance.now());
  }

  onFree(_lane: Lane): void {
    if (this.#queue.length > 0) this.#flush();
  }

  onReturned(exchange: Exchange): void {
    if (exchange.isOver) return;
    // It was here before all others that wait.
    this.#queue.unshift(exchange);
    this.#plan();
  }

  onServed(lane: Lane, count: number, tookUs: number): void {
    this.#served += count;
    if (!lane.isShared && tookUs > 0) this.#averageUs += (tookUs / count - this.#averageUs) / 8;
    this.#onServed(lane.worker, count);
  }

  /** After everything that is at hand now was read: requests that came together leave together. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const free = this.#lanes.filter((lane) => lane.isFree);
    while (this.#queue.length > 0 && free.length > 0) {
      const lane = takeLeastLoaded(free);
      const fair = Math.ceil(this.#queue.length / (free.length + 1));
      const due = this.#takeBatch(Math.min(fair, this.#batchLimit(lane)));
      if (due.length === 0) {
        free.push(lane);
        continue;
      }
      lane.start(due);
      if (!lane.isShared && due.length > 1 && this.#recalling === undefined) {
        this.#recalling = setTimeout(() => this.#recall(), RECALL_MS);
      }
    }
  }

  /** The next in the queue, as many as allowed; what is large goes alone, so that a worker can have read all it is sent. */
  #takeBatch(limit: number): Exchange[] {
    let count = 0;
    for (let bytes = 0; count < limit && count < this.#queue.length && bytes < MAX_BATCH_BYTES; count++) {
      bytes += this.#queue[count]?.opening.body?.length ?? 0;
    }
    return this.#queue.splice(0, count).filter((exchange) => !exchange.isOver);
  }

  #batchLimit(lane: Lane): number {
    if (lane.isShared) return SHARED_BATCH;
    if (this.#averageUs > SLOW_US) return 1;
    return Math.min(MAX_BATCH, Math.max(1, Math.floor(BATCH_US / Math.max(1, this.#averageUs))));
  }

  /** Frees requests that were sent behind one that turns out to be slow. */
  #recall(): void {
    this.#recalling = undefined;
    const now = performance.now();
    let isAgain = false;
    for (const lane of this.#lanes) {
      if (lane.isShared || lane.open.size < 2) continue;
      if (now - lane.movedAt >= RECALL_MS) {
        lane.worker.recall(lane);
        // It will not be asked again at once.
        lane.movedAt = now + 10 * RECALL_MS;
        this.#averageUs = Math.max(this.#averageUs, SLOW_US / 2);
      }
      isAgain = true;
    }
    if (isAgain) this.#recalling = setTimeout(() => this.#recall(), RECALL_MS);
  }

  #watchLater(now: number): void {
    this.#watchedAt = now;
    this.#watching = setTimeout(() => this.#watch(), WATCH_MS);
  }

  #watch(): void {
    const now = performance.now();
    const lateMs = now - this.#watchedAt - WATCH_MS;
    const lanes = [...this.#lanes, ...this.#retiring];
    for (const exchange of [...this.#queue, ...lanes.flatMap(({ open }) => open.values())]) {
      // Workers stand still with us, and what they have answered is yet to be read.
      if (lateMs > HELD_UP_MS) exchange.askedAt = Math.min(now, exchange.askedAt + lateMs);
      exchange.watch(now);
    }
    this.#queue = this.#queue.filter((exchange) => !exchange.isOver);
    this.#retiring = this.#retiring.filter((lane) => lane.open.size > 0);
    const open = lanes.reduce((sum, lane) => sum + lane.open.size, this.#queue.length);
    this.#watching = undefined;
    if (open > 0) this.#watchLater(now);
  }
}

/** The free lane with the least on it; among equals the one that was free last, whose memory is warm. */
function takeLeastLoaded(free: Lane[]): Lane {
  let best = 0;
  for (let index = 1; index < free.length; index++) {
    const [lane, chosen] = [free[index] as Lane, free[best] as Lane];
    if (
      lane.open.size < chosen.open.size ||
      (lane.open.size === chosen.open.size && lane.movedAt > chosen.movedAt)
    ) {
      best = index;
    }
  }
  return free.splice(best, 1)[0] as Lane;
}
