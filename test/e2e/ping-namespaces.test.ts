import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  allowPing,
  createLab,
  createNamespace,
  type Outcome,
  sourceProgram,
  whyNoNamespaces,
} from '../helpers/namespaces.js';
import { parseLines } from '../helpers/run.js';

const skip = whyNoNamespaces('ping', 'setpriv', 'sysctl');

/** Everything but the times themselves. */
function withoutTimes({ code, stdout }: Outcome): string {
  const text = stdout
    .replace(/time=[\d.]+ ms/g, 'time=T ms')
    .replace(/time \d+ms/g, 'time Tms')
    .replace(/= [\d./]+ ms/g, '= RTT ms')
    .replace(/ipg\/ewma [\d./]+ ms/g, 'ipg/ewma E ms');
  return `${text}exit ${code}\n`;
}

describe('ping among routers', { skip, concurrency: false }, () => {
  const cases: ReadonlyArray<readonly [what: string, args: string]> = [
    ['a host two links away', '-c 2 -i 0.2 10.9.2.1'],
    ['an IPv6 host two links away', '-c 2 -i 0.2 fd09:2::1'],
    ['a TTL that runs out', '-c 1 -t 1 10.9.2.1'],
    ['a hop limit that runs out', '-c 1 -t 1 fd09:2::1'],
    ['a network the router has no route to', '-c 1 10.99.0.1'],
    ['an IPv6 network the router has no route to', '-c 1 fd99::1'],
    ['a network the router is told to call unreachable', '-c 1 10.9.11.1'],
    ['an IPv6 network that is prohibited', '-c 1 fd09:10::1'],
    ['silence', '-c 1 10.9.12.1'],
    ['silence with -O', '-O -c 2 -i 0.3 10.9.12.1'],
    ['a packet too long for a link on the way', '-c 2 -i 0.2 -M do -s 1281 10.9.2.1'],
    ['a packet too long for the first link', '-c 1 -M do -s 1600 10.9.2.1'],
    ['a packet that has to be cut into fragments', '-c 1 -s 3000 10.9.2.1'],
    ['a pattern, an interface and a payload too short to time', '-c 1 -s 8 -p ff00 -I a0 10.9.2.1'],
    ['a source address', '-c 1 -I 10.9.1.1 10.9.2.1'],
    ['only the summary', '-q -c 2 -i 0.2 10.9.2.1'],
  ];
  test('ping prints what iputils prints, by datagram and by raw sockets', async (t) => {
    const { client } = await createLab(t);
    for (const [what, line] of cases) {
      const args = [...line.split(' '), '-W', '0.5'];
      // What the kernel learns of a path's MTU changes the next answer; and of refusals it sends one a second.
      const fresh = async (): Promise<void> => {
        client.shell('ip route flush cache; ip -6 route flush cache');
        if (/10\.(99|9\.11)\./.test(line)) await delay(1100);
      };
      await fresh();
      const theirs = withoutTimes(await client.run('ping', args));
      for (const method of ['icmp-dgram', 'icmp-raw']) {
        await fresh();
        const ours = withoutTimes(await client.nettool(['ping', '--method', method, ...args]));
        assert.equal(ours, theirs, `${what}, by ${method}`);
      }
    }
  });

  test('ping names the router, type and code of each ICMP error in JSON', async (t) => {
    const { client } = await createLab(t);
    const events = async (...args: string[]) =>
      parseLines((await client.nettool(['ping', '--json', ...args])).stdout);
    const [, expired] = await events('-c', '1', '-t', '1', '10.9.2.1');
    assert.deepEqual(
      { ...expired, at: undefined },
      {
        type: 'probe-error',
        host: '10.9.2.1',
        address: '10.9.2.1',
        seq: 1,
        from: '10.9.1.2',
        icmpType: 11,
        icmpCode: 0,
        message: 'Time to live exceeded',
        at: undefined,
      },
    );
    const [, tooBig] = await events('-c', '1', '-M', 'do', '-s', '1290', 'fd09:2::1');
    assert.deepEqual([tooBig.icmpType, tooBig.mtu, tooBig.from], [2, 1300, 'fd09:1::2']);
    const local = await events('-c', '1', '-M', 'do', '-s', '1600', '10.9.2.1');
    assert.deepEqual([local[1].from, local[1].code, local[1].mtu], [null, 'EMSGSIZE', 1500]);
  });

  test('ping with a deadline goes on after an unreachable and ends when the host comes up', async (t) => {
    const { client, router } = await createLab(t);
    router.shell('ip link set r1 down');
    const waiting = client.nettool(['ping', '--until-up', '-i', '0.2', '-w', '20', '--json', '10.9.2.1']);
    setTimeout(() => router.shell('ip link set r1 up'), 1500);
    const { code, stdout } = await waiting;
    const events = parseLines(stdout);
    assert.equal(code, 0);
    assert.ok(events.some((event) => event.type === 'probe-error' && event.message.includes('Unreachable')));
    assert.equal(events.at(-1).received, 1);
    assert.equal(events.at(-1).reached, true);
  });
});

describe('ping and a bad responder', { skip }, () => {
  test('duplicates, reordering, changed bytes, bad checksums, losses and cut replies are told apart', async (t) => {
    const { client, server } = await createLab(t);
    server.shell('sysctl -qw net.ipv4.icmp_echo_ignore_all=1');
    const responder = server.start(...sourceProgram('test/helpers/icmp-responder.ts'));
    await once(responder.stdout as NodeJS.ReadableStream, 'data');
    for (const method of ['icmp-dgram', 'icmp-raw']) {
      const args = ['ping', '--json', '--method', method, '-c', '10', '-i', '0.05', '10.9.2.1'];
      const { code, stdout } = await client.nettool(args);
      const events = parseLines(stdout);
      const replies = events.filter((event) => event.type === 'reply');
      const raw = method === 'icmp-raw';
      assert.equal(code, 0);
      assert.deepEqual(
        replies.map((event) => event.seq),
        [1, 2, 2, 4, 3, 5, ...(raw ? [6] : []), 8, 9, 10],
      );
      assert.deepEqual(
        replies.filter((event) => event.duplicate).map((event) => event.seq),
        [2],
      );
      assert.deepEqual(
        replies.filter((event) => event.outOfOrder).map((event) => event.seq),
        [3],
      );
      const changed = replies.find((event) => event.seq === 5).wrongData;
      assert.deepEqual([changed.offset, changed.expected, changed.actual], [32, 0x20, 0xdf]);
      const truncated = replies.filter((event) => event.truncated);
      assert.deepEqual(
        truncated.map((event) => [event.seq, event.bytes]),
        [[8, 32]],
      );
      // A datagram socket never sees a packet whose checksum is wrong.
      if (raw) assert.equal(replies.find((event) => event.seq === 6).badChecksum, true);
      const summary = events.at(-1);
      assert.deepEqual(
        [summary.transmitted, summary.received, summary.duplicates, summary.corrupted, summary.lossPercent],
        [10, 8, 1, raw ? 1 : 0, 20],
      );
      assert.deepEqual([summary.outOfOrder, summary.wrongData, summary.lossBursts], [1, 1, 1]);
      const timeouts = events.filter((event) => event.type === 'timeout').map((event) => event.seq);
      assert.deepEqual(timeouts, [6, 7]);
    }
  });
});

describe('ping without root', { skip }, () => {
  test('an ordinary user pings by datagram sockets where the kernel allows it', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, true);
    const { code, stdout } = await namespace.nettool(
      ['ping', '--json', '-c', '2', '-i', '0.01', '127.0.0.1', '::1'],
      {
        user: true,
      },
    );
    const events = parseLines(stdout);
    assert.equal(code, 0);
    assert.equal(events[0].method, 'icmp-dgram');
    const replies = events.filter((event) => event.type === 'reply');
    assert.equal(replies.length, 4);
    for (const reply of replies) {
      assert.equal(reply.ttl, 64);
      assert.equal(reply.bytes, 64);
      assert.ok(reply.timeMs > 0 && reply.timeMs < 50);
    }
  });

  test("where it does not, the system's ping is used; without that, exit 77 names the remedy", async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, false);
    const system = await namespace.nettool(['ping', '--json', '-c', '1', '127.0.0.1'], { user: true });
    const events = parseLines(system.stdout);
    // A ping without file capabilities cannot help.
    if (system.code === 0) {
      assert.equal(events[0].method, 'system');
      assert.equal(events[1].type, 'reply');
      assert.equal(events[1].ttl, 64);
    }
    const none = await namespace.nettool(['ping', '--json', '--method', 'icmp-dgram', '127.0.0.1'], {
      user: true,
    });
    const [error] = parseLines(none.stdout);
    assert.equal(none.code, 77);
    assert.equal(error.code, 'PERMISSION');
    assert.match(error.hint, /sysctl -w net\.ipv4\.ping_group_range="0 2147483647"/);
    assert.match(error.hint, /setcap cap_net_raw\+ep/);
  });

  test('root pings by a raw socket where datagram sockets are closed', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, false);
    const { code, stdout } = await namespace.nettool(['ping', '--json', '-c', '1', '127.0.0.1']);
    assert.equal(code, 0);
    assert.equal(parseLines(stdout)[0].method, 'icmp-raw');
  });

  test('an ordinary user may not flood', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, true);
    const { code, stderr } = await namespace.nettool(['ping', '-f', '127.0.0.1'], { user: true });
    assert.equal(code, 2);
    assert.match(stderr, /only root may send more often than every 2 ms/);
  });
});

describe('ping at breadth', { skip }, () => {
  test('of a thousand hosts and ten probes each no reply is lost', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, true);
    const args = ['ping', '--json', '-c', '10', '-i', '0', '127.0.0.0/22'];
    const { code, stdout } = await namespace.nettool(args);
    const summaries = parseLines(stdout).filter((event) => event.type === 'summary');
    assert.equal(code, 0);
    assert.equal(summaries.length, 1022);
    assert.ok(summaries.every(({ transmitted, received }) => transmitted === 10 && received === 10));
  });

  test('the same address given twice is two courses of probes', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, true);
    const { stdout } = await namespace.nettool([
      'ping',
      '--json',
      '-c',
      '3',
      '-i',
      '0',
      '127.0.0.1',
      '127.0.0.1',
    ]);
    const summaries = parseLines(stdout).filter((event) => event.type === 'summary');
    assert.deepEqual(
      summaries.map(({ received, duplicates }) => [received, duplicates]),
      [
        [3, 0],
        [3, 0],
      ],
    );
  });

  test('Ctrl-C prints the summary and exits by the replies', async (t) => {
    const namespace = await createNamespace(t);
    allowPing(namespace, true);
    const { code, stdout } = await namespace.nettool(['ping', '-i', '0.1', '127.0.0.1'], {
      signalAfterMs: 1500,
    });
    assert.equal(code, 0);
    assert.match(
      stdout,
      /--- 127\.0\.0\.1 ping statistics ---\n\d+ packets transmitted, \d+ received, 0% packet loss/,
    );
  });
});
