import { NettoolError, toNettoolError } from '../../errors.js';
import { loadLibc } from '../../platform/libc.js';
import { isWindows, platform } from '../../platform/os.js';
import type { BackendListener, PingBackend, PingMethod, PingOptions, PingTarget } from '../types.js';

/** The backend for what was asked: for ICMP the first means this system permits. */
export async function openBackend(
  targets: readonly PingTarget[],
  options: PingOptions,
  listener: BackendListener,
): Promise<PingBackend> {
  const { probe } = options;
  switch (probe.kind) {
    case 'tcp':
      return (await import('./tcp.js')).openTcpBackend(probe.port, options, listener);
    case 'http':
      return (await import('./http.js')).openHttpBackend(probe.url, options, listener);
    case 'icmp':
      return openIcmp(probe.method, targets, options, listener);
  }
}

async function openIcmp(
  forced: PingMethod | undefined,
  targets: readonly PingTarget[],
  options: PingOptions,
  listener: BackendListener,
): Promise<PingBackend> {
  const methods = forced === undefined ? means() : [forced];
  let failure: unknown;
  for (const method of methods) {
    try {
      return await openMethod(method, targets, options, listener);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAFNOSUPPORT') {
        throw new NettoolError('DNS_NOT_FOUND', 'this system does not have the address family of the host', {
          cause: error,
        });
      }
      if (!isNotPermitted(error)) throw toNettoolError(error, 'cannot ping');
      failure ??= error;
    }
  }
  throw new NettoolError('PERMISSION', `cannot send ICMP echo requests (${reasonOf(failure)})`, {
    hint: REMEDY,
    cause: failure,
  });
}

const REMEDY =
  platform === 'linux'
    ? `allow it with: sysctl -w net.ipv4.ping_group_range="0 2147483647" (as root), or: setcap cap_net_raw+ep ${process.execPath}; or use --tcp PORT`
    : "install the system's ping, or use --tcp PORT";

function reasonOf(error: unknown): string {
  return error instanceof NettoolError ? error.message : 'permission denied';
}

function means(): PingMethod[] {
  return isWindows ? ['icmp-api', 'system'] : ['icmp-dgram', 'icmp-raw', 'system'];
}

async function openMethod(
  method: PingMethod,
  targets: readonly PingTarget[],
  options: PingOptions,
  listener: BackendListener,
): Promise<PingBackend> {
  if (method === 'system') return (await import('./system.js')).openSystemBackend(options, listener);
  if (method === 'icmp-api') {
    const { openWindowsBackend } = await import('./win32.js');
    return openWindowsBackend(options, listener);
  }
  const libc = loadLibc();
  if (libc === undefined) throw new NettoolError('UNSUPPORTED', 'this program has no access to ICMP sockets');
  const { openIcmpBackend } = await import('./icmp.js');
  return openIcmpBackend({ libc, raw: method === 'icmp-raw', targets, options, listener });
}

/** Whether a failure to open a backend means that another means should be tried. */
function isNotPermitted(error: unknown): boolean {
  if (error instanceof NettoolError) return error.code === 'UNSUPPORTED' || error.code === 'PERMISSION';
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EACCES' || code === 'EPERM' || code === 'EPROTONOSUPPORT';
}
