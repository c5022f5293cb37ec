import type { ServerContext } from './context.js';
import type { Exchange } from './exchange.js';
import type { Origin } from './request.js';
import type { Wire } from './wire.js';

/** The connection an exchange takes place on. */
export interface ExchangeHost extends Origin {
  readonly context: ServerContext;
  readonly wire: Wire;
  deadline: number;
  /** The client has closed its side. */
  readonly hasPeerEnded: boolean;
  /** Bytes of the body are wanted, or not. */
  bodyFlow(): void;
  /** The exchange is over; `stays` says whether another may follow. */
  exchangeOver(stays: boolean): void;
  /** The handler takes the connection over. */
  upgrade(exchange: Exchange): void;
}
