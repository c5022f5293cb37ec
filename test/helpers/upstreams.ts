import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A server for a proxy to stand before. */
export interface TestUpstream {
  readonly port: number;
  readonly url: string;
  readonly server: Server;
  /** Connections that were made so far. */
  connections(): number;
  stop(): Promise<void>;
}

/** An upstream made with node's server. */
export async function startUpstream(
  t: TestContext,
  listener: RequestListener,
  port = 0,
): Promise<TestUpstream> {
  const server = createHttpServer(listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  t.after(stop);
  const bound = (server.address() as AddressInfo).port;
  return { port: bound, url: `http://127.0.0.1:${bound}`, server, connections: () => connections, stop };
}

/** An upstream of the test's own: `respond` gets each request's bytes, numbered from 1 over all connections. */
export async function startRawUpstream(
  t: TestContext,
  respond: (socket: Socket, request: number, text: string) => void,
): Promise<{ port: number; url: string; requests: string[]; connections(): number }> {
  const requests: string[] = [];
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      const request = text;
      text = '';
      respond(socket, requests.push(request), request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, requests, connections: () => connections };
}
