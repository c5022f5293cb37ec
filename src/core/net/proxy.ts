import type { Socket } from 'node:net';
import { NettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import { parseIpBytes } from './ip-bytes.js';

/** A proxy that opens TCP connections for others: HTTP CONNECT (RFC 9110, 9.3.6) or SOCKS5 (RFC 1928, RFC 1929). */
export interface ProxyServer {
  readonly kind: 'http' | 'socks5';
  readonly host: string;
  readonly port: number;
  /** The proxy looks names up (`socks5h`, and always with CONNECT). */
  readonly resolvesNames: boolean;
  readonly username?: string;
  readonly password?: string;
}

/** Where a tunnel leads. */
export interface TunnelTarget {
  readonly host: string;
  readonly port: number;
}

/** `http://[user:pass@]host:port`, `socks5://…` or `socks5h://…` as a proxy; a bare `host:port` means http. */
export function parseProxy(text: string): ProxyServer {
  const url = toUrl(text);
  const kind = KINDS[url?.protocol ?? ''];
  if (url === undefined || kind === undefined || url.hostname === '') {
    throw new NettoolError('USAGE', 'not a proxy URL', {
      hint: 'like http://127.0.0.1:3128 or socks5://127.0.0.1:1080',
    });
  }
  return {
    kind,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORTS[kind] : Number(url.port),
    resolvesNames: url.protocol !== 'socks5:',
    ...(url.username === ''
      ? {}
      : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }),
  };
}

const KINDS: Readonly<Record<string, ProxyServer['kind']>> = {
  'http-proxy:': 'http',
  'socks:': 'socks5',
  'socks5:': 'socks5',
  'socks5h:': 'socks5',
};
const DEFAULT_PORTS = { http: 3128, socks5: 1080 };

/** `URL` hides a port that is its scheme's default, which is not a proxy's. */
function toUrl(text: string): URL | undefined {
  const full = (text.includes('://') ? text : `http://${text}`).replace(/^http:/i, 'http-proxy:');
  return URL.canParse(full) ? new URL(full) : undefined;
}

/**
 * Asks a proxy, over a socket that is connected to it, for a connection to the target. When it resolves the socket
 * speaks with the target; what the target said already is still there to be read.
 */
export async function openTunnel(
  socket: Socket,
  proxy: ProxyServer,
  target: TunnelTarget,
  signal: AbortSignal,
): Promise<void> {
  const reply = readReply(socket, proxy, signal);
  try {
    await (proxy.kind === 'http'
      ? openHttp(socket, proxy, target, reply)
      : openSocks(socket, proxy, target, reply));
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    reply.release();
  }
}

interface Reply {
  /** So many bytes. */
  take(size: number): Promise<Buffer>;
  /** Everything to the end of a mark. */
  takeUntil(mark: string, limit: number): Promise<Buffer>;
  release(): void;
}

function readReply(socket: Socket, proxy: ProxyServer, signal: AbortSignal): Reply {
  let received = Buffer.alloc(0);
  let failure: unknown;
  let wake = (): void => {};
  const fail = (error: unknown): void => {
    failure ??= error;
    wake();
  };
  const ended = new NettoolError(
    'CONNECTION_BROKEN',
    `${describe(proxy)} closed the connection without an answer`,
  );
  const onData = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk]);
    wake();
  };
  const onEnd = (): void => fail(ended);
  const onAbort = (): void => fail(signal.reason);
  socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', fail);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.resume();
  const wait = async (size: () => number): Promise<Buffer> => {
    for (;;) {
      const length = size();
      if (length >= 0 && received.length >= length) {
        const taken = received.subarray(0, length);
        received = received.subarray(length);
        return taken;
      }
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    take: (size) => wait(() => size),
    takeUntil: (mark, limit) =>
      wait(() => {
        const at = received.indexOf(mark);
        if (at === -1 && received.length > limit) throw malformed(proxy);
        return at === -1 ? -1 : at + mark.length;
      }),
    release() {
      signal.removeEventListener('abort', onAbort);
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', fail);
      socket.pause();
      if (received.length > 0 && !socket.destroyed) socket.unshift(received);
    },
  };
}

const LONGEST_HEAD = 16 * 1024;

async function openHttp(
  socket: Socket,
  proxy: ProxyServer,
  { host, port }: TunnelTarget,
  reply: Reply,
): Promise<void> {
  const authority = formatHostPort(host, port);
  const credentials = Buffer.from(`${proxy.username}:${proxy.password}`).toString('base64');
  const auth = proxy.username === undefined ? '' : `Proxy-Authorization: Basic ${credentials}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${auth}\r\n`);
  const head = (await reply.takeUntil('\r\n\r\n', LONGEST_HEAD)).toString('latin1');
  const [line = '', status] = /^HTTP\/1\.[01] (\d{3})[^\r\n]*/.exec(head) ?? [];
  if (status === undefined) throw malformed(proxy);
  if (status.startsWith('2')) return;
  const hint =
    status === '407' ? 'give a name and password before its host: --proxy USER:PASS@HOST:PORT' : undefined;
  throw new NettoolError(
    status === '407' || status === '403' ? 'PERMISSION' : 'CONNECTION_REFUSED',
    `${describe(proxy)} gives no connection to ${authority} (${line.replace(/^\S+ /, '')})`,
    { hint },
  );
}

const SOCKS_VERSION = 5;
const NO_AUTH = 0;
const PASSWORD_AUTH = 2;

/** RFC 1928, section 6. */
const SOCKS_FAILURES: Readonly<Record<number, readonly [code: NettoolError['code'], words: string]>> = {
  1: ['CONNECTION_REFUSED', 'general failure'],
  2: ['PERMISSION', 'not allowed by its rules'],
  3: ['UNREACHABLE', 'network unreachable'],
  4: ['UNREACHABLE', 'host unreachable'],
  5: ['CONNECTION_REFUSED', 'connection refused'],
  6: ['TIMEOUT', 'TTL expired'],
  7: ['UNSUPPORTED', 'command not supported'],
  8: ['UNSUPPORTED', 'address type not supported'],
};

async function openSocks(
  socket: Socket,
  proxy: ProxyServer,
  target: TunnelTarget,
  reply: Reply,
): Promise<void> {
  const methods = proxy.username === undefined ? [NO_AUTH] : [NO_AUTH, PASSWORD_AUTH];
  socket.write(Buffer.from([SOCKS_VERSION, methods.length, ...methods]));
  const [version, method] = await reply.take(2);
  if (version !== SOCKS_VERSION) throw malformed(proxy);
  if (method === PASSWORD_AUTH) await authenticate(socket, proxy, reply);
  else if (method !== NO_AUTH) {
    throw new NettoolError('PERMISSION', `${describe(proxy)} asks for a name and password`, {
      hint: '--proxy socks5://USER:PASS@HOST:PORT',
    });
  }
  const port = Buffer.alloc(2);
  port.writeUInt16BE(target.port);
  socket.write(Buffer.concat([Buffer.from([SOCKS_VERSION, 1, 0]), encodeHost(target.host), port]));
  const [, code = 1, , type] = await reply.take(4);
  if (code !== 0) {
    const [word, reason] = SOCKS_FAILURES[code] ?? ['CONNECTION_REFUSED', `failure ${code}`];
    const where = formatHostPort(target.host, target.port);
    throw new NettoolError(word, `${describe(proxy)} gives no connection to ${where} (${reason})`);
  }
  // The address it connects from, of no use to us.
  const length = type === 1 ? 4 : type === 4 ? 16 : ((await reply.take(1))[0] ?? 0);
  await reply.take(length + 2);
}

async function authenticate(socket: Socket, proxy: ProxyServer, reply: Reply): Promise<void> {
  const [name, password] = [Buffer.from(proxy.username ?? ''), Buffer.from(proxy.password ?? '')];
  socket.write(
    Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([password.length]), password]),
  );
  const [, status] = await reply.take(2);
  if (status !== 0) throw new NettoolError('PERMISSION', `${describe(proxy)} refuses the name or password`);
}

function encodeHost(host: string): Buffer {
  const address = parseIpBytes(host);
  if (address !== undefined) return Buffer.concat([Buffer.from([address.length === 4 ? 1 : 4]), address]);
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

function describe(proxy: ProxyServer): string {
  return `the proxy ${formatHostPort(proxy.host, proxy.port)}`;
}

function malformed(proxy: ProxyServer): NettoolError {
  return new NettoolError('MALFORMED_REPLY', `${describe(proxy)} answers with something else than it should`);
}
