import { toNettoolError } from '../errors.js';
import { dial } from './dial.js';
import type { PortEvent } from './socket-events.js';

/** Connections that are tried at the same time. */
const PARALLEL = 200;

/** Which ports of a host are tried. */
export interface ScanOptions {
  readonly host: string;
  readonly ports: readonly number[];
  readonly family?: 4 | 6 | undefined;
  readonly source?: { readonly host: string; readonly port?: number } | undefined;
  /** For each port; one that says nothing for so long is filtered. */
  readonly timeoutMs: number;
  readonly onPort: (event: PortEvent) => void;
  readonly signal: AbortSignal;
}

/** Tries to connect to each port, and tells them in the order they were given; resolves with how many are open. */
export async function scanPorts(options: ScanOptions): Promise<number> {
  const { ports, onPort, signal } = options;
  const states = new Map<number, PortEvent['state']>();
  let next = 0;
  let told = 0;
  let open = 0;
  const work = async (): Promise<void> => {
    while (next < ports.length && !signal.aborted) {
      const index = next++;
      states.set(index, await probe(options, ports[index] as number));
      // In order, each as soon as all before it are known.
      for (let state = states.get(told); state !== undefined; state = states.get(told)) {
        onPort({ type: 'port', port: ports[told] as number, state });
        if (state === 'open') open += 1;
        states.delete(told);
        told += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, ports.length) }, work));
  signal.throwIfAborted();
  return open;
}

async function probe(options: ScanOptions, port: number): Promise<PortEvent['state']> {
  const { host, family, source, timeoutMs, signal } = options;
  try {
    const { socket } = await dial({ endpoint: { host, port }, family, source, timeoutMs, signal });
    socket.destroy();
    return 'open';
  } catch (error) {
    const failure = toNettoolError(error);
    if (failure.code === 'CONNECTION_REFUSED' || failure.code === 'CONNECTION_BROKEN') return 'closed';
    if (failure.code === 'TIMEOUT' || failure.code === 'UNREACHABLE' || failure.code === 'PERMISSION')
      return 'filtered';
    throw error;
  }
}
