import { IncomingMessage } from 'node:http';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import type { HostedSocket } from './hosted-socket.js';

/** What node:http keeps in a request beside what it documents. */
interface Internals {
  _addHeaderLines(pairs: string[], count: number): void;
  _consuming: boolean;
}

/** Told whether the next thing to happen is the client's to do. */
export type OnWaiting = (isClientsTurn: boolean) => void;

/** node's own `req`, made of a request of ours instead of bytes. */
export class HostedMessage extends IncomingMessage {
  /** `rawHeaders` are those of {@link toRawHeaders}; they become the message's own. */
  constructor(request: IncomingRequest, rawHeaders: string[], socket: HostedSocket, onWaiting: OnWaiting) {
    super(socket);
    const { target, httpVersion } = request;
    this.method = request.method;
    this.url = target.charCodeAt(0) === 0x2f ? target : pathAndQuery(request);
    this.httpVersionMajor = 1;
    this.httpVersionMinor = httpVersion === '1.0' ? 0 : 1;
    this.httpVersion = httpVersion === '1.0' ? '1.0' : '1.1';
    (this as unknown as Internals)._addHeaderLines(rawHeaders, rawHeaders.length);
    // Where node:http's own is: frameworks give the object another prototype.
    if (mayHaveBody(request)) this._read = readerOf(request, this, onWaiting);
    else {
      this.complete = true;
      this._read = readNothing;
    }
  }
}

function pathAndQuery({ rawPath, query }: IncomingRequest): string {
  return query === '' ? rawPath : `${rawPath}?${query}`;
}

/** Header fields as `rawHeaders` has them; what an application relies on is added where a client left it out. */
export function toRawHeaders(fields: readonly HeaderPair[], hasBody: boolean): string[] {
  const raw: string[] = [];
  let hasHost = false;
  let hasLength = false;
  for (const [name, value] of fields) {
    raw.push(name, value);
    if (name.length === 4) hasHost ||= name.toLowerCase() === 'host';
    else if (name.length === 14) hasLength ||= name.toLowerCase() === 'content-length';
  }
  if (!hasHost) raw.push('Host', 'localhost');
  // By one of the two applications know that there is content.
  if (hasBody && !hasLength) raw.push('Transfer-Encoding', 'chunked');
  return raw;
}

function readNothing(this: IncomingMessage): void {
  (this as unknown as Internals)._consuming = true;
  this.push(null);
}

/** Reads the client's content no faster than the application does. */
function readerOf(request: IncomingRequest, message: IncomingMessage, onWaiting: OnWaiting): () => void {
  const internals = message as unknown as Internals;
  const source = request.body;
  let hasBegun = false;
  const begin = (): void => {
    hasBegun = true;
    source.on('data', (chunk: Buffer) => {
      if (message.push(chunk)) return;
      source.pause();
      onWaiting(false);
    });
    source.on('end', () => {
      onWaiting(false);
      const trailers = (request.trailers ?? []).flat();
      message.complete = true;
      internals._addHeaderLines(trailers, trailers.length);
      message.push(null);
    });
    source.on('error', (error) => message.destroy(error));
    source.on('close', () => {
      if (!message.complete) message.destroy();
    });
  };
  return () => {
    internals._consuming = true;
    onWaiting(true);
    if (hasBegun) source.resume();
    else begin();
  };
}
