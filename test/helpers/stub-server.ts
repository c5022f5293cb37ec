import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** What a stub does with a connection once a request's head is there: `socket.end('HTTP/1.1 200 OK\r\n…')`. */
export type Answer = (socket: Socket, request: string, index: number) => unknown;

/** A raw-socket server that says exactly what it is told to. */
export interface Stub {
  readonly url: string;
  readonly port: number;
  /** Everything received, one string per connection, latin1. */
  readonly requests: string[];
}

/** Starts a stub on a free port; the test fails when nobody called it. */
export async function startStub(t: TestContext, answer: Answer): Promise<Stub> {
  const requests: string[] = [];
  const server = createServer((socket) => {
    const index = requests.push('') - 1;
    let answered = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      requests[index] += chunk.toString('latin1');
      if (answered || !requests[index]?.includes('\r\n\r\n')) return;
      answered = true;
      answer(socket, requests[index], index);
    });
  });
  const port = await listen(t, server);
  t.after(() => assert.notEqual(requests.length, 0, 'the stub was never called'));
  return { url: `http://127.0.0.1:${port}`, port, requests };
}

/** Starts a stub that always answers the same bytes and closes. */
export function startFixedStub(t: TestContext, reply: string | Buffer): Promise<Stub> {
  return startStub(t, (socket) => socket.end(reply));
}

/** Binds any server to a free port of 127.0.0.1 until the test is over. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
