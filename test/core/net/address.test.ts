import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import {
  formatHostPort,
  formatUrl,
  normalizeAddress,
  parseHostPort,
  reachableUrls,
} from '../../../src/core/net/address.js';

test('an IPv6 address stands in brackets before a port', () => {
  assert.equal(formatHostPort('::1', 80), '[::1]:80');
  assert.equal(formatHostPort('127.0.0.1', 80), '127.0.0.1:80');
  assert.equal(formatHostPort('localhost', 0), 'localhost:0');
});

test('a host and port are read back as they were written', () => {
  assert.deepEqual(parseHostPort('[::1]:8080'), { host: '::1', port: 8080 });
  assert.deepEqual(parseHostPort('example.org:80'), { host: 'example.org', port: 80 });
  for (const bad of [
    '',
    ':80',
    'host',
    'host:',
    'host:65536',
    '::1:80',
    '[::1]',
    '[nonsense]:1',
    'a b:1',
    'h:-1',
  ]) {
    assert.equal(parseHostPort(bad), undefined, bad);
  }
});

test('an IPv4 client of a dual-stack socket is known by its IPv4 address', () => {
  assert.equal(normalizeAddress('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(normalizeAddress('::1'), '::1');
});

test('a URL leaves out its scheme’s own port and escapes a zone', () => {
  assert.equal(formatUrl('http', '127.0.0.1', 80), 'http://127.0.0.1/');
  assert.equal(formatUrl('https', '::1', 443), 'https://[::1]/');
  assert.equal(formatUrl('https', 'localhost', 80), 'https://localhost:80/');
  assert.equal(formatUrl('http', 'fe80::1%eth0', 8000), 'http://[fe80::1%25eth0]:8000/');
});

const info = (address: string, internal = false) =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;

const INTERFACES = {
  eth0: [info('192.0.2.2'), info('2001:db8::2'), info('fe80::2')],
  lo: [info('127.0.0.1', true), info('::1', true)],
};

test('a wildcard stands for each address of this machine, loopback first', () => {
  assert.deepEqual(reachableUrls('http', '0.0.0.0', 8000, INTERFACES), [
    'http://127.0.0.1:8000/',
    'http://192.0.2.2:8000/',
  ]);
  assert.deepEqual(reachableUrls('http', '::', 8000, INTERFACES), [
    'http://[::1]:8000/',
    'http://127.0.0.1:8000/',
    'http://192.0.2.2:8000/',
    'http://[2001:db8::2]:8000/',
  ]);
  assert.deepEqual(reachableUrls('http', 'localhost', 8000, INTERFACES), ['http://localhost:8000/']);
});
