import { getServers } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { runTool } from '../../platform/exec.js';
import { allocateNative, bindLibrary } from '../../platform/ffi.js';
import { loadLibc } from '../../platform/libc.js';
import type { InterfacesBackend, NetworkInterface } from '../types.js';
import { baseBackend } from './base.js';
import { decodeIfList2, parseDarwinIfconfig, parseDarwinRoutes } from './darwin-decode.js';
import { parseResolvConf } from './resolv-conf.js';

const TOOL_MS = 5000;
/** CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST2, 0. */
const MIB = [4, 17, 0, 0, 6, 0];
/** What comes to be between the two questions for size and data. */
const SPARE_BYTES = 4096;

/**
 * macOS: its own ifconfig knows media and address states, which sit behind variadic ioctls that FFI must not call
 * on Apple's processors; the 64-bit counters come from sysctl.
 */
export const darwinBackend: InterfacesBackend = {
  async list() {
    try {
      const { stdout } = await runTool('/sbin/ifconfig', ['-a'], { timeoutMs: TOOL_MS });
      return addCounters(parseDarwinIfconfig(stdout));
    } catch {
      return baseBackend.list();
    }
  },
  async routes() {
    const { stdout } = await runTool('/usr/sbin/netstat', ['-rn'], { timeoutMs: TOOL_MS });
    return parseDarwinRoutes(stdout);
  },
  async dns() {
    const { search } = parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
    return { servers: getServers(), search };
  },
};

function addCounters(interfaces: readonly NetworkInterface[]): NetworkInterface[] {
  const libc = loadLibc();
  const counters = decodeIfList2(readIfList2() ?? Buffer.alloc(0));
  return interfaces.map((entry) => {
    const index = libc?.if_nametoindex(entry.name) ?? entry.index;
    const found = counters.get(index);
    return found === undefined ? { ...entry, index } : { ...entry, index, rx: found.rx, tx: found.tx };
  });
}

/** Asks for the size, then for the data. */
function readIfList2(): Buffer | undefined {
  const functions = bindLibrary(null, {
    sysctl: { arguments: ['buffer', 'uint32', 'pointer', 'buffer', 'pointer', 'uint64'], return: 'int32' },
  });
  if (functions === undefined) return undefined;
  const mib = Buffer.alloc(MIB.length * 4);
  for (const [index, value] of MIB.entries()) mib.writeInt32LE(value, index * 4);
  const size = Buffer.alloc(8);
  if (functions.sysctl(mib, MIB.length, null, size, null, 0n) !== 0) return undefined;
  const list = allocateNative(Number(size.readBigUInt64LE(0)) + SPARE_BYTES);
  if (list === undefined) return undefined;
  size.writeBigUInt64LE(BigInt(list.bytes.length));
  const failed = functions.sysctl(mib, MIB.length, list.pointer, size, null, 0n) !== 0;
  const answer = failed ? undefined : Buffer.from(list.bytes.subarray(0, Number(size.readBigUInt64LE(0))));
  list.free();
  return answer;
}
