// macOS and Windows: read from outputs and layouts as documented; these systems were not at hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { baseBackend } from '../../../src/core/interfaces/backends/base.js';
import {
  decodeIfList2,
  parseDarwinIfconfig,
  parseDarwinRoutes,
} from '../../../src/core/interfaces/backends/darwin-decode.js';
import {
  decodeAdapters,
  decodeIfRow2,
  toRoutes,
} from '../../../src/core/interfaces/backends/win32-decode.js';

test("macOS' ifconfig gives flags, addresses, peers, media and state", () => {
  const output = readFileSync(
    new URL('../../fixtures/interfaces/darwin-ifconfig.txt', import.meta.url),
    'utf8',
  );
  const [lo0, gif0, en0, en5, utun0] = parseDarwinIfconfig(output);
  assert.deepEqual([lo0?.loopback, lo0?.mtu, lo0?.addresses.length, lo0?.mac], [true, 16_384, 3, null]);
  assert.deepEqual([gif0?.up, gif0?.mtu, gif0?.state], [false, 1280, 'down']);
  assert.deepEqual(
    [en0?.mac, en0?.speedMbps, en0?.duplex, en0?.state, en0?.flagBits],
    ['02:00:5e:10:00:01', 1000, 'full', 'up', 0x8863],
  );
  const [linkLocal, temporary, inet] = en0?.addresses ?? [];
  assert.deepEqual(
    [linkLocal?.address, linkLocal?.scope, linkLocal?.flags],
    ['fe80::14:5eff:fe10:1', 'link', ['secured']],
  );
  assert.deepEqual(temporary?.flags, ['autoconf', 'temporary']);
  assert.deepEqual(
    [inet?.netmask, inet?.broadcast, inet?.prefixLength],
    ['255.255.255.0', '192.0.2.255', 24],
  );
  assert.deepEqual([en5?.up, en5?.running, en5?.state], [false, false, 'down']);
  assert.deepEqual([utun0?.type, utun0?.addresses[1]?.peer], ['none', '10.8.0.1']);
});

test('counters of sysctl NET_RT_IFLIST2 are found by interface number', () => {
  const other = Buffer.alloc(20);
  other.writeUInt16LE(20, 0);
  other.writeUInt8(0x0c, 3);
  const info = Buffer.alloc(164);
  info.writeUInt16LE(164, 0);
  info.writeUInt8(0x12, 3);
  info.writeUInt16LE(5, 12);
  info.writeUInt32LE(1500, 32 + 8);
  info.writeBigUInt64LE(11n, 32 + 24);
  info.writeBigUInt64LE(2n ** 40n, 32 + 64);
  info.writeBigUInt64LE(3n, 32 + 72);
  const found = decodeIfList2(Buffer.concat([other, info])).get(5);
  assert.deepEqual([found?.mtu, found?.rx.packets, found?.rx.bytes, found?.tx.bytes], [1500, 11, 2 ** 40, 3]);
  assert.equal(decodeIfList2(Buffer.alloc(3)).size, 0);
});

test("macOS' netstat gives gateways; routes to single hosts are left out", () => {
  const output = `Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            192.0.2.1          UGScg                 en0
127                127.0.0.1          UCS                   lo0
192.0.2.1          2:0:5e:0:0:1       UHLWIir               en0   1187

Internet6:
Destination                             Gateway                                 Flags               Netif Expire
default                                 fe80::1%en0                             UGcg                  en0
`;
  const routes = parseDarwinRoutes(output);
  assert.deepEqual(
    routes.map(({ family, destination, gateway }) => [family, destination, gateway]),
    [
      ['inet', 'default', '192.0.2.1'],
      ['inet', '127', null],
      ['inet6', 'default', 'fe80::1'],
    ],
  );
});

/** Memory with structures at addresses of our choosing. */
function createMemory() {
  const blocks = new Map<bigint, Buffer>();
  let next = 0x10_0000n;
  return {
    place(bytes: Buffer): bigint {
      const pointer = next;
      blocks.set(pointer, bytes);
      next += 0x1_0000n;
      return pointer;
    },
    read(pointer: bigint, size: number): Buffer {
      for (const [start, bytes] of blocks) {
        const offset = Number(pointer - start);
        if (offset >= 0 && offset + size <= bytes.length) return bytes.subarray(offset, offset + size);
      }
      throw new Error(`reads outside: ${pointer}`);
    },
  };
}

test('the list of GetAdaptersAddresses is walked, texts are not read past their end', () => {
  const memory = createMemory();
  const wide = (text: string): bigint => memory.place(Buffer.from(`${text}\0`, 'utf16le'));
  const inet = (address: readonly number[]): bigint =>
    memory.place(Buffer.from([2, 0, 0, 0, ...address, 0, 0, 0, 0, 0, 0, 0, 0]));
  const listEntry = (sockaddr: bigint, size: number): Buffer => {
    const entry = Buffer.alloc(size);
    entry.writeBigUInt64LE(sockaddr, 16);
    entry.writeInt32LE(16, 24);
    return entry;
  };
  const unicast = listEntry(inet([192, 0, 2, 5]), 64);
  unicast.writeUInt32LE(4, 40);
  unicast.writeUInt32LE(86_400, 44);
  unicast.writeUInt32LE(0xffffffff, 48);
  unicast.writeUInt8(24, 56);
  const adapter = Buffer.alloc(448);
  adapter.writeUInt32LE(7, 4);
  adapter.writeBigUInt64LE(memory.place(unicast), 24);
  adapter.writeBigUInt64LE(memory.place(listEntry(inet([192, 0, 2, 53]), 32)), 48);
  adapter.writeBigUInt64LE(wide('lab.example'), 56);
  adapter.writeBigUInt64LE(wide('Some Adapter'), 64);
  adapter.writeBigUInt64LE(wide('Ethernet'), 72);
  adapter.set([2, 0, 0, 0, 0, 1], 80);
  adapter.writeUInt32LE(6, 88);
  adapter.writeUInt32LE(1500, 96);
  adapter.writeUInt32LE(6, 100);
  adapter.writeUInt32LE(1, 104);
  adapter.writeBigUInt64LE(1_000_000_000n, 184);
  adapter.writeBigUInt64LE(memory.place(listEntry(inet([192, 0, 2, 1]), 32)), 208);
  adapter.writeUInt32LE(25, 216);
  const adapters = decodeAdapters(memory.read, memory.place(adapter));
  const [first] = adapters;
  assert.equal(adapters.length, 1);
  const { name, index, mac, mtu, speedMbps, state, addresses } = first?.entry ?? assert.fail();
  assert.deepEqual(
    [name, index, mac, mtu, speedMbps, state],
    ['Ethernet', 7, '02:00:00:00:00:01', 1500, 1000, 'up'],
  );
  assert.deepEqual(
    [
      addresses[0]?.address,
      addresses[0]?.netmask,
      addresses[0]?.validSeconds,
      addresses[0]?.preferredSeconds,
    ],
    ['192.0.2.5', '255.255.255.0', 86_400, null],
  );
  assert.deepEqual([first?.dnsServers, first?.dnsSuffix], [['192.0.2.53'], 'lab.example']);
  assert.deepEqual(toRoutes(adapters), [
    {
      family: 'inet',
      destination: 'default',
      gateway: '192.0.2.1',
      interface: 'Ethernet',
      metric: 25,
      source: null,
    },
  ]);
});

test('MIB_IF_ROW2 gives counters, unicast and others together', () => {
  const row = Buffer.alloc(1352);
  row.writeBigUInt64LE(1000n, 1208);
  row.writeBigUInt64LE(5n, 1216);
  row.writeBigUInt64LE(2n, 1224);
  row.writeBigUInt64LE(700n, 1280);
  const { rx, tx } = decodeIfRow2(row);
  assert.deepEqual([rx.bytes, rx.packets, tx.bytes], [1000, 7, 700]);
});

test('what Node knows is the last resort, in the same shape', async () => {
  for (const entry of await baseBackend.list()) {
    assert.equal(entry.up, true);
    for (const address of entry.addresses) assert.match(address.family, /^inet6?$/);
  }
});
