/** What a Node worker tells its parent. */
export type ToParent =
  | { readonly type: 'ready' }
  /** It cannot start, and why. */
  | { readonly type: 'failed'; readonly reason: string }
  /** It has finished what it was given. */
  | { readonly type: 'drained' }
  | { readonly type: 'served'; readonly count: number }
  | { readonly type: 'message'; readonly content: unknown };

/** What a parent tells its Node worker. */
export type ToWorker =
  /** Take nothing new; finish what runs. */
  { readonly type: 'drain' } | { readonly type: 'message'; readonly content: unknown };
