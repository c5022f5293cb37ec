import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { getAllHeaders, getHeader, toHeaderRecord } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { AcceptedHandshake } from './websocket-exchange.js';

/** A client that has not answered a ping by the next one is gone. */
const PING_MS = 20_000;

/** A handshake as `ws` is shown it, with what the application has accepted it with. */
interface Handshake {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly accepted: AcceptedHandshake;
}

/** Whether a request asks for a WebSocket (RFC 6455, section 4.2.1). */
export function isWebSocketRequest(request: IncomingRequest): boolean {
  return getHeader(request.headers, 'upgrade')?.toLowerCase() === 'websocket';
}

/** What is wrong with a handshake, as the answer to it; nothing when it is sound. */
export function refuseHandshake(request: IncomingRequest): HttpResponse | undefined {
  const version = getHeader(request.headers, 'sec-websocket-version');
  const keys = getAllHeaders(request.headers, 'sec-websocket-key');
  if (version !== '13') return refusal(426, [['Sec-WebSocket-Version', '13']]);
  if (request.method !== 'GET') return refusal(405, [['Allow', 'GET']]);
  if (keys.length !== 1 || !/^[+/0-9A-Za-z]{22}==$/.test(keys[0] ?? '')) return refusal(400, []);
  const protocols = getAllHeaders(request.headers, 'sec-websocket-protocol').join(',');
  if (
    protocols !== '' &&
    !/^\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s*,\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*\s*$/.test(protocols)
  ) {
    return refusal(400, []);
  }
  return undefined;
}

function refusal(status: number, headers: HttpResponse['headers']): HttpResponse {
  return {
    status,
    headers: [...headers, ['Content-Type', 'text/plain; charset=utf-8']],
    body: 'not a WebSocket handshake\n',
  };
}

/** The WebSockets of a handler: framing, compression, pings and limits. */
export class WebSockets {
  readonly #server: WebSocketServer;
  readonly #alive = new Map<WebSocket, boolean>();
  readonly #pings: NodeJS.Timeout;

  constructor(maxMessageBytes: number) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: maxMessageBytes,
      perMessageDeflate: { threshold: 1024, zlibDeflateOptions: { level: 3, memLevel: 7 } },
      handleProtocols: (_offered, message) => (message as unknown as Handshake).accepted.protocol || false,
    });
    this.#server.on('headers', (lines, message) => {
      for (const [name, value] of (message as unknown as Handshake).accepted.headers) {
        lines.push(`${name}: ${value}`);
      }
    });
    this.#pings = setInterval(() => this.#ping(), PING_MS);
    this.#pings.unref();
  }

  /** Answers 101 and resolves with the open WebSocket. */
  accept(
    request: IncomingRequest,
    socket: Duplex,
    head: Buffer,
    accepted: AcceptedHandshake,
  ): Promise<WebSocket> {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(toHeaderRecord(request.headers))) {
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const handshake: Handshake = { method: request.method, url: request.target, headers, accepted };
    return new Promise((resolve, reject) => {
      const onClose = (): void => reject(new Error('the client has left'));
      socket.once('close', onClose);
      this.#server.handleUpgrade(handshake as unknown as IncomingMessage, socket, head, (opened) => {
        socket.removeListener('close', onClose);
        this.#alive.set(opened, true);
        opened.on('pong', () => this.#alive.set(opened, true));
        opened.on('close', () => this.#alive.delete(opened));
        resolve(opened);
      });
    });
  }

  /** Cuts what is still open. */
  close(): void {
    clearInterval(this.#pings);
    for (const socket of this.#alive.keys()) socket.terminate();
  }

  #ping(): void {
    for (const [socket, isAlive] of this.#alive) {
      if (!isAlive) {
        socket.terminate();
        continue;
      }
      this.#alive.set(socket, false);
      socket.ping();
    }
  }
}
