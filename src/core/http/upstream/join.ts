import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getHeader } from '../headers.js';
import { endToEndHeaders } from '../hop-by-hop.js';
import type { UpstreamReply } from './types.js';

/**
 * Tells the client of the change of protocol that an upstream agreed to, and joins the two connections until both
 * directions have ended: each is read no faster than the other takes it. `head` is what the client sent ahead.
 */
export async function joinUpgrade(reply: UpstreamReply, client: Duplex, head: Buffer): Promise<void> {
  if (reply.upgraded === undefined) return;
  const { socket, rest } = reply.upgraded;
  const fields = endToEndHeaders(reply.head.headers);
  fields.push(['Connection', 'Upgrade'], ['Upgrade', getHeader(reply.head.headers, 'upgrade') ?? '']);
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`, 'latin1');
  if (rest.byteLength > 0) client.write(rest);
  if (head.byteLength > 0) socket.write(head);
  const end = (): void => {
    client.destroy();
    socket.destroy();
  };
  await Promise.all([pipeline(client, socket), pipeline(socket, client)]).then(end, end);
}
