import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

/** What a program in a namespace left behind. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How nettool is run: as nobody, without `/sys`, stopped by Ctrl-C. */
export interface NettoolRun {
  readonly user?: boolean;
  readonly withoutSys?: boolean;
  readonly signalAfterMs?: number;
}

/** A network of its own. */
export interface Namespace {
  /** The process that keeps it open. */
  readonly pid: number;
  /** Runs a shell line in it, which has to succeed. */
  shell(line: string): string;
  /** Runs a program in it; `user` as nobody. */
  run(program: string, args: readonly string[], options?: { user?: boolean }): Promise<Outcome>;
  /** Runs nettool in it: the sources, or the binary `$NETTOOL_BIN` names. */
  nettool(args: readonly string[], options?: NettoolRun): Promise<Outcome>;
  /** Starts a program in it that lives until the end of the test. */
  start(program: string, args: readonly string[]): ChildProcess;
}

const ROOT = resolve(import.meta.dirname, '../..');
const NODE = [process.execPath, '--import', resolve(ROOT, 'node_modules/tsx/dist/loader.mjs')];
const NETTOOL = process.env.NETTOOL_BIN
  ? [process.env.NETTOOL_BIN]
  : [...NODE, resolve(ROOT, 'bin/nettool.ts')];
const AS_NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

const WITHOUT_SYS = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /sys && exec "$@"', 'sh'];

/** Why tests in namespaces cannot run here; false when they can. */
export function whyNoNamespaces(...tools: readonly string[]): string | false {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.geteuid?.() !== 0) return 'making network namespaces takes root';
  const missing = ['unshare', 'nsenter', 'ip', ...tools].filter((tool) => !hasTool(tool));
  return missing.length === 0 ? false : `not installed: ${missing.join(', ')}`;
}

/** Whether a tool is on the PATH. */
export function hasTool(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A program of ours in TypeScript, as a command line. */
export function sourceProgram(path: string): [program: string, args: string[]] {
  const [program = '', ...args] = [...NODE, resolve(ROOT, path)];
  return [program, args];
}

/** A new namespace, gone after the test. */
export async function createNamespace(t: TestContext): Promise<Namespace> {
  const keeper = spawn('unshare', ['-n', 'sleep', '300'], { stdio: 'ignore' });
  const pid = keeper.pid ?? 0;
  const children: ChildProcess[] = [];
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
    keeper.kill('SIGKILL');
  });
  const ours = readlinkSync('/proc/self/ns/net');
  while (readlinkSync(`/proc/${pid}/ns/net`) === ours) await delay(5);
  const enter = ['-t', String(pid), '-n', '--'];
  const namespace: Namespace = {
    pid,
    shell: (line) => execFileSync('nsenter', [...enter, 'sh', '-ec', line], { encoding: 'utf8' }),
    run: (program, args, options = {}) =>
      execute('nsenter', [...enter, ...(options.user ? AS_NOBODY : []), program, ...args]),
    nettool: ([...args], options = {}) =>
      execute(
        'nsenter',
        [
          ...enter,
          ...(options.withoutSys ? WITHOUT_SYS : []),
          ...(options.user ? AS_NOBODY : []),
          ...NETTOOL,
          ...args,
        ],
        options.signalAfterMs,
      ),
    start(program, args) {
      const child = spawn('nsenter', [...enter, program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      return child;
    },
  };
  namespace.shell('ip link set lo up');
  return namespace;
}

function execute(program: string, args: readonly string[], signalAfterMs?: number): Promise<Outcome> {
  return new Promise((done) => {
    const env = { ...process.env, LC_ALL: 'C', NO_COLOR: '1' };
    const child = execFile(program, [...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      done({ code, stdout, stderr });
    });
    if (signalAfterMs !== undefined) setTimeout(() => child.kill('SIGINT'), signalAfterMs).unref();
  });
}

/** Opens or closes ICMP datagram sockets to everyone in a namespace. */
export function allowPing(namespace: Namespace, allowed: boolean): void {
  namespace.shell(`sysctl -qw net.ipv4.ping_group_range="${allowed ? '0 2147483647' : '1 0'}"`);
}

/**
 * client 10.9.1.1 — router 10.9.1.2 | 10.9.2.2 — server 10.9.2.1, the same with fd09:1:: and fd09:2::; the link
 * to the server has an MTU of 1300. The router refuses 10.9.10.0/24 (prohibit), 10.9.11.0/24 (unreachable),
 * swallows 10.9.12.0/24 and knows no way elsewhere.
 */
export async function createLab(t: TestContext) {
  const [client, router, server] = await Promise.all([
    createNamespace(t),
    createNamespace(t),
    createNamespace(t),
  ]);
  client.shell(`ip link add a0 type veth peer name r0 netns ${router.pid}`);
  router.shell(`ip link add r1 type veth peer name b0 netns ${server.pid}`);
  client.shell(`
    ip addr add 10.9.1.1/24 dev a0; ip link set a0 up; ip -6 addr add fd09:1::1/64 dev a0 nodad`);
  router.shell(`
    ip addr add 10.9.1.2/24 dev r0; ip link set r0 up; ip -6 addr add fd09:1::2/64 dev r0 nodad
    ip addr add 10.9.2.2/24 dev r1; ip link set r1 mtu 1300 up; ip -6 addr add fd09:2::2/64 dev r1 nodad
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
    ip route add prohibit 10.9.10.0/24; ip route add unreachable 10.9.11.0/24; ip route add blackhole 10.9.12.0/24
    ip -6 route add prohibit fd09:10::/64; ip -6 route add blackhole fd09:12::/64`);
  server.shell(`
    ip addr add 10.9.2.1/24 dev b0; ip link set b0 up; ip -6 addr add fd09:2::1/64 dev b0 nodad
    ip route add default via 10.9.2.2; ip -6 route add default via fd09:2::2`);
  client.shell('ip route add default via 10.9.1.2; ip -6 route add default via fd09:1::2');
  allowPing(client, true);
  // Links need a moment; the first packets also teach everybody the others' hardware addresses.
  await client.run('ping', ['-c', '3', '-i', '0.2', '10.9.2.1']);
  await client.run('ping', ['-c', '3', '-i', '0.2', 'fd09:2::1']);
  return { client, router, server };
}
