import type { Connection } from './connection.js';

/** What open connections get to finish when a server stops. */
const GRACE_MS = 5000;

/** A connection on which nothing moved for so long is not at work. */
const QUIET_MS = 250;

/** Lets connections that are at work finish, ends those that are not, and cuts off what is left after the grace time. */
export async function drain(open: ReadonlySet<Connection>): Promise<void> {
  const moved = new Map<Connection, number>();
  const endsAt = performance.now() + GRACE_MS;
  while (open.size > 0) {
    const late = performance.now() >= endsAt;
    for (const connection of open) {
      if (late) connection.destroy('signal');
      else if (isQuiet(connection, moved.get(connection))) endQuiet(connection);
      moved.set(connection, connection.bytesIn + connection.bytesOut);
    }
    await Promise.race([
      wait(QUIET_MS),
      Promise.all([...open].map(({ closed }) => closed)).then(() => wait(0)),
    ]);
  }
}

function isQuiet(connection: Connection, before: number | undefined): boolean {
  return before === connection.bytesIn + connection.bytesOut && connection.socket.writableLength === 0;
}

/** First a FIN; a peer that has not answered it by the next look has nothing to say. */
function endQuiet(connection: Connection): void {
  if (connection.socket.writableEnded) connection.destroy('signal');
  else connection.end('signal');
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
