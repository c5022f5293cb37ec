import { createServer } from 'node:net';
import { listen } from '../../net/listener.js';
import type { Handler } from '../handler.js';
import type { RunningServer, ServeOptions } from '../server-types.js';
import { peerOf, serveHttp1 } from './accept.js';
import { ServerContext } from './context.js';

export async function serveHttp(handler: Handler, options: ServeOptions): Promise<RunningServer> {
  const context = new ServerContext(handler, options);
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    serveHttp1(socket, context, peerOf(socket));
  });
  const bound = await listen(server, options);
  return { url: `http://127.0.0.1:${bound.port}/`, host: bound.host, port: bound.port } as RunningServer;
}
