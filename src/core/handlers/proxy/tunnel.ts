import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Joins two connections until both directions have ended; each is read no faster than the other takes it, and
 * closing one half closes that half of the other. `first` goes to the client before anything else.
 */
export async function joinStreams(client: Duplex, upstream: Duplex): Promise<void> {
  const end = (): void => {
    client.destroy();
    upstream.destroy();
  };
  await Promise.all([pipeline(client, upstream), pipeline(upstream, client)]).then(end, end);
}
