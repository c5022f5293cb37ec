import { watch } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { ListenTarget, RunningServer, TlsIdentity } from '../core/http/server-types.js';
import type { Context } from './context.js';
import type { ServerFlags } from './serve-server-flags.js';

/** The first descriptor systemd hands over (sd_listen_fds(3)). */
const FIRST_INHERITED_FD = 3;

/** Editors and certificate tools write in several steps. */
const SETTLE_MS = 300;

/** Where to listen when it is not a host and a port: a Unix socket, or what systemd hands over; else `undefined`. */
export function listenTargets({ io }: Context, host: string): readonly ListenTarget[] | undefined {
  const inherited = Number(io.env.LISTEN_FDS ?? 0);
  const isForUs = io.env.LISTEN_PID === undefined || Number(io.env.LISTEN_PID) === process.pid;
  if (inherited > 0 && isForUs) {
    return Array.from({ length: inherited }, (_, index) => ({ fd: FIRST_INHERITED_FD + index }));
  }
  if (host.includes('/')) return [{ path: resolve(io.cwd, host) }];
  return undefined;
}

/** The certificate a server shows, and how it learns of another one. */
export interface ServeTls {
  readonly identity: TlsIdentity;
  /** Calls back with the certificate whenever its file has changed. */
  watch(onChange: (identity: TlsIdentity) => void): void;
}

/** The certificate of the flags: from files, or made on the spot with its fingerprint told; `undefined` without TLS. */
export async function prepareTls(context: Context, flags: ServerFlags): Promise<ServeTls | undefined> {
  const { cert, key, tls, host } = flags;
  if (cert === undefined) {
    if (key !== undefined) throw new NettoolError('USAGE', '--key needs --cert');
    if (tls !== true) return undefined;
    const { createSelfSigned } = await import('../core/net/self-signed.js');
    const identity = await createSelfSigned([host, hostname()]);
    if (!context.quiet)
      context.io.stderr.write(`certificate made for this run, SHA-256 ${identity.fingerprint}\n`);
    return { identity, watch: () => {} };
  }
  const { readIdentity } = await import('../core/net/tls.js');
  const paths = [cert, key ?? cert].map((path) => resolve(context.io.cwd, path)) as [string, string];
  return {
    identity: await readIdentity(...paths),
    watch: (onChange) => watchFiles(context, paths, async () => onChange(await readIdentity(...paths))),
  };
}

/** A pair that cannot be used is told, and the one before it kept. */
function watchFiles({ io }: Context, paths: readonly string[], reread: () => Promise<void>): void {
  let timer: NodeJS.Timeout | undefined;
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      reread().then(
        () => io.stderr.write('the certificate has changed and is used from now on\n'),
        (error: Error) => io.stderr.write(`the certificate has changed and is not used: ${error.message}\n`),
      );
    }, SETTLE_MS);
    timer.unref();
  };
  for (const path of new Set(paths)) {
    // The folder: tools replace files rather than write into them.
    const watcher = watch(resolve(path, '..'), { persistent: false }, (_event, name) => {
      if (name !== null && path.endsWith(name)) changed();
    });
    watcher.on('error', () => {});
    io.signal.addEventListener('abort', () => watcher.close(), { once: true });
  }
}

/** `--redirect-http`: a server beside the real one that sends its clients there. */
export async function openRedirects(
  { io }: Context,
  { redirectHttp, host, cert, tls }: ServerFlags,
  server: RunningServer,
): Promise<RunningServer | undefined> {
  if (redirectHttp === undefined) return undefined;
  if (cert === undefined && tls !== true) {
    throw new NettoolError('USAGE', '--redirect-http leads to HTTPS', { hint: 'add --tls, or --cert FILE' });
  }
  const { serveHttp } = await import('../core/http/server/index.js');
  const { redirectToHttps } = await import('../core/http/https-redirect.js');
  return serveHttp(redirectToHttps(server.port), {
    host,
    port: redirectHttp,
    signal: io.signal,
    events: [],
    onEvent: () => {},
  }).catch(async (error) => {
    await server.close();
    throw error;
  });
}
