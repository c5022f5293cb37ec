import { startShell } from '../../platform/shell.js';
import type { Connection } from '../connection.js';
import { toStream, transfer } from '../flow.js';
import { MOST_LENDING, withLentReads } from '../lent-reads.js';
import type { Mode } from './mode.js';

/** What a command per connection runs with. */
export interface ExecOptions {
  readonly commandLine: string;
  readonly cwd?: string | undefined;
  onStderr(bytes: Buffer): void;
}

/** Joins each connection to a process of its own: its stdin and stdout are the connection's two directions. */
export function execMode(options: ExecOptions): Mode {
  const children = new Set<ReturnType<typeof startShell>>();
  return {
    descriptorsEach: 5,
    async handle(connection) {
      const child = startShell(options.commandLine, { ...options, env: environmentOf(connection) });
      children.add(child);
      const stdout = children.size > MOST_LENDING ? child.stdout : withLentReads(child.stdout);
      const deliver = toStream(child.stdin);
      // A process that reads no more still may write: what it does not want is dropped.
      const incoming = connection
        .receive({ sink: (bytes) => (child.stdin.writable ? deliver(bytes)?.catch(() => {}) : undefined) })
        .finally(() => child.stdin.end());
      const over = Promise.all([transfer(stdout, connection.send), child.exited]);
      try {
        // The process decides when it is over, unless the connection breaks before.
        await Promise.race([over, incoming.then(() => over)]);
      } finally {
        incoming.catch(() => {});
        over.catch(() => {});
        await child.stop();
        children.delete(child);
      }
    },
    async close() {
      await Promise.all([...children].map((child) => child.stop()));
    },
  };
}

function environmentOf(connection: Connection): Record<string, string> {
  const { localAddress, localPort } = connection.socket;
  return {
    NETTOOL_REMOTE_ADDRESS: connection.remoteAddress ?? '',
    NETTOOL_REMOTE_PORT: String(connection.remotePort ?? ''),
    NETTOOL_LOCAL_ADDRESS: localAddress ?? '',
    NETTOOL_LOCAL_PORT: String(localPort ?? ''),
  };
}
