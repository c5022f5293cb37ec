import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTarget, toBytePath } from '../../../src/core/http/target.js';

/** The canonical path of a target. */
const pathOf = (target: string): string | undefined => parseTarget(target)?.path;

test('a plain target is its own canonical path', () => {
  assert.deepEqual(parseTarget('/a/b.txt?x=1?y'), { rawPath: '/a/b.txt', path: '/a/b.txt', query: 'x=1?y' });
  assert.deepEqual(parseTarget('/'), { rawPath: '/', path: '/', query: '' });
  assert.deepEqual(parseTarget('/dir/?'), { rawPath: '/dir/', path: '/dir/', query: '' });
});

test('escapes are decoded once, as UTF-8', () => {
  assert.equal(pathOf('/gr%C3%BCezi%20x'), '/grüezi x');
  assert.equal(pathOf('/gr\xc3\xbcezi'), '/grüezi');
  assert.equal(pathOf('/a%252e%252e/b'), '/a%2e%2e/b');
  assert.equal(pathOf('/bad%ff'), '/bad\ufffd');
  assert.equal(pathOf('/a+b%23c%3fd'), '/a+b#c?d');
});

const SPELLINGS: ReadonlyArray<readonly [target: string, path: string]> = [
  ['/a/../b', '/b'],
  ['/../../etc/passwd', '/etc/passwd'],
  ['/%2e%2e/%2e%2e/etc/passwd', '/etc/passwd'],
  ['/..%2f..%2fetc/passwd', '/etc/passwd'],
  ['/%2e%2e%2fetc', '/etc'],
  ['/a/.%2e/b', '/b'],
  ['//evil.com/..%2fsub', '/sub'],
  ['//admin//secret', '/admin/secret'],
  ['/./a/./b', '/a/b'],
  ['/a/.', '/a/'],
  ['/a/..', '/'],
  ['/a/b/..', '/a/'],
  ['/a%2f', '/a/'],
  ['/..', '/'],
  ['/...', '/...'],
  ['/a..b', '/a..b'],
  ['/.env', '/.env'],
  ['/\\..\\x', '/\\..\\x'],
];

for (const [target, path] of SPELLINGS) {
  test(`the canonical path of ${target} is ${path}`, () => assert.equal(pathOf(target), path));
}

test('a path as bytes keeps those that are not UTF-8', () => {
  const bytesOf = (target: string) => {
    const parsed = parseTarget(target);
    assert.ok(parsed);
    return toBytePath(parsed);
  };
  assert.equal(bytesOf('/caf%E9/./%2e%2e//b'), '/b');
  assert.equal(bytesOf('/a//caf%E9/'), '/a/caf\xe9/');
  assert.equal(bytesOf('/caf%C3%A9'), '/caf\xc3\xa9');
  assert.equal(bytesOf('/%EF%BF%BD'), '/\xef\xbf\xbd');
});

test('the absolute form gives the path after its authority', () => {
  assert.deepEqual(parseTarget('http://host:80/a?b'), { rawPath: '/a', path: '/a', query: 'b' });
  assert.deepEqual(parseTarget('HTTPS://host?b'), { rawPath: '/', path: '/', query: 'b' });
  assert.equal(pathOf('http://host'), '/');
  assert.equal(pathOf('http://host//evil.com/'), '/evil.com/');
});

test('the asterisk form is the server as a whole', () => {
  assert.deepEqual(parseTarget('*'), { rawPath: '*', path: '/', query: '' });
});

const MALFORMED = [
  '',
  'a',
  'host:80',
  'ftp://x/',
  'http://',
  'http://u@h/',
  '/%',
  '/%2',
  '/%zz',
  '/%00',
  '/a%00.txt',
];
const FORBIDDEN = ['/a b', '/a\tb', '/a\x00b', '/a\x7f', '/a#b', '/\u0100', '/a\r\nb'];

for (const target of [...MALFORMED, ...FORBIDDEN]) {
  test(`${JSON.stringify(target)} is refused`, () => assert.equal(parseTarget(target), undefined));
}

test('no target gives a path that climbs, repeats slashes, holds a NUL, or changes when it is asked for again', () => {
  const piece = fc.constantFrom(
    '/',
    '..',
    '.',
    '%2e',
    '%2f',
    '%5c',
    '\\',
    '%25',
    '%',
    '?',
    'a',
    '%00',
    '%ff',
    '%C3%BC',
    '#',
  );
  const target = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    fc.string().map((text) => `/${text}`),
  );
  fc.assert(
    fc.property(target, (text) => {
      const path = pathOf(text);
      if (path === undefined) return;
      assert.match(path, /^\/(?!\/)/);
      assert.ok(!path.includes('\0') && !path.includes('//'));
      assert.ok(!path.split('/').some((segment) => segment === '..' || segment === '.'));
      assert.equal(pathOf(path.split('/').map(encodeURIComponent).join('/')), path);
    }),
    { numRuns: 2000 },
  );
});
