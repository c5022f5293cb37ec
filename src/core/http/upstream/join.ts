import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getHeader } from '../headers.js';
import { endToEndHeaders } from '../hop-by-hop.js';
import type { UpstreamReply } from './types.js';
import { WebSocketEnd } from './websocket-end.js';

/** How long one end of a WebSocket may go on when the other has ended. */
const CLOSING_MS = 10_000;

/** The WebSockets of connections that were joined. */
export class Joints {
  readonly #all = new Set<WebSocketEnd>();
  #isRetired = false;

  add(joint: WebSocketEnd): void {
    this.#all.add(joint);
    // Its handshake was still under way then.
    if (this.#isRetired) joint.retire();
  }

  delete(joint: WebSocketEnd): void {
    this.#all.delete(joint);
  }

  /** Ends them in order, and whatever else is joined from now on. */
  retire(): void {
    this.#isRetired = true;
    for (const joint of this.#all) joint.retire();
  }
}

/**
 * Tells the client of the change of protocol that an upstream agreed to, and joins the two connections until both
 * directions have ended: each is read no faster than the other takes it. `head` is what the client sent ahead. A
 * WebSocket is over when one of them has (RFC 6455, section 7.1.1), or those who only leave would stay for ever.
 */
export async function joinUpgrade(
  reply: UpstreamReply,
  client: Duplex,
  head: Buffer,
  joints: Joints,
  closingMs = CLOSING_MS,
): Promise<void> {
  if (reply.upgraded === undefined) return;
  const { socket, rest } = reply.upgraded;
  const protocol = getHeader(reply.head.headers, 'upgrade') ?? '';
  const fields = endToEndHeaders(reply.head.headers);
  fields.push(['Connection', 'Upgrade'], ['Upgrade', protocol]);
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`, 'latin1');
  const outward = /^websocket$/i.test(protocol) ? new WebSocketEnd() : undefined;
  if (rest.byteLength > 0) (outward ?? client).write(rest);
  if (head.byteLength > 0) socket.write(head);
  if (outward !== undefined) joints.add(outward);
  // Two pipelines and what TLS listens to are more than node takes for sound.
  client.setMaxListeners(0);
  const back = outward === undefined ? pipeline(socket, client) : pipeline(socket, outward, client);
  const both = [pipeline(client, socket), back];
  let closing: NodeJS.Timeout | undefined;
  try {
    if (outward !== undefined) {
      await Promise.race(both);
      closing = setTimeout(() => socket.destroy(), closingMs);
    }
    await Promise.all(both);
  } catch {
    // Whoever broke it off knows.
  } finally {
    clearTimeout(closing);
    if (outward !== undefined) joints.delete(outward);
    client.destroy();
    socket.destroy();
  }
}
