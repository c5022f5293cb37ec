import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { findProgram } from './programs.js';
import { APPS } from './python.js';

/** What a server of Debian is started with, port 0 among it; it says which it took. */
export interface Peer {
  readonly program: string;
  readonly args: readonly string[];
}

/** Starts a server for the applications of the tests, until the test ends; resolves with its port. */
export async function startPeer(t: TestContext, { program, args }: Peer): Promise<number> {
  const child = spawn(findProgram(program) ?? program, args, {
    cwd: APPS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Not killed: gunicorn's worker would stay behind for a while.
  t.after(() => child.kill('SIGTERM') && once(child, 'close'));
  let said = '';
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      said += chunk;
      const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('exit', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
    child.on('error', reject);
  });
}

/** A server that sends nothing for so long will send nothing more. */
const STANDSTILL_MS = 700;

/** What belongs to the server and to the moment, or is compared by its framing. */
const OWN = /^(?:date|server|via|connection|keep-alive|transfer-encoding|x-messages)$/i;

/** An answer as far as servers should agree on it: one line to compare. */
export async function askPlainly(port: number, request: string): Promise<string> {
  const text = await exchangeText(port, request);
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return 'no answer';
  const [start = '', ...lines] = text.slice(0, end).split('\r\n');
  const status = start.replace(/^HTTP\/1\.[01] /, '');
  // Every server words its own refusals in its own way, and has said more or less when an application fails.
  if (/^(?:400|5(?!0[13]))/.test(status)) return status.startsWith('4') ? 'refused' : 'failed';
  const fields = lines
    .map((line) => line.toLowerCase())
    .filter((line) => !OWN.test(line.split(':')[0] ?? ''));
  const isChunked = /^transfer-encoding: chunked$/im.test(text.slice(0, end));
  const rest = text.slice(end + 4);
  const body = isChunked ? rest.replace(/(^|\r\n)[0-9a-f]+\r\n/gi, '').replace(/\r\n$/, '') : rest;
  const length = fields.find((line) => line.startsWith('content-length: '))?.slice(16);
  const mustBeWhole = !request.startsWith('HEAD ') && status.startsWith('200');
  if (mustBeWhole && (isChunked ? !rest.endsWith('0\r\n\r\n') : Number(length ?? 0) > body.length))
    return 'failed';
  // Whether a length that is right is also told, or chunks are used, is a server's own business.
  const telling = fields.filter((line) => line !== `content-length: ${body.length}`).sort();
  return [status, ...telling, body].join(' | ');
}

/** Keys whose values differ between two objects, of those that mean something on both. */
export function differingKeys(ours: Values, theirs: Values, ignored: RegExp): string[] {
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  return [...keys]
    .filter((key) => !ignored.test(key) && JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]))
    .sort();
}

type Values = Readonly<Record<string, unknown>>;

/** Everything a server sends on a connection, until it closes it or stands still. */
async function exchangeText(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(STANDSTILL_MS, () => socket.destroy());
  socket.on('error', () => {});
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  socket.write(request, 'latin1');
  await once(socket, 'close');
  return text;
}
