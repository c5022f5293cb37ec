import { connect, type Socket } from 'node:net';
import { toNettoolError } from '../../errors.js';
import type { BackendListener, PingBackend, PingOptions, PingTarget, ProbeError } from '../types.js';

/** A connection nobody waits for any more is given up. */
const CONNECT_LIMIT_MS = 10_000;

/** Measures how long a TCP port takes to accept; a refusal is an error that names itself. */
export function openTcpBackend(port: number, options: PingOptions, listener: BackendListener): PingBackend {
  const open = new Set<Socket>();
  return {
    method: 'tcp',
    send(target, seq) {
      const startedMs = performance.now();
      const socket = connect(connectOptions(target, port, options));
      open.add(socket);
      socket.setTimeout(options.timeoutMs || CONNECT_LIMIT_MS, () => socket.destroy());
      socket.once('connect', () => {
        const timeMs = performance.now() - startedMs;
        socket.destroy();
        listener.reply(target, seq, { timeMs, bytes: 0, ttl: null });
      });
      socket.once('error', (error) => listener.error(target, seq, toProbeError(error, target)));
      socket.once('close', () => open.delete(socket));
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** Where a probe by connection goes, and from where. */
export function connectOptions({ address, family }: PingTarget, port: number, options: PingOptions) {
  const local = options.sourceAddress === undefined ? {} : { localAddress: options.sourceAddress };
  return { host: address, port, family, noDelay: true, ...local };
}

/** Words for a connection that failed, such as `Connection refused`. */
export function toProbeError(error: Error, { address }: PingTarget): ProbeError {
  const code = (error as NodeJS.ErrnoException).code;
  const words = toNettoolError(error).message;
  const message = words.charAt(0).toUpperCase() + words.slice(1);
  // What the peer itself did; the rest is this system's own view.
  const from = code === 'ECONNREFUSED' || code === 'ECONNRESET' ? address : null;
  return { from, icmpType: null, icmpCode: null, message, ...(code === undefined ? {} : { code }) };
}
