import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { TestContext } from 'node:test';
import { listen } from './stub-server.js';

/** How a {@link startRanges} server behaves. */
export interface RangeBehaviour {
  /** Answer to ranges at all. */
  readonly ranges?: boolean;
  /** Break off after so many bytes of the body, in the requests of these numbers. */
  readonly breakAfter?: ReadonlyMap<number, number>;
  readonly etag?: string | (() => string);
  readonly wrongStart?: boolean;
}

/** A server of one file that knows ranges and `If-Range`, and can break off. */
export async function startRanges(t: TestContext, content: () => Buffer, behaviour: RangeBehaviour = {}) {
  const requests: Array<IncomingMessage['headers']> = [];
  const server = createServer((req, res) => {
    const number = requests.push(req.headers) - 1;
    const body = content();
    const given = behaviour.etag ?? (() => `"${createHash('md5').update(body).digest('hex')}"`);
    const etag = typeof given === 'string' ? given : given();
    const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '');
    const fits = req.headers['if-range'] === undefined || req.headers['if-range'] === etag;
    const limit = behaviour.breakAfter?.get(number);
    const send = (bytes: Buffer): void => {
      if (limit === undefined) res.end(bytes);
      else res.write(bytes.subarray(0, limit), () => setTimeout(() => res.destroy(), 20));
    };
    if (range === null || behaviour.ranges === false || !fits) {
      res.writeHead(200, { 'content-length': body.length, etag });
      return send(body);
    }
    const start = Number(range[1]) + (behaviour.wrongStart ? 1 : 0);
    const end = range[2] ? Number(range[2]) : body.length - 1;
    if (start >= body.length) {
      res.writeHead(416, { 'content-range': `bytes */${body.length}` });
      return res.end('no');
    }
    const part = body.subarray(start, end + 1);
    res.writeHead(206, {
      'content-range': `bytes ${start}-${end}/${body.length}`,
      'content-length': part.length,
      etag,
    });
    send(part);
  });
  const port = await listen(t, server);
  return { url: `http://127.0.0.1:${port}/file.bin`, requests };
}
