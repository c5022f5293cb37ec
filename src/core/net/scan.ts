import { type ErrorCode, toNettoolError } from '../errors.js';
import { dial } from './dial.js';
import { lookup } from './lookup.js';
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
  const { host, family, ports, onPort, signal } = options;
  const addresses = (await lookup(host, { family, signal })).map(({ address }) => address);
  const states = new Map<number, PortEvent['state']>();
  let next = 0;
  let told = 0;
  let open = 0;
  const work = async (): Promise<void> => {
    while (next < ports.length && !signal.aborted) {
      const index = next++;
      states.set(index, await probeAll(options, addresses, ports[index] as number));
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

/** Open at one address is open; what one of them hides is hidden. */
async function probeAll(
  options: ScanOptions,
  addresses: readonly string[],
  port: number,
): Promise<PortEvent['state']> {
  const states = await Promise.all(addresses.map((address) => probe(options, address, port)));
  if (states.includes('open')) return 'open';
  return states.includes('filtered') ? 'filtered' : 'closed';
}

async function probe(options: ScanOptions, address: string, port: number): Promise<PortEvent['state']> {
  const { source, timeoutMs, signal } = options;
  try {
    const { socket } = await dial({ endpoint: { host: address, port }, source, timeoutMs, signal });
    socket.destroy();
    return 'open';
  } catch (error) {
    const state = STATES[toNettoolError(error).code];
    if (state === undefined) throw error;
    return state;
  }
}

const STATES: Readonly<Partial<Record<ErrorCode, PortEvent['state']>>> = {
  CONNECTION_REFUSED: 'closed',
  CONNECTION_BROKEN: 'closed',
  TIMEOUT: 'filtered',
  UNREACHABLE: 'filtered',
  PERMISSION: 'filtered',
};
