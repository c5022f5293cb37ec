import type { IncomingRequest } from './messages.js';

/** What an exchange ends with when its client left: nobody's fault, and nobody is there to be told. */
export const CLIENT_LEFT = new Error('the client has left');

/** Whether an application failed for no other reason than that its client has left. */
export function isClientGone({ signal }: IncomingRequest, error: unknown): boolean {
  if (!signal.aborted) return false;
  return (
    error === CLIENT_LEFT || error === signal.reason || (error as Error | undefined)?.name === 'AbortError'
  );
}

/** Calls back when the client leaves before its answer is complete; without a signal where that can be done. */
export function onClientGone(request: IncomingRequest, listener: () => void): void {
  if (request.onAbort !== undefined) request.onAbort(listener);
  else if (request.signal.aborted) listener();
  else request.signal.addEventListener('abort', listener);
}
