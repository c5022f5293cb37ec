import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHeader, parseItem } from '../../src/commands/items.js';

const ITEMS: ReadonlyArray<readonly [item: string, parsed: Record<string, string>]> = [
  ['X-A:b', { kind: 'header', name: 'X-A', value: 'b' }],
  ['X-A: b c ', { kind: 'header', name: 'X-A', value: 'b c' }],
  ['X-A:b:c=d', { kind: 'header', name: 'X-A', value: 'b:c=d' }],
  ['Referer:http://x/?a==b', { kind: 'header', name: 'Referer', value: 'http://x/?a==b' }],
  ['X-A:', { kind: 'no-header', name: 'X-A' }],
  ['X-A;', { kind: 'header', name: 'X-A', value: '' }],
  ['q==v', { kind: 'param', name: 'q', value: 'v' }],
  ['q==', { kind: 'param', name: 'q', value: '' }],
  ['q==a=b:c', { kind: 'param', name: 'q', value: 'a=b:c' }],
  ['k=v', { kind: 'text', name: 'k', value: 'v', source: 'k=v' }],
  ['k=', { kind: 'text', name: 'k', value: '', source: 'k=' }],
  ['k=a@b:=c', { kind: 'text', name: 'k', value: 'a@b:=c', source: 'k=a@b:=c' }],
  ['a;b=c', { kind: 'text', name: 'a;b', value: 'c', source: 'a;b=c' }],
  ['k:=1.10', { kind: 'json', name: 'k', value: '1.10', source: 'k:=1.10' }],
  ['k:=[1, "a"]', { kind: 'json', name: 'k', value: '[1, "a"]', source: 'k:=[1, "a"]' }],
  ['k=@f.txt', { kind: 'text-file', name: 'k', path: 'f.txt', source: 'k=@f.txt' }],
  ['k:=@f.json', { kind: 'json-file', name: 'k', path: 'f.json', source: 'k:=@f.json' }],
  ['a[b][]=v', { kind: 'text', name: 'a[b][]', value: 'v', source: 'a[b][]=v' }],
  ['a\\:b=c', { kind: 'text', name: 'a:b', value: 'c', source: 'a\\:b=c' }],
  ['a\\=b=c', { kind: 'text', name: 'a=b', value: 'c', source: 'a\\=b=c' }],
  ['a\\@b=c', { kind: 'text', name: 'a@b', value: 'c', source: 'a\\@b=c' }],
  ['a=\\@b', { kind: 'text', name: 'a', value: '@b', source: 'a=\\@b' }],
  ['a=\\d+\\n', { kind: 'text', name: 'a', value: '\\d+\\n', source: 'a=\\d+\\n' }],
  ['path=C:\\temp', { kind: 'text', name: 'path', value: 'C:\\temp', source: 'path=C:\\temp' }],
];

for (const [item, parsed] of ITEMS) {
  test(`item ${item} is a ${parsed.kind}`, () => assert.deepEqual(parseItem(item), parsed));
}

const BAD: ReadonlyArray<readonly [item: string, why: RegExp]> = [
  ['https://example.org/a?b=c', /more URLs are given by --url/],
  ['{"a":1,"password":"hunter2"}', /bad request item '\{…\}': a body of JSON is given by -d/],
  ['[1]', /given by -d/],
  ['plain', /'plain': it has no separator/],
  ['', /no separator/],
  ['=v', /name before '=' is missing/],
  ['==v', /name before '==' is missing/],
  [':v', /name before ':' is missing/],
  ['k:={x}', /'k:={x}': the value is not JSON/],
  ['k:=', /not JSON/],
  ['k=@', /file name after '@' is missing/],
  ['X Y:1', /'X Y' is not a header name/],
  ['X:a\r\nEvil: 1', /control characters/],
  ['X:a\0', /control characters/],
  ['X-é:1', /not a header name/],
];

for (const [item, why] of BAD) {
  test(`item ${JSON.stringify(item)} is refused`, () =>
    assert.throws(() => parseItem(item), { code: 'USAGE', message: why }));
}

test('header flags have the same three forms', () => {
  assert.deepEqual(parseHeader('K: a=b; c'), { kind: 'header', name: 'K', value: 'a=b; c' });
  assert.deepEqual(parseHeader('K:'), { kind: 'no-header', name: 'K' });
  assert.deepEqual(parseHeader('K;'), { kind: 'header', name: 'K', value: '' });
  for (const bad of ['K', 'K=v', ': v', 'K L: v', 'K: a\nb', 'K\r: a']) {
    assert.throws(() => parseHeader(bad), { code: 'USAGE', message: /bad request header/ }, bad);
  }
});

test('a secret is kept out of the message about a bad item', () => {
  for (const item of ['X-Api-Key:hunter2\r\n', 'token:=hunter2', 'Authorization:Bearer hunter2\0']) {
    assert.throws(() => parseItem(item), { message: /'[\w-]+[:=]\*\*\*'/ });
    assert.throws(
      () => parseItem(item),
      (error: Error) => !error.message.includes('hunter2'),
    );
  }
});
