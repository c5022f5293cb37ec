import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { NettoolError } from '../../errors.js';
import type { BackendListener, PingBackend, PingOptions, PingTarget } from '../types.js';
import { connectOptions, toProbeError } from './tcp.js';

const ANSWER_LIMIT_MS = 10_000;
/** A status line is short; whoever sends this much without one does not speak HTTP. */
const MAX_STATUS_LINE_BYTES = 4096;

/**
 * Measures a HEAD request over a new connection up to the first byte of the answer; any status is a reply.
 * An address given without a host (`/health`) is asked of each host.
 */
export function openHttpBackend(url: string, options: PingOptions, listener: BackendListener): PingBackend {
  const open = new Set<Socket>();
  return {
    method: 'http',
    send(target, seq) {
      const location = urlFor(url, target);
      const startedMs = performance.now();
      const socket = openConnection(location, target, options);
      open.add(socket);
      socket.setTimeout(options.timeoutMs || ANSWER_LIMIT_MS, () => socket.destroy());
      const answer = collectStatusLine(startedMs, (result) => {
        socket.destroy();
        if (result instanceof Error) listener.error(target, seq, toProbeError(result, target));
        else listener.reply(target, seq, { ...result, ttl: null });
      });
      socket.once('connect', () => void socket.write(requestFor(location)));
      socket.on('data', answer.add);
      socket.once('end', answer.end);
      socket.once('error', answer.fail);
      socket.once('close', () => open.delete(socket));
    },
    close() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** The URL a host is asked for. */
function urlFor(url: string, { host, address }: PingTarget): URL {
  if (/^https?:\/\//i.test(url)) return new URL(url);
  const name =
    isIP(host) === 6 ? `[${host}]` : isIP(host) === 0 && host.includes(':') ? `[${address}]` : host;
  return new URL(url === '' ? '/' : url, `http://${name}/`);
}

function openConnection(location: URL, target: PingTarget, options: PingOptions): Socket {
  const secure = location.protocol === 'https:';
  const port = location.port === '' ? (secure ? 443 : 80) : Number(location.port);
  const settings = connectOptions(target, port, options);
  if (!secure) return connect(settings);
  const name = location.hostname.replace(/^\[(.*)\]$/, '$1');
  return connectTls({ ...settings, ...(isIP(name) === 0 ? { servername: name } : {}) });
}

function requestFor(location: URL): string {
  const path = `${location.pathname}${location.search}`;
  return `HEAD ${path} HTTP/1.1\r\nHost: ${location.host}\r\nUser-Agent: nettool\r\nAccept: */*\r\nConnection: close\r\n\r\n`;
}

interface Answer {
  readonly timeMs: number;
  readonly bytes: number;
  readonly status: number;
}

/** Waits for `HTTP/1.1 200 …`, whose first byte is what is timed; calls back once. */
function collectStatusLine(startedMs: number, settled: (result: Answer | Error) => void) {
  let text = '';
  let timeMs: number | undefined;
  let over = false;
  const settle = (result: Answer | Error): void => {
    if (over) return;
    over = true;
    settled(result);
  };
  const notHttp = (words: string): void => settle(new NettoolError('MALFORMED_REPLY', words));
  return {
    add(chunk: Buffer): void {
      timeMs ??= performance.now() - startedMs;
      text += chunk.toString('latin1');
      const status = /^HTTP\/\d(?:\.\d)? (\d{3})\b/.exec(text)?.[1];
      if (status !== undefined)
        settle({ timeMs, bytes: Buffer.byteLength(text, 'latin1'), status: Number(status) });
      else if (text.includes('\n') || text.length > MAX_STATUS_LINE_BYTES) notHttp('the answer is not HTTP');
    },
    end: (): void => notHttp('the server closed without a reply'),
    fail: (error: Error): void => settle(error),
  };
}
