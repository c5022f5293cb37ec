import { once } from 'node:events';
import {
  type AddressInfo,
  createServer,
  type NetConnectOpts,
  connect as netConnect,
  type Socket,
} from 'node:net';
import type { TestContext } from 'node:test';

/** A TCP server of this process that may be half open; its sockets and itself are gone with the test. */
export async function listenTcp(
  t: TestContext,
  onSocket: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  }).listen({ port: 0, host, backlog: 1024 });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** A connected socket that is gone with the test. */
export async function connectTcp(t: TestContext, options: NetConnectOpts): Promise<Socket> {
  const socket = netConnect({ host: '127.0.0.1', allowHalfOpen: true, ...options } as NetConnectOpts);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}

/** Everything a socket brings to its peer's FIN, or until it breaks. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  }
  return Buffer.concat(chunks);
}

/** The next bytes, at least so many; the socket is paused behind them. */
export function readSome(socket: Socket, size = 1): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < size) return;
      socket.off('data', onData).pause();
      resolve(Buffer.concat(chunks));
    };
    socket.on('data', onData).resume();
    socket.once('close', () => reject(new Error(`closed after ${length} of ${size} bytes`)));
  });
}

/** Several connected sockets. */
export async function connectThree(t: TestContext, port: number): Promise<[Socket, Socket, Socket]> {
  const one = await connectTcp(t, { port });
  const two = await connectTcp(t, { port });
  return [one, two, await connectTcp(t, { port })];
}

/** Bytes of every value, not the same at any two places. */
export function someBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = 42;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[at] = state >>> 16;
  }
  return bytes;
}
