import { createServer, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import type { HeaderPair } from '../../src/core/http/messages.js';
import { createDecoder } from '../../src/core/http/server/decode-body.js';
import { type Head, parseHead } from '../../src/core/http/server/parse-head.js';
import { Refusal } from '../../src/core/http/server/status.js';

/** What a parser makes of some bytes: the requests it would act on, each with its body, and how it ended. */
export interface Reading {
  readonly requests: readonly ReadRequest[];
  readonly refusal: string | undefined;
}

interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderPair[];
  /** Undefined when it did not come to its end. */
  readonly body: string | undefined;
}

const LIMITS = { maxTargetBytes: 8192, maxHeaderBytes: 16_384, maxFields: 100, maxBodyBytes: 1e9 };

/** Reads with the engine's parser and decoder. */
export function readWithEngine(text: string): Reading {
  const bytes = Buffer.from(text, 'latin1');
  const requests: ReadRequest[] = [];
  let at = 0;
  let fields: Head['fields'] | undefined;
  try {
    while (at < bytes.length) {
      const head = parseHead(text, at, LIMITS, fields);
      if (head === undefined) return { requests, refusal: undefined };
      if (head instanceof Refusal) return { requests, refusal: head.message };
      fields = head.fields;
      at = head.end;
      const { method, target } = head;
      const { headers } = head.fields;
      const decoder = createDecoder(head.length, LIMITS);
      let body = '';
      requests.push({ method, target, headers, body: undefined });
      if (!decoder.done) {
        at += decoder.feed(bytes.subarray(at), (content) => {
          body += content.toString('latin1');
        });
      }
      if (!decoder.done) return { requests, refusal: undefined };
      requests[requests.length - 1] = { method, target, headers, body };
      if (!head.keepAlive) return { requests, refusal: undefined };
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { requests, refusal: error.message };
  }
  return { requests, refusal: undefined };
}

/** node's own parser, behind a server that never sees a socket. */
export class NodeReader {
  readonly #server: Server;
  #requests: ReadRequest[] = [];
  #refusal: string | undefined;

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
    this.#server.on('request', (request, response) => {
      const index = this.#requests.length;
      const headers: HeaderPair[] = [];
      const raw = request.rawHeaders;
      for (let at = 0; at < raw.length; at += 2) headers.push([raw[at] ?? '', raw[at + 1] ?? '']);
      const entry = { method: request.method ?? '', target: request.url ?? '', headers };
      this.#requests.push({ ...entry, body: undefined });
      let body = '';
      const requests = this.#requests;
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString('latin1');
      });
      request.on('end', () => {
        requests[index] = { ...entry, body };
      });
      request.on('error', () => {});
      response.end();
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#refusal = error.code ?? 'error';
      socket.destroy();
    });
    for (const event of ['connect', 'upgrade']) {
      this.#server.on(event, (_request, socket: Duplex) => {
        this.#refusal = event;
        socket.destroy();
      });
    }
    this.#server.on('checkExpectation', (request, response) => {
      this.#refusal = 'expectation';
      response.end();
      request.resume();
    });
  }

  async read(text: string): Promise<Reading> {
    const requests: ReadRequest[] = [];
    this.#requests = requests;
    this.#refusal = undefined;
    const [near, far] = duplexPair();
    far.on('error', () => {});
    near.on('error', () => {});
    near.resume();
    this.#server.emit('connection', far);
    near.write(Buffer.from(text, 'latin1'));
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const reading = { requests, refusal: this.#refusal };
    far.destroy();
    near.destroy();
    return reading;
  }
}

/** Stricter here, because… : why the engine refuses what node acts on. Anything else is a finding. */
export const STRICTER: Readonly<Record<string, string>> = {
  'more than one Host': 'two Hosts could mean one site to us and another to whoever stands before us',
  'the Host is malformed': 'a Host that is no authority routes nowhere, or to two places',
  'no Host': 'RFC 9112, 3.2; node lets some through',
  'Transfer-Encoding in HTTP/1.0': 'RFC 9112, 6.1: framing of a version that did not have it',
  'the transfer coding is not chunked': 'node runs the handler before it refuses',
  'unknown transfer coding': 'node hands the coded body to the handler as it is',
  'more than one Transfer-Encoding': 'a list of one coding twice, spelled over two lines',
  'both Content-Length and Transfer-Encoding': 'the oldest way of smuggling',
  'not a request line': 'one space between three parts and nothing else; node skips more than one empty line',
  'the request target is malformed': 'only a path, an http URL, or * for OPTIONS names something here',
  'the request target holds a forbidden byte': 'bytes above ASCII and fragments are not part of a target',
  'unknown method': 'methods outside the list are 501',
  'CONNECT is for proxies': 'this is none',
  'unknown expectation': '417',
  'a trailer that is no trailer': 'framing and routing fields must not come after the content',
  'a chunk size is malformed': 'no spaces, no empty extension names with controls',
  'a bare line feed': 'no line ends with it',
  'a bare line feed in a chunk line': 'no line ends with it',
  'a control byte in a header field': 'node lets some controls through',
  'no such version of HTTP: 1.2': '505',
  'no such version of HTTP: 2.0': '505',
  'the method is not a token': 'refused as such',
  'no method': 'refused as such',
  'not a header field': 'refused as such',
  'a chunk is too long': 'refused as soon as it is seen',
  'a bare carriage return in a chunk line': 'refused as soon as it is seen',
  'the body is too large': 'a size beyond every limit',
  'Content-Length is too large': 'more than a number can hold exactly',
  'Content-Length is not a number': 'digits and nothing else',
};

/** Why two readings cannot both be right, or undefined. The engine may refuse more, and never read otherwise. */
export function compare(engine: Reading, node: Reading): string | undefined {
  for (const [index, ours] of engine.requests.entries()) {
    const theirs = node.requests[index];
    if (theirs === undefined) {
      // Node hands over upgrades and CONNECT by another door, and answers some expectations itself.
      if (node.refusal === 'upgrade' || node.refusal === 'connect' || node.refusal === 'expectation')
        return undefined;
      return `the engine acts on request ${index} (${ours.method} ${ours.target}), node does not (${node.refusal})`;
    }
    if (ours.method !== theirs.method || ours.target !== theirs.target)
      return `request ${index} is another one`;
    if (JSON.stringify(ours.headers) !== JSON.stringify(theirs.headers))
      return `request ${index} has other fields`;
    if (ours.body !== undefined && theirs.body !== undefined && ours.body !== theirs.body) {
      return `request ${index} has another body`;
    }
    // Where both refuse what comes next, node has just not told of the end of this one yet.
    const isLast = node.refusal === 'HPE_CLOSED_CONNECTION' || node.refusal === 'HPE_INVALID_METHOD';
    const goesOn = (engine.refusal === undefined && !isLast) || index < engine.requests.length - 1;
    if (ours.body !== undefined && theirs.body === undefined && node.refusal !== undefined && goesOn) {
      return `the engine ends the body of request ${index}, node refuses it (${node.refusal})`;
    }
  }
  const isShort = engine.requests.length < node.requests.length;
  if (isShort && engine.refusal !== undefined && STRICTER[engine.refusal] === undefined) {
    return `refused for a reason that is not on the list: ${engine.refusal}`;
  }
  if (isShort && engine.refusal === undefined) return 'node acts on a request the engine waits for';
  return undefined;
}

/** Compares so many inputs made from a seed; tells of each that cannot be explained. */
export async function fuzz(
  inputs: Iterable<string>,
  report: (input: string, problem: string, engine: Reading, node: Reading) => void,
): Promise<number> {
  const reader = new NodeReader();
  let count = 0;
  for (const input of inputs) {
    const engine = readWithEngine(input);
    const node = await reader.read(input);
    const problem = compare(engine, node);
    if (problem !== undefined) report(input, problem, engine, node);
    count += 1;
  }
  return count;
}
