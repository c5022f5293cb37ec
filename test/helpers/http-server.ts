import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { listen } from './stub-server.js';

/** A request as a test server got it. */
export interface Received {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Starts an ordinary HTTP server that keeps every request it gets. */
export async function startHttp(
  t: TestContext,
  answer: (res: ServerResponse, received: Received) => unknown,
): Promise<{ url: string; port: number; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const { method, url: target, headers } = req;
    const request = { method, target, headers, body: Buffer.concat(chunks).toString() };
    received.push(request);
    answer(res, request);
  });
  const port = await listen(t, server);
  return { url: `http://127.0.0.1:${port}`, port, received };
}
