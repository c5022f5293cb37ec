import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeDriverInfo, decodeEthtoolCommand } from '../../../src/core/interfaces/backends/ethtool.js';
import {
  decodeAddress,
  decodeLink,
  decodeRoute,
  formatMac,
} from '../../../src/core/interfaces/backends/linux-decode.js';
import {
  listByProc,
  parseIfInet6,
  parseProcNetDev,
  parseProcNetIpv6Route,
  parseProcNetRoute,
} from '../../../src/core/interfaces/backends/linux-proc.js';
import { decodeDatagram, encodeDumpRequest, RTM } from '../../../src/core/interfaces/backends/netlink.js';
import { parseResolvConf } from '../../../src/core/interfaces/backends/resolv-conf.js';

const text = (name: string): string =>
  readFileSync(new URL(`../../fixtures/interfaces/${name}`, import.meta.url), 'utf8');

/** What a kernel 6.18 answered in a namespace with veth pairs, a bridge and a tunnel. */
const recorded = JSON.parse(text('netlink.json')) as Record<keyof typeof RTM, string[]>;

function payloads(name: keyof typeof RTM): Buffer[] {
  return recorded[name].flatMap((datagram) =>
    decodeDatagram(Buffer.from(datagram, 'base64'), 1).messages.map(({ payload }) => payload),
  );
}

test('a dump request is a header and the family that means all', () => {
  assert.equal(
    encodeDumpRequest(RTM.GETLINK, 7).toString('hex'),
    '20000000120001030700000000000000'.padEnd(64, '0'),
  );
});

test('recorded links have names, flags, addresses, masters and counters', () => {
  const links = payloads('GETLINK').map(decodeLink);
  assert.deepEqual(
    links.map((link) => link.name),
    ['lo', 'v1', 'v0', 'br0', 'tun0'],
  );
  const [lo, v1, v0, br0, tun0] = links;
  assert.deepEqual(
    [lo?.type, lo?.mac, lo?.loopback, lo?.mtu, lo?.state],
    ['loopback', null, true, 65_536, 'unknown'],
  );
  assert.deepEqual(v0?.flags, ['UP', 'BROADCAST', 'RUNNING', 'MULTICAST', 'LOWER_UP']);
  assert.deepEqual(
    [v0?.kind, v0?.mac, v0?.description, v0?.altNames, v0?.queueLength],
    ['veth', '02:00:00:00:00:01', 'to the lab', ['lab-uplink'], 1000],
  );
  assert.equal(v1?.masterIndex, br0?.index);
  assert.ok((v0?.rx.packets ?? 0) > 0 && (v0?.tx.bytes ?? 0) > 0);
  assert.deepEqual([tun0?.type, tun0?.mac, tun0?.up, tun0?.running], ['none', null, true, false]);
  assert.deepEqual([br0?.up, br0?.state], [false, 'down']);
});

test('recorded addresses have masks, peers, labels, scopes and lifetimes', () => {
  const addresses = payloads('GETADDR').flatMap((payload) => decodeAddress(payload) ?? []);
  const find = (address: string) => addresses.find((entry) => entry.address.address === address)?.address;
  assert.deepEqual(find('10.0.0.1'), {
    family: 'inet',
    address: '10.0.0.1',
    prefixLength: 30,
    netmask: '255.255.255.252',
    broadcast: '10.0.0.3',
    scope: 'global',
    peer: null,
    label: 'v0',
    flags: ['permanent'],
    preferredSeconds: null,
    validSeconds: null,
  });
  assert.deepEqual([find('10.9.0.1')?.peer, find('10.9.0.1')?.broadcast], ['10.9.0.2', null]);
  assert.equal(find('10.0.0.9')?.label, 'v0:x');
  assert.deepEqual([find('::1')?.scope, find('127.0.0.1')?.scope], ['host', 'host']);
  assert.equal(find('fd00::1')?.validSeconds, 3598);
  assert.equal(find('fe80::ff:fe00:1')?.scope, 'link');
});

test('recorded routes of the main table lead somewhere; others are left out', () => {
  const routes = payloads('GETROUTE').flatMap(
    (payload) => decodeRoute(payload, (index) => `if${index}`) ?? [],
  );
  assert.deepEqual(routes[0], {
    family: 'inet',
    destination: 'default',
    gateway: '10.0.0.2',
    interface: 'if3',
    metric: 50,
    source: null,
  });
  assert.ok(routes.some((route) => route.destination === '172.16.0.0/12' && route.source === '10.0.0.1'));
  assert.ok(routes.some((route) => route.destination === 'default' && route.gateway === 'fd00::2'));
  assert.ok(!routes.some((route) => route.destination.startsWith('192.168.99')));
});

test('a refusal, an interruption and the messages of others are recognised', () => {
  const message = (type: number, flags: number, sequence: number, payload: Buffer): Buffer => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(16 + payload.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(flags, 6);
    header.writeUInt32LE(sequence, 8);
    return Buffer.concat([header, payload]);
  };
  const errno = Buffer.alloc(4);
  errno.writeInt32LE(-1);
  const refusal = decodeDatagram(message(2, 0, 1, errno), 1);
  assert.deepEqual([refusal.errno, refusal.done], [1, true]);
  const both = Buffer.concat([
    message(16, 0, 9, errno),
    message(16, 0x10, 1, errno),
    message(3, 0, 1, errno),
  ]);
  const part = decodeDatagram(both, 1);
  assert.deepEqual([part.messages.length, part.interrupted, part.done], [1, true, true]);
});

test('netlink that is cut short or nonsense is left alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeDatagram(Buffer.from(bytes), 1);
      const padded = Buffer.concat([Buffer.alloc(20), Buffer.from(bytes)]);
      decodeLink(padded);
      decodeAddress(padded);
      decodeRoute(padded, () => null);
    }),
  );
});

test('hardware addresses may be longer than six bytes, and all zeros is none', () => {
  assert.equal(formatMac(Buffer.alloc(20, 1)), Array(20).fill('01').join(':'));
  assert.equal(formatMac(Buffer.alloc(6)), null);
  assert.equal(formatMac(undefined), null);
});

test("ethtool's answers give speed, duplex and driver; unknown is null", () => {
  const command = Buffer.alloc(256);
  command.writeUInt16LE(25_000, 12);
  command.writeUInt8(1, 14);
  assert.deepEqual(decodeEthtoolCommand(command), { speedMbps: 25_000, duplex: 'full' });
  command.writeUInt16LE(100_000 & 0xffff, 12);
  command.writeUInt16LE(100_000 >>> 16, 28);
  assert.equal(decodeEthtoolCommand(command).speedMbps, 100_000);
  command.fill(0xff);
  assert.deepEqual(decodeEthtoolCommand(command), { speedMbps: null, duplex: null });
  assert.deepEqual(decodeEthtoolCommand(undefined), { speedMbps: null, duplex: null });
  const driver = Buffer.alloc(256);
  driver.write('virtio_net', 4);
  assert.equal(decodeDriverInfo(driver), 'virtio_net');
});

test('/proc/net says the same of counters and IPv6 addresses as netlink', () => {
  const counters = parseProcNetDev(text('proc-net-dev.txt'));
  assert.deepEqual([...counters.keys()].sort(), ['br0', 'lo', 'tun0', 'v0', 'v1']);
  assert.ok((counters.get('v0')?.rx.packets ?? 0) > 0);
  const addresses = parseIfInet6(text('proc-if-inet6.txt'));
  const global = addresses.find(({ address }) => address.address === 'fd00::1');
  assert.deepEqual([global?.name, global?.address.prefixLength, global?.address.scope], ['v0', 64, 'global']);
  assert.equal(addresses.find(({ name }) => name === 'lo')?.address.scope, 'host');
  const routes = parseProcNetRoute(text('proc-route.txt'));
  assert.deepEqual(routes.find(({ destination }) => destination === 'default')?.gateway, '10.0.0.2');
  assert.ok(routes.some(({ destination }) => destination === '172.16.0.0/12'));
  assert.deepEqual(
    parseProcNetIpv6Route(text('proc-ipv6-route.txt')).map(({ destination, gateway }) => [
      destination,
      gateway,
    ]),
    [
      ['fd00::/64', null],
      ['fe80::/64', null],
      ['default', 'fd00::1'],
    ],
  );
});

test('without netlink, /proc still lists loopback', { skip: process.platform !== 'linux' }, async () => {
  const lo = (await listByProc()).find(({ name }) => name === 'lo');
  assert.equal(lo?.loopback, true);
  assert.equal(lo?.mtu, 65_536);
  assert.ok(lo?.addresses.some(({ address }) => address === '127.0.0.1'));
});

test('resolv.conf: the last search counts, comments do not', () => {
  const file =
    '# made by hand\nnameserver 192.0.2.53 ; first\nnameserver ::1\ndomain a.example\nsearch b.example c.example\n';
  assert.deepEqual(parseResolvConf(file), {
    servers: ['192.0.2.53', '::1'],
    search: ['b.example', 'c.example'],
  });
  assert.deepEqual(parseResolvConf(''), { servers: [], search: [] });
});
