import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createNamespace, type Namespace, whyNoNamespaces } from '../helpers/namespaces.js';
import { type Json, parseLines } from '../helpers/run.js';

const skip = whyNoNamespaces('ifconfig', 'setpriv');

/** Up, down, renamed, without address, with peers, labels, lifetimes, alias and altname. */
function furnish(namespace: Namespace): void {
  namespace.shell(`
    ip link add v0 type veth peer name v1
    ip link set v0 up alias "to the lab"
    ip link property add dev v0 altname lab-uplink
    ip addr add 10.0.0.1/30 brd + dev v0
    ip addr add 10.0.0.9/24 dev v0 label v0:x
    ip addr add 10.0.0.10/24 dev v0
    ip -6 addr add fd00::1/64 dev v0 nodad valid_lft 3600 preferred_lft 1800
    ip addr add 10.9.0.1 peer 10.9.0.2/32 dev v1
    ip link add br0 type bridge
    ip link set v1 master br0
    ip link set v1 up
    ip link add spare type veth peer name spare1
    ip link set spare name renamed0 mtu 9000 txqueuelen 77
    ip route add default via 10.0.0.2 metric 50`);
}

async function interfaces(namespace: Namespace, ...args: string[]): Promise<Json[]> {
  const { code, stdout } = await namespace.nettool(['ifconfig', '--json', ...args]);
  assert.equal(code, 0);
  const [document] = parseLines(stdout);
  assert.equal(document.type, 'interfaces');
  return document.interfaces;
}

/** `ip`'s words for what nettool says. */
function inWordsOfIp(entry: Json): Json {
  const flags = new Set(['RUNNING', 'LOWER_UP']);
  return {
    ifindex: entry.index,
    ifname: entry.name,
    flags: entry.flags.filter((flag: string) => !flags.has(flag)).sort(),
    mtu: entry.mtu,
    operstate: entry.state.toUpperCase(),
    master: entry.master ?? undefined,
    txqlen: entry.queueLength,
    link_type: entry.type,
    address: entry.mac ?? '00:00:00:00:00:00',
    altnames: entry.altNames.length === 0 ? undefined : entry.altNames,
    addr_info: entry.addresses.map((address: Json) => ({
      family: address.family,
      local: address.address,
      address: address.peer ?? undefined,
      prefixlen: address.prefixLength,
      broadcast: address.broadcast ?? undefined,
      scope: address.scope,
      label: address.label ?? undefined,
      secondary: address.flags.includes('secondary') || undefined,
    })),
    rx: [entry.rx.bytes, entry.rx.packets, entry.rx.errors, entry.rx.dropped, entry.rx.multicast],
    tx: [entry.tx.bytes, entry.tx.packets, entry.tx.errors, entry.tx.dropped, entry.tx.collisions],
  };
}

function fromIp(entry: Json): Json {
  const flags = new Set(['LOWER_UP', 'NO-CARRIER', 'M-DOWN']);
  const { rx, tx } = entry.stats64;
  return {
    ifindex: entry.ifindex,
    ifname: entry.ifname,
    flags: entry.flags.filter((flag: string) => !flags.has(flag)).sort(),
    mtu: entry.mtu,
    operstate: entry.operstate,
    master: entry.master,
    txqlen: entry.txqlen,
    link_type: entry.link_type,
    address: entry.address,
    altnames: entry.altnames,
    addr_info: entry.addr_info.map((address: Json) => ({
      family: address.family,
      local: address.local,
      address: address.address,
      prefixlen: address.prefixlen,
      broadcast: address.broadcast,
      scope: address.scope,
      label: address.label,
      secondary: address.secondary,
    })),
    rx: [rx.bytes, rx.packets, rx.errors, rx.dropped, rx.multicast],
    tx: [tx.bytes, tx.packets, tx.errors, tx.dropped, tx.collisions],
  };
}

describe('ifconfig in a namespace', { skip }, () => {
  test('every field of every interface is what ip says', async (t) => {
    const namespace = await createNamespace(t);
    furnish(namespace);
    // Neighbour discovery sends packets of its own accord for a while: ask until nothing moved in between.
    for (let tries = 1; ; tries++) {
      const before = JSON.parse(namespace.shell('ip -j -s addr'));
      const ours = await interfaces(namespace, '-a');
      const after = JSON.parse(namespace.shell('ip -j -s addr'));
      if (JSON.stringify(before) !== JSON.stringify(after) && tries < 20) continue;
      assert.deepEqual(
        ours.map(inWordsOfIp).sort((a: Json, b: Json) => a.ifindex - b.ifindex),
        after.map(fromIp).sort((a: Json, b: Json) => a.ifindex - b.ifindex),
      );
      break;
    }
  });

  test('lifetimes, peers, link speed and the bridge port are told', async (t) => {
    const namespace = await createNamespace(t);
    furnish(namespace);
    const all = await interfaces(namespace, '-a');
    const v0 = all.find((entry) => entry.name === 'v0');
    const v1 = all.find((entry) => entry.name === 'v1');
    const global = v0.addresses.find((address: Json) => address.address === 'fd00::1');
    assert.ok(global.validSeconds > 3500 && global.validSeconds <= 3600);
    assert.ok(global.preferredSeconds > 1700 && global.preferredSeconds <= 1800);
    assert.deepEqual([v0.speedMbps, v0.duplex, v0.kind, v0.driver], [10_000, 'full', 'veth', 'veth']);
    assert.equal(v0.description, 'to the lab');
    assert.deepEqual([v1.master, v1.link, v1.addresses[0].peer], ['br0', 'v0', '10.9.0.2']);
    assert.equal(v1.addresses[0].broadcast, null);
  });

  test('without -a only what is up; a name finds what is down, and alternative names work', async (t) => {
    const namespace = await createNamespace(t);
    furnish(namespace);
    const names = (list: Json[]): string[] => list.map((entry) => entry.name).sort();
    assert.deepEqual(names(await interfaces(namespace)), ['lo', 'v0', 'v1']);
    assert.deepEqual(names(await interfaces(namespace, '--up')), ['lo', 'v0', 'v1']);
    assert.deepEqual(names(await interfaces(namespace, 'renamed0')), ['renamed0']);
    assert.deepEqual(names(await interfaces(namespace, 'lab-uplink')), ['v0']);
    const inet6 = await interfaces(namespace, '-6', 'v0');
    assert.ok(inet6[0].addresses.length > 0);
    assert.ok(inet6[0].addresses.every((address: Json) => address.family === 'inet6'));
  });

  test('an ordinary user without /sys sees the same', async (t) => {
    const namespace = await createNamespace(t);
    furnish(namespace);
    const { code, stdout } = await namespace.nettool(['ifconfig', '-a', '--json'], {
      user: true,
      withoutSys: true,
    });
    assert.equal(code, 0);
    const names = parseLines(stdout)[0].interfaces.map((entry: Json) => entry.name);
    assert.deepEqual(names.sort(), ['br0', 'lo', 'renamed0', 'spare1', 'v0', 'v1']);
  });

  test("the classic layout is net-tools' own, but for the line on the link", async (t) => {
    const namespace = await createNamespace(t);
    namespace.shell(`
      ip link add v0 type veth peer name v1; ip link set v0 address 02:00:00:00:00:01
      ip addr add 192.0.2.1/24 brd + dev v0; ip link set v0 up`);
    for (const name of ['lo', 'v0', 'v1']) {
      const theirs = namespace.shell(`ifconfig ${name}`);
      const { stdout } = await namespace.nettool(['ifconfig', name]);
      assert.equal(stdout.replace(/^ +state .*\n/m, ''), theirs);
    }
  });

  test('--routes shows default gateways first, and name servers', async (t) => {
    const namespace = await createNamespace(t);
    furnish(namespace);
    const { stdout } = await namespace.nettool(['ifconfig', '--routes', '--json']);
    const [{ routes, dns }] = parseLines(stdout);
    const way = routes.find((route: Json) => route.destination === 'default');
    assert.deepEqual(way, {
      family: 'inet',
      destination: 'default',
      gateway: '10.0.0.2',
      interface: 'v0',
      metric: 50,
      source: null,
    });
    assert.ok(Array.isArray(dns.servers));
    const text = await namespace.nettool(['ifconfig', '--routes']);
    assert.match(
      text.stdout,
      /^Destination +Gateway +Iface +Metric +Source\ndefault +10\.0\.0\.2 +v0 +50 +-\n/,
    );
  });

  test('--watch tells rates between two looks', async (t) => {
    const namespace = await createNamespace(t);
    const watching = namespace.nettool(['ifconfig', 'lo', '--watch', '-i', '0.5', '-c', '3', '--json']);
    const load = namespace.start('ping', ['-q', '-i', '0.01', '127.0.0.1']);
    const { stdout } = await watching;
    load.kill();
    const looks = parseLines(stdout);
    assert.equal(looks.length, 3);
    assert.equal(looks[0].intervalMs, null);
    assert.equal(looks[0].interfaces[0].rates, null);
    const { rates } = looks[2].interfaces[0];
    assert.ok(rates.rxPacketsPerSecond > 20, JSON.stringify(rates));
    assert.ok(rates.rxBytesPerSecond > 20 * 84);
  });

  test('hundreds of interfaces arrive complete', async (t) => {
    const namespace = await createNamespace(t);
    namespace.shell('for i in $(seq 1 150); do echo "link add n$i type veth peer name m$i"; done | ip -b -');
    const all = await interfaces(namespace, '-a');
    assert.equal(all.length, 301);
  });
});
