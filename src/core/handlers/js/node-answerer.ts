import type { Duplex } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderList, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { Clock } from '../../http/server/clock.js';
import type { NodeApplication, UpgradeListener } from './application.js';
import { applicationHeaders } from './application-headers.js';
import { HostedMessage, toRawHeaders } from './hosted-message.js';
import { HostedSocket } from './hosted-socket.js';
import { NodeExchange } from './node-exchange.js';
import type { JsSettings } from './settings.js';

/** Answers with what a Node listener answers. */
export function createNodeAnswerer(app: NodeApplication, settings: JsSettings) {
  const { requestTimeoutMs: timeoutMs, failed } = settings;
  const clock = new Clock(Math.max(10, Math.min(500, timeoutMs / 4)));
  const sockets = new WeakMap<object, HostedSocket>();
  const known = new WeakMap<HeaderList, readonly string[]>();
  const rawHeadersOf = (request: IncomingRequest): string[] => {
    const { headers } = request;
    const before = known.get(headers);
    if (before !== undefined) return before.slice();
    const raw = toRawHeaders(applicationHeaders(request, settings), mayHaveBody(request));
    // They come again, on the same connection.
    if (Object.isFrozen(headers)) known.set(headers, raw.slice());
    return raw;
  };
  return (request: IncomingRequest): HttpResponse | Promise<HttpResponse> => {
    const rawHeaders = rawHeadersOf(request);
    const socket = socketFor(request, sockets);
    try {
      return new NodeExchange({ request, rawHeaders, socket, clock, timeoutMs, failed }).run(app.listener);
    } catch (error) {
      return failed(request, error);
    }
  };
}

/** One for all requests of a connection, unless it is busy (HTTP/2), was ended, or a proxy brings another client. */
function socketFor(request: IncomingRequest, sockets: WeakMap<object, HostedSocket>): HostedSocket {
  const { connection } = request;
  if (connection === undefined) return new HostedSocket(request);
  const known = sockets.get(connection);
  if (known?._httpMessage === null && !known.destroyed && known.standsFor(request)) {
    known.request = request;
    return known;
  }
  const socket = new HostedSocket(request);
  sockets.set(connection, socket);
  return socket;
}

/** Hands the connection itself to the application, as node:http does; until it writes, its time is limited. */
export function upgradeNode(
  listener: UpgradeListener,
  request: IncomingRequest,
  socket: Duplex & { readonly bytesWritten?: number },
  { head, settings }: { readonly head: Buffer; readonly settings: JsSettings },
): Promise<void> {
  const fields = applicationHeaders(request, settings);
  fields.push(['Connection', 'Upgrade'], ['Upgrade', getHeader(request.headers, 'upgrade') ?? '']);
  const hosted = new HostedSocket(request);
  const message = new HostedMessage(request, toRawHeaders(fields, mayHaveBody(request)), hosted, () => {});
  Object.assign(message, { upgrade: true });
  const before = socket.bytesWritten;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (socket.bytesWritten !== before) return resolve();
      const text = `the application did not answer within ${settings.requestTimeoutMs} ms`;
      reject(new GatewayError(504, text));
    }, settings.requestTimeoutMs);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      hosted.destroy();
      resolve();
    });
    Promise.try(() => listener(message, socket, head)).catch((error) => {
      if (socket.bytesWritten === before) return reject(error);
      settings.logError(error);
      socket.destroy();
    });
  });
}
