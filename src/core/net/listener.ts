import { type AddressInfo, createServer, type Server } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort } from './address.js';

/** Connections the kernel may hold for us while we are busy; it cuts this to its own limit. */
const BACKLOG = 4096;

/** How many ports after a busy one are tried. */
const PORTS_TO_TRY = 100;

const LAST_PORT = 65_535;

/** Where to listen. */
export interface ListenOptions {
  /** An address or a name of this machine. */
  readonly host: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
  /** Takes the next free port when this one is in use. */
  readonly portFallback?: boolean;
  /** Lets several processes share the port. */
  readonly reusePort?: boolean;
  readonly backlog?: number;
}

/** Where a server listens: the address a name stood for, and the port it really got. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** Binds any server of `node:net`; a failure says which address, why, and what could be done about it. */
export async function listen(server: Server, options: ListenOptions): Promise<BoundAddress> {
  const { host, port, portFallback = false } = options;
  const last = portFallback && port !== 0 ? Math.min(port + PORTS_TO_TRY, LAST_PORT) : port;
  for (let candidate = port; ; candidate += 1) {
    try {
      return await bind(server, { ...options, host, port: candidate });
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE' || candidate >= last) throw await toListenError(error, host, port);
    }
  }
}

function bind(server: Server, options: ListenOptions): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const { host, port, reusePort = false, backlog = BACKLOG } = options;
    server.listen({ host, port, backlog, reusePort }, () => {
      server.off('error', reject);
      // A connection that cannot be accepted (no descriptor left) must not end the process.
      server.on('error', () => {});
      const { address, port: bound } = server.address() as AddressInfo;
      resolve({ host: address, port: bound });
    });
  });
}

async function toListenError(error: unknown, host: string, port: number): Promise<NettoolError> {
  const doing = `cannot listen on ${formatHostPort(host, port)}`;
  const { code, message } = toNettoolError(error, doing);
  // A link-local IPv6 address without its zone.
  if (codeOf(error) === 'EINVAL') {
    return new NettoolError('ADDRESS_NOT_AVAILABLE', `${doing} (not a usable address)`, { cause: error });
  }
  return new NettoolError(code, message, { cause: error, hint: await hintFor(code, host, port) });
}

async function hintFor(code: string, host: string, port: number): Promise<string | undefined> {
  if (code === 'ADDRESS_IN_USE') {
    const free = await findFreePort(host, port + 1);
    return free === undefined ? undefined : `port ${free} is free`;
  }
  if (code === 'PERMISSION' && port < 1024) return 'ports below 1024 are for root; take one from 1024 up';
  if (code === 'ADDRESS_NOT_AVAILABLE') return '0.0.0.0 stands for every address of this machine';
  return undefined;
}

/** The first port from `first` on that can really be bound. */
async function findFreePort(host: string, first: number): Promise<number | undefined> {
  for (let port = first; port <= Math.min(first + PORTS_TO_TRY, LAST_PORT); port += 1) {
    const probe = createServer();
    try {
      await bind(probe, { host, port });
      return port;
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE') return undefined;
    } finally {
      await new Promise((resolve) => probe.close(resolve));
    }
  }
  return undefined;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
