import { allocateNative, bindLibrary, copyNative } from '../../platform/ffi.js';
import type { InterfacesBackend, NetworkInterface } from '../types.js';
import { baseBackend } from './base.js';
import { type DecodedAdapter, decodeAdapters, decodeIfRow2, toRoutes } from './win32-decode.js';

const ERROR_BUFFER_OVERFLOW = 111;
/** Prefixes, gateways, and adapters without addresses. */
const FLAGS = 0x10 | 0x80 | 0x100;
const FIRST_BUFFER_BYTES = 32 * 1024;
const MIB_IF_ROW2_BYTES = 1352;
const MAX_TRIES = 4;

/** Windows: the IP Helper API; what Node knows when that cannot be called. */
export const windowsBackend: InterfacesBackend = {
  async list() {
    const adapters = readAdapters();
    return adapters === undefined ? baseBackend.list() : adapters.map(({ entry }) => addCounters(entry));
  },
  routes: async () => toRoutes(readAdapters() ?? []),
  async dns() {
    const adapters = readAdapters();
    if (adapters === undefined) return baseBackend.dns();
    const active = adapters.filter(({ entry }) => entry.up);
    return {
      servers: [...new Set(active.flatMap(({ dnsServers }) => dnsServers))],
      search: [...new Set(active.map(({ dnsSuffix }) => dnsSuffix).filter(Boolean))],
    };
  },
};

function readAdapters(): DecodedAdapter[] | undefined {
  const helper = bindLibrary('iphlpapi.dll', {
    GetAdaptersAddresses: {
      arguments: ['uint32', 'uint32', 'pointer', 'pointer', 'buffer'],
      return: 'uint32',
    },
  });
  if (helper === undefined) return undefined;
  const size = Buffer.alloc(4);
  size.writeUInt32LE(FIRST_BUFFER_BYTES);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const memory = allocateNative(size.readUInt32LE(0));
    if (memory === undefined) return undefined;
    try {
      const result = helper.GetAdaptersAddresses(0, FLAGS, null, memory.pointer, size);
      if (result === 0)
        return decodeAdapters(
          (pointer, bytes) => copyNative(pointer, bytes) ?? Buffer.alloc(bytes),
          memory.pointer,
        );
      if (result !== ERROR_BUFFER_OVERFLOW) return undefined;
    } finally {
      memory.free();
    }
  }
  return undefined;
}

function addCounters(entry: NetworkInterface): NetworkInterface {
  const helper = bindLibrary('iphlpapi.dll', { GetIfEntry2: { arguments: ['buffer'], return: 'uint32' } });
  const row = Buffer.alloc(MIB_IF_ROW2_BYTES);
  row.writeUInt32LE(entry.index, 8);
  return helper?.GetIfEntry2(row) === 0 ? { ...entry, ...decodeIfRow2(row) } : entry;
}
