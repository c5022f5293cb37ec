import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestUrl, takeZone, withParams } from '../../src/commands/request-url.js';

const URLS: ReadonlyArray<readonly [typed: string, url: string]> = [
  ['example.org', 'http://example.org/'],
  ['example.org:8080/x?y', 'http://example.org:8080/x?y'],
  ['localhost:3000', 'http://localhost:3000/'],
  [':3000/x', 'http://localhost:3000/x'],
  [':/x', 'http://localhost/x'],
  ['/x', 'http://localhost/x'],
  ['//example.org/x', 'http://example.org/x'],
  ['HTTPS://Example.ORG/A', 'https://example.org/A'],
  ['[::1]:80/x', 'http://[::1]/x'],
  ['user:pw@example.org', 'http://user:pw@example.org/'],
  ['http://example.org/a b', 'http://example.org/a%20b'],
  ['example.org/?next=http://x/', 'http://example.org/?next=http://x/'],
  ['https:/example.org/x', 'https://example.org/x'],
  ['bücher.example', 'http://xn--bcher-kva.example/'],
];

for (const [typed, url] of URLS) {
  test(`${typed} is ${url}`, () => assert.equal(parseRequestUrl(typed).href, url));
}

const BAD: ReadonlyArray<readonly [typed: string, why: RegExp]> = [
  ['', /not a URL/],
  ['http://', /not a URL/],
  ['http:///admin', /names no host/],
  ['https:////x', /names no host/],
  ['///x', /names no host/],
  ['unix:///run/x.sock', /only http and https .* not unix/],
  ['ftp://example.org/', /only http and https .* not ftp/],
  ['file:///etc/passwd', /only http and https/],
  ['http://x:99999/', /'99999' is not a port/],
  ['http://x:http/', /'http' is not a port/],
  ['http://[::1/', /not a URL/],
  ['::1', /stands in brackets/],
  ['2001:db8::1/x', /stands in brackets/],
  ['http://x/\r\nX: y', /control character/],
  ['http://x/a\tb', /control character/],
  ['http://x/\0', /control character/],
  ['http://x/\x1b[2J', /control character/],
];

for (const [typed, why] of BAD) {
  test(`${JSON.stringify(typed)} is refused`, () =>
    assert.throws(() => parseRequestUrl(typed), { code: 'USAGE', message: why }));
}

test('a password is kept out of the message about a bad URL', () => {
  for (const typed of ['http://me:hunter2@x:99999/', 'me:hunter2@x:99999']) {
    assert.throws(
      () => parseRequestUrl(typed),
      (error: Error) => !error.message.includes('hunter2'),
    );
  }
});

test('parameters stand behind those of the URL, which stay as they were typed', () => {
  const url = withParams(new URL('http://x/?a=%20+b&c'), [
    ['d e', 'f&g=h/é'],
    ['d e', ''],
  ]);
  assert.equal(url.href, 'http://x/?a=%20+b&c&d%20e=f%26g%3Dh%2F%C3%A9&d%20e=');
  assert.equal(withParams(new URL('http://x/#f'), [['a', 'b']]).href, 'http://x/?a=b#f');
});

test('the zone of a link-local address comes apart from its URL', () => {
  assert.deepEqual(takeZone('http://[fe80::1%25eth0]/x?y=[a%b]'), {
    url: 'http://[fe80::1]/x?y=[a%b]',
    resolve: '[fe80::1]:80:[fe80::1%eth0]',
  });
  assert.deepEqual(takeZone('https://u:p@[FE80:0::1%2]:8443/').resolve, '[fe80::1]:8443:[FE80:0::1%2]');
  for (const url of ['http://[::1]/%25', 'x/[fe80::1%25eth0]']) assert.deepEqual(takeZone(url), { url });
});
