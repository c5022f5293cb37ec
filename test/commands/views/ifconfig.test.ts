import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStyle } from '../../../src/commands/output/style.js';
import {
  formatBytes,
  viewInterfaces,
  viewInterfaceTable,
  viewRates,
  viewRoutes,
} from '../../../src/commands/views/ifconfig.js';
import { EMPTY_ADDRESS, emptyInterface } from '../../../src/core/interfaces/backends/empty.js';
import type { NetworkInterface } from '../../../src/core/interfaces/types.js';

const style = createStyle({ isTTY: false, color: 'never', env: {} });
const empty = emptyInterface('eth0');
const eth0: NetworkInterface = {
  ...empty,
  index: 2,
  flags: ['UP', 'BROADCAST', 'RUNNING', 'MULTICAST', 'LOWER_UP'],
  flagBits: 0x11043,
  up: true,
  running: true,
  mtu: 1500,
  mac: '02:00:00:00:00:01',
  queueLength: 1000,
  state: 'up',
  speedMbps: 1000,
  duplex: 'full',
  master: 'br0',
  addresses: [
    {
      ...EMPTY_ADDRESS,
      family: 'inet',
      address: '192.0.2.2',
      prefixLength: 24,
      netmask: '255.255.255.0',
      broadcast: '192.0.2.255',
      scope: 'global',
    },
    {
      ...EMPTY_ADDRESS,
      family: 'inet6',
      address: 'fe80::1',
      prefixLength: 64,
      scope: 'link',
      flags: ['tentative'],
    },
  ],
  rx: { ...empty.rx, bytes: 3886, packets: 47, dropped: 1, missed: 2 },
  tx: { ...empty.tx, bytes: 4214, packets: 55, carrier: 3 },
};

test('the classic layout', () => {
  assert.equal(
    viewInterfaces([eth0], style),
    `eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500
        inet 192.0.2.2  netmask 255.255.255.0  broadcast 192.0.2.255
        inet6 fe80::1  prefixlen 64  scopeid 0x20<link>  <tentative>
        ether 02:00:00:00:00:01  txqueuelen 1000  (Ethernet)
        state up  speed 1000Mb/s  duplex full  master br0
        RX packets 47  bytes 3886 (3.7 KiB)
        RX errors 0  dropped 3  overruns 0  frame 0
        TX packets 55  bytes 4214 (4.1 KiB)
        TX errors 0  dropped 0 overruns 0  carrier 3  collisions 0
`,
  );
});

test('bytes are cut off after one decimal, in powers of 1024', () => {
  const table: ReadonlyArray<readonly [number, string]> = [
    [0, '0.0 B'],
    [1023, '1023.0 B'],
    [1024, '1.0 KiB'],
    [42_193_363_135, '39.2 GiB'],
    [2 ** 50, '1.0 PiB'],
  ];
  for (const [bytes, text] of table) assert.equal(formatBytes(bytes), text);
});

test('-s is a table in the columns of netstat', () => {
  const [head, line] = viewInterfaceTable([eth0], style).split('\n');
  assert.match(head ?? '', /^Iface +MTU +RX-OK +RX-ERR +RX-DRP +RX-OVR +TX-OK +TX-ERR +TX-DRP +TX-OVR +Flg$/);
  assert.deepEqual(line?.split(/\s+/), ['eth0', '1500', '47', '0', '3', '0', '55', '0', '0', '0', 'BMRU']);
});

test('routes start with the default ones and end with the name servers', () => {
  const route = { family: 'inet' as const, interface: 'eth0', metric: null, source: null };
  const text = viewRoutes(
    [
      { ...route, destination: '192.0.2.0/24', gateway: null },
      { ...route, destination: 'default', gateway: '192.0.2.1' },
    ],
    { servers: ['192.0.2.53'], search: ['lab.example'] },
    style,
  );
  const lines = text.split('\n');
  assert.match(lines[1] ?? '', /^default +192\.0\.2\.1 +eth0/);
  assert.deepEqual(lines.slice(-2), ['name servers: 192.0.2.53', 'search domains: lab.example']);
});

test('rates are shown per interface', () => {
  const rates = { rxBytesPerSecond: 2048, txBytesPerSecond: 0, rxPacketsPerSecond: 7, txPacketsPerSecond: 0 };
  const [, line] = viewRates(
    { type: 'interfaces', at: '', intervalMs: 1000, interfaces: [{ ...eth0, rates }] },
    style,
  );
  assert.match(line ?? '', /^eth0 +up +2\.0 KiB +0\.0 B +7 +0 /);
});
