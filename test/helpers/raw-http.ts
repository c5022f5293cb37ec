import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An answer taken apart by hand, so that a test sees what was really sent. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** Every field as sent. */
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>;
  /** The first value of a field. */
  header(name: string): string | undefined;
  readonly body: Buffer;
  readonly text: string;
}

/** What a request of {@link ask} is like beside its target. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Sends bytes and resolves with everything that came back until the server closed. */
export async function exchange(port: number, bytes: string | Uint8Array): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** One request on a connection of its own, its target sent exactly as given. */
export async function ask(port: number, target: string, request: RawRequest = {}): Promise<RawAnswer> {
  const { method = 'GET', headers = {}, body = '' } = request;
  const content = typeof body === 'string' ? Buffer.from(body) : body;
  const fields = Object.entries({
    Host: 'test',
    Connection: 'close',
    ...(content.length > 0 && { 'Content-Length': String(content.length) }),
    ...headers,
  });
  const head = `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return parseAnswer(await exchange(port, Buffer.concat([Buffer.from(head, 'latin1'), content])));
}

/** Connects and begins a request without waiting for what comes of it. */
export async function open(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(bytes);
  return socket;
}

/** A whole answer as its parts, chunks put together. */
export function parseAnswer(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no answer in ${JSON.stringify(bytes.toString('latin1'))}`);
  const [start = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const header = (name: string): string | undefined =>
    fields.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  const rest = bytes.subarray(end + 4);
  const body = header('transfer-encoding') === 'chunked' ? joinChunks(rest) : rest;
  const [, status, reason = ''] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(start) ?? [];
  return { status: Number(status), reason, fields, header, body, text: body.toString() };
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line === -1) throw new Error('the chunks break off');
    const size = Number.parseInt(bytes.subarray(at, line).toString(), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
