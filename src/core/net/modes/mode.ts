import type { Connection, Output } from '../connection.js';

/** What a server does with its connections. */
export interface Mode {
  /** How many descriptors a connection takes, its socket included. */
  readonly descriptorsEach?: number;
  /** Resolves when nothing is left to do for a connection; its FIN is sent then, if it was not before. */
  handle(connection: Connection): Promise<void>;
  /** The server stops: nothing more is coming from its side. */
  finish?(): void;
  /** Frees what the mode holds, when all connections are over. */
  close?(): Promise<void>;
}

/** Where what a connection says goes. */
export type OpenOutput = (connection: Connection) => Output;
