const READS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether a request asks for a change: what a password for writing only has to guard. */
export function isWrite({ method }: { readonly method: string }): boolean {
  return !READS.has(method);
}
