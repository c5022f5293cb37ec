import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { NettoolError } from '../../src/core/errors.js';
import { type Json, parseLines, run, start } from '../helpers/run.js';

const loopback =
  Object.entries(networkInterfaces()).find(([, entries]) => entries?.[0]?.internal)?.[0] ?? 'lo';

test('ifconfig --json is one document with every field of the contract', async () => {
  const { code, stdout } = await run(['ifconfig', '-a', '--json']);
  assert.equal(code, 0);
  const [document] = parseLines(stdout);
  assert.equal(document.type, 'interfaces');
  const lo = document.interfaces.find((entry: Json) => entry.name === loopback);
  assert.deepEqual([lo.up, lo.running, lo.loopback, lo.mac], [true, true, true, null]);
  for (const key of ['index', 'flags', 'mtu', 'state', 'speedMbps', 'duplex', 'rx', 'tx'])
    assert.ok(key in lo, key);
  const inet = lo.addresses.find((address: Json) => address.address === '127.0.0.1');
  assert.deepEqual(
    [inet.family, inet.prefixLength, inet.netmask, inet.broadcast, inet.scope],
    ['inet', 8, '255.0.0.0', null, 'host'],
  );
  for (const counters of [lo.rx, lo.tx]) {
    for (const key of ['bytes', 'packets', 'errors', 'dropped']) assert.equal(typeof counters[key], 'number');
  }
});

test('everything Node knows is there too', async () => {
  const { stdout } = await run(['ifconfig', '--json']);
  const [{ interfaces }] = parseLines(stdout);
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    const found = interfaces.find((entry: Json) => entry.name === name);
    assert.deepEqual(
      found.addresses.map((address: Json) => address.address).sort(),
      entries.map((entry) => entry.address).sort(),
    );
  }
});

test('a name shows one interface, -4 and -6 leave out the other family', async () => {
  const { stdout } = await run(['ifconfig', loopback, '-4']);
  assert.match(stdout, new RegExp(`^${loopback}: flags=`));
  assert.match(stdout, /inet 127\.0\.0\.1/);
  assert.doesNotMatch(stdout, /inet6/);
  assert.doesNotMatch((await run(['ifconfig', loopback, '-6'])).stdout, /inet 127/);
});

test('an unknown name is exit 1 and names those there are', async () => {
  const { code, stderr } = await run(['ifconfig', 'nosuch0']);
  assert.equal(code, 1);
  assert.match(stderr, /there is no interface 'nosuch0'/);
  assert.match(stderr, new RegExp(`there are: .*${loopback}`));
  const json = await run(['ifconfig', 'nosuch0', '--json']);
  assert.deepEqual(
    parseLines(json.stdout).map(({ type, code: word, exitCode }) => [type, word, exitCode]),
    [['error', 'NOT_FOUND', 1]],
  );
});

test('-s is a table with a line per interface', async () => {
  const { stdout } = await run(['ifconfig', '-s', loopback]);
  assert.match(stdout, new RegExp(`^Iface .*Flg\\n${loopback} +\\d+ `));
});

test('--watch goes on until it is stopped, and then exits 0', async () => {
  const command = start(['ifconfig', '--watch', '-i', '0.02', loopback]);
  const first = await command.event('interfaces');
  const second = await command.event('interfaces');
  assert.equal(first.interfaces[0].rates, null);
  assert.ok(second.intervalMs >= 19);
  assert.equal(typeof second.interfaces[0].rates.rxBytesPerSecond, 'number');
  const { code } = await command.stop(new NettoolError('INTERRUPTED', 'interrupted'));
  assert.equal(code, 0);
});

test('--watch on a terminal redraws in place', async () => {
  const { stdout } = await run(['ifconfig', '--watch', '-i', '0.01', '-c', '2', loopback], {
    stdoutTTY: true,
  });
  assert.match(stdout, /\u001b\[2A/);
});

test('contradictions are usage errors', async () => {
  for (const args of [
    ['-4', '-6'],
    ['-a', '--up'],
    ['--watch', '--routes'],
    ['-c', '3'],
    ['--watch', '-i', '0'],
  ]) {
    assert.equal((await run(['ifconfig', ...args])).code, 2, args.join(' '));
  }
});
