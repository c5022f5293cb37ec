import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Handler } from '../core/http/handler.js';
import type { ListenTarget, RunningServer, ServeOptions, TlsIdentity } from '../core/http/server-types.js';
import type { Context, Io } from './context.js';
import type { ServerFlags } from './serve-server-flags.js';

/** The first descriptor systemd hands over (sd_listen_fds(3)). */
const FIRST_INHERITED_FD = 3;

/** Where to listen: a host and a port, a Unix socket, or what systemd hands over; and where operators ask. */
export function listenTargets(context: Context, flags: ServerFlags, port: number): readonly ListenTarget[] {
  const admin = flags.admin === undefined ? [] : [{ ...flags.admin, tls: false, admin: true } as const];
  return [...siteTargets(context, flags, port), ...admin];
}

function siteTargets(
  { io }: Context,
  { host, socketMode: mode }: ServerFlags,
  port: number,
): readonly ListenTarget[] {
  const inherited = Number(io.env.LISTEN_FDS ?? 0);
  const isForUs = io.env.LISTEN_PID === undefined || Number(io.env.LISTEN_PID) === process.pid;
  if (inherited > 0 && isForUs) {
    return Array.from({ length: inherited }, (_, index) => ({ fd: FIRST_INHERITED_FD + index }));
  }
  if (!host.includes('/')) return [{ host, port }];
  return [{ path: resolve(io.cwd, host), ...(mode !== undefined && { mode }) }];
}

/** The certificate of the flags: from files, or made for this machine, its fingerprint told; `undefined` without TLS. */
export async function prepareTls(context: Context, flags: ServerFlags): Promise<TlsIdentity | undefined> {
  const { cert, key, tls, host } = flags;
  if (cert !== undefined) {
    const { readIdentity } = await import('../core/net/tls.js');
    return readIdentity(...identityPaths(context, cert, key));
  }
  if (tls !== true) return undefined;
  const { createLocalIdentity } = await import('../core/net/local-ca.js');
  const identity = await createLocalIdentity(dataFolder(context.io), hostsOf(host));
  const trust = identity.caPath === undefined ? '' : `, vouched for by ${identity.caPath}`;
  if (!context.quiet)
    context.io.stderr.write(`certificate for this machine${trust}\n  SHA-256 ${identity.fingerprint}\n`);
  return identity;
}

/** The names a certificate is made for, beside the machine's own. */
function hostsOf(host: string): string[] {
  return host.includes('/') ? [] : [host];
}

/** Where this user's own authority lives (XDG Base Directory Specification). */
function dataFolder({ env }: Io): string {
  return join(env.XDG_DATA_HOME || join(env.HOME || homedir(), '.local/share'), 'nettool');
}

function identityPaths({ io }: Context, cert: string, key = cert): [string, string] {
  return [resolve(io.cwd, cert), resolve(io.cwd, key)];
}

/** Has a server take its certificate anew whenever the files of the flags change, or ours is about to expire. */
export async function followCertificate(
  context: Context,
  { cert, key, host }: ServerFlags,
  server: RunningServer,
  inUse: TlsIdentity | undefined,
): Promise<void> {
  if (inUse === undefined) return;
  const current = { cert: String(inUse.cert), key: String(inUse.key) };
  const say = (text: string): void => void (context.quiet || context.io.stderr.write(`${text}\n`));
  let stop: () => void;
  if (cert === undefined) {
    const { renewIdentity } = await import('../core/net/renew-identity.js');
    const onChange = (identity: TlsIdentity & { readonly fingerprint: string }): void => {
      server.setTlsIdentity(identity);
      say(`the certificate was about to expire; a new one is used\n  SHA-256 ${identity.fingerprint}`);
    };
    stop = renewIdentity(onChange, {
      folder: dataFolder(context.io),
      hosts: hostsOf(host),
      current: current.cert,
      onError: (error) => say(`the certificate is about to expire: ${error.message}`),
    });
  } else {
    const { watchIdentity } = await import('../core/net/watch-identity.js');
    const onChange = (identity: TlsIdentity): void => {
      server.setTlsIdentity(identity);
      say('the certificate has changed and is used from now on');
    };
    const onError = (error: Error): void =>
      say(`the certificate has changed and is not used: ${error.message}`);
    stop = watchIdentity(...identityPaths(context, cert, key), onChange, { current, onError });
  }
  void server.closed.finally(stop);
}

/** `--redirect-http`: a server beside the real one that sends its clients there. */
export async function openRedirects(
  { io }: Context,
  { redirectHttp, host }: ServerFlags,
  httpsPort: number,
): Promise<RunningServer | undefined> {
  if (redirectHttp === undefined) return undefined;
  const { serveHttp } = await import('../core/http/server/index.js');
  const { redirectToHttps } = await import('../core/http/https-redirect.js');
  const { signal } = io;
  return serveHttp(redirectToHttps(httpsPort), {
    host,
    port: redirectHttp,
    signal,
    events: [],
    onEvent: () => {},
  });
}

/** `--admin`: a server beside the real one, and for as long as that one runs, for those who look after it. */
export async function openAdmin(
  handler: Handler,
  place: ListenTarget,
  site: RunningServer,
  options: Pick<ServeOptions, 'events' | 'onEvent'>,
): Promise<void> {
  const { serveHttp } = await import('../core/http/server/index.js');
  const { signal } = new AbortController();
  const admin = await serveHttp(handler, { host: '', port: 0, listen: [place], signal, ...options });
  void site.closed.finally(() => admin.close());
}
