/** A connection as the rules see it. */
export interface Link {
  readonly openedMs: number;
  /** Since when it carries its request, or waits for one. */
  sinceMs: number;
  /** Requests it has answered. */
  uses: number;
}

/** A request as the rules see it. */
export interface Asking {
  /** Since when it waits; set when it comes. */
  sinceMs: number;
  /** Whether it may be sent again when a connection ended without a word. */
  isRepeatable: boolean;
}
