import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startHttp } from '../helpers/http-server.js';
import { type FakeProcess, run } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

const SENT: ReadonlyArray<readonly [argv: readonly string[], type: string | undefined, body: string]> = [
  [[], undefined, ''],
  [['a=1', 'b:=2', 'c=é'], JSON_TYPE, '{"a":"1","b":2,"c":"é"}'],
  [['n:=12345678901234567890'], JSON_TYPE, '{"n":12345678901234567890}'],
  [['a[b][]=x', 'a[b][]:=1.10'], JSON_TYPE, '{"a":{"b":["x",1.10]}}'],
  [['--form', 'a=1 2', 'a=&', 'b[c]=é'], FORM_TYPE, 'a=1+2&a=%26&b%5Bc%5D=%C3%A9'],
  [['-d', '{"a":1}'], JSON_TYPE, '{"a":1}'],
  [['-d', 'a=1&b=2'], FORM_TYPE, 'a=1&b=2'],
  [['-d', 'a=1', '-d', 'b=2'], FORM_TYPE, 'a=1&b=2'],
  [['-d', '{"a":1}', '--form'], FORM_TYPE, '{"a":1}'],
  [['-d', '{"a":1}', 'Content-Type:text/x'], 'text/x', '{"a":1}'],
  [['-d', '{"a":1}', 'Content-Type:'], undefined, '{"a":1}'],
  [['-d', ''], FORM_TYPE, ''],
  [['-d', '@data.json'], JSON_TYPE, '[1]\n'],
  [['t=@text.txt', 'j:=@data.json'], JSON_TYPE, '{"t":"line\\n","j":[1]}'],
];

for (const [argv, type, body] of SENT) {
  test(`post ${argv.join(' ')} sends ${JSON.stringify(body)}`, async (t) => {
    const cwd = tempDir(t);
    writeFileSync(join(cwd, 'data.json'), '[1]\n');
    writeFileSync(join(cwd, 'text.txt'), 'line\n');
    const { url, received } = await startHttp(t, (res) => res.end('ok'));
    const result = await run(['post', url, ...argv], { cwd });
    assert.equal(result.stdout, 'ok', result.stderr);
    assert.equal(received[0]?.method, 'POST');
    assert.equal(received[0]?.body, body);
    assert.equal(received[0]?.headers['content-type'], type);
    assert.equal(received[0]?.headers['content-length'], String(Buffer.byteLength(body)));
  });
}

test('stdin is the body when -d @- asks for it, and only then', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  const fake: FakeProcess = { stdin: '{"from":"stdin"}' };
  await run(['post', url, '-d', '@-'], fake);
  await run(['post', url], fake);
  assert.deepEqual(
    received.map(({ body, headers }) => [body, headers['content-type']]),
    [
      ['{"from":"stdin"}', JSON_TYPE],
      ['', undefined],
    ],
  );
});

test('bodies that contradict each other are exit 2, files that cannot be read 26', async (t) => {
  const cwd = tempDir(t);
  mkdirSync(join(cwd, 'folder'));
  writeFileSync(join(cwd, 'binary'), Buffer.from([0xff, 0xfe]));
  writeFileSync(join(cwd, 'broken.json'), '{');
  const { url, received } = await startHttp(t, (res) => res.end());
  const cases: ReadonlyArray<readonly [argv: readonly string[], code: number, message: RegExp]> = [
    [['-d', 'x', 'a=1'], 2, /either from --data or from fields/],
    [['--form', 'a:=1'], 2, /'a:=1': a form has no JSON fields/],
    [['a=1', 'a[b]=2'], 2, /'a' is a plain value already/],
    [['a=@binary'], 2, /'a=@binary': the file is not text/],
    [['a:=@broken.json'], 2, /'a:=@broken\.json': the value is not JSON/],
    [['-d', '@missing'], 26, /cannot read missing \(no such file or directory\)/],
    [['-d', '@folder'], 26, /cannot read folder \(is a directory\)/],
    [['a=@missing'], 26, /cannot read missing/],
    [['-H', '@missing'], 26, /cannot read missing/],
    [['--cacert', 'missing'], 26, /cannot read missing/],
    [['--cacert', 'broken.json'], 26, /no certificate/],
  ];
  for (const [argv, code, message] of cases) {
    const result = await run(['post', url, ...argv], { cwd });
    assert.equal(result.code, code, argv.join(' '));
    assert.match(result.stderr, message);
  }
  assert.equal(received.length, 0);
});

test('a redirected POST becomes a GET without its body, after 307 it stays what it was', async (t) => {
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target === '/302') return res.writeHead(302, { Location: '/end' }).end();
    if (target === '/307') return res.writeHead(307, { Location: '/end' }).end();
    return res.end('end');
  });
  await run(['post', `${url}/302`, 'a=1']);
  await run(['post', `${url}/307`, 'a=1']);
  assert.deepEqual(
    received.map(({ method, target, body, headers }) => [method, target, body, headers['content-type']]),
    [
      ['POST', '/302', '{"a":"1"}', JSON_TYPE],
      ['GET', '/end', '', undefined],
      ['POST', '/307', '{"a":"1"}', JSON_TYPE],
      ['POST', '/end', '{"a":"1"}', JSON_TYPE],
    ],
  );
});

test('the place of a fault in a nested name is shown to people, and not beside --json', async () => {
  const argv = ['post', ':1', 'list[a][b=1'];
  const shown = (await run(argv)).stderr.split('\n');
  assert.deepEqual(shown.slice(1, 3), ['  list[a][b', '           ^']);
  assert.match((await run([...argv, '--json'])).stderr, /^nettool post: .*\nhint: .*\n$/);
});
