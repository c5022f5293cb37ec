import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startMariadb } from '../helpers/mariadb.js';
import { bundleFixture, runPlain } from '../helpers/plain-node.js';
import { needs } from '../helpers/programs.js';
import { tempDir } from '../helpers/temp-dir.js';

const APP = resolve(import.meta.dirname, '../../examples/stock/app.ts');

const STOCK = {
  code: '300001',
  short: 'Ünï & <b>',
  chg: -1.5,
  turnover: 2,
  price: 20.25,
  highs: 21,
  time: '2026-02-28',
};

/** Where the stock page is stored; a URL for DATABASE_URL. */
type Storage = (t: TestContext, folder: string) => Promise<string>;

const STORAGES: ReadonlyArray<readonly [name: string, Storage, { skip?: string }]> = [
  ['SQLite', async (_t, folder) => `sqlite:${join(folder, 'stock.sqlite')}`, {}],
  ['MariaDB', startMariadb, needs('mariadbd', 'mariadb-install-db', 'mariadb')],
];

for (const [name, storage, skip] of STORAGES) {
  test(`the stock page runs on ${name}`, skip, async (t) => {
    const folder = tempDir(t);
    const env = { DATABASE_URL: await storage(t, folder) };
    const bundle = await bundleFixture('js-host.ts', folder);
    const start = (): Promise<string> => runPlain(t, bundle, [APP], env).nextLine();
    const origin = await start();
    await t.test('pages', () => testPages(origin));
    await t.test('rows made, read, changed and removed', () => testRows(origin));
    await t.test('bad input is told field by field', () => testBadInput(origin));
    await t.test('a second worker sees the same rows', async () => {
      const other = await start();
      assert.deepEqual(await read(`${other}/api/info`), await read(`${origin}/api/info`));
    });
  });
}

async function testPages(origin: string): Promise<void> {
  const page = await fetch(`${origin}/index.html`);
  const text = await page.text();
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(text, /<h1>Stocks<\/h1>\n<table>[\s\S]*<td>000007<\/td><td>Quanxinhao<\/td><td>10\.01%<\/td>/);
  assert.doesNotMatch(text, /\{%/);
  assert.equal(await (await fetch(origin)).text(), text);
  assert.match(await (await fetch(`${origin}/stock/000036`)).text(), /<h1>Union Holdings<\/h1>/);
  const missing = await fetch(`${origin}/stock/${encodeURIComponent('<i>')}`);
  assert.equal(missing.status, 404);
  assert.doesNotMatch(await missing.text(), /<i>/);
  assert.equal((await fetch(`${origin}/nothing`)).status, 404);
  assert.equal((await fetch(origin, { method: 'POST' })).status, 405);
}

async function testRows(origin: string): Promise<void> {
  const made = await send(origin, 'POST', '/api/info', STOCK);
  assert.equal(made.status, 201);
  const place = made.headers.get('location') as string;
  const stock = (await made.json()) as { id: number };
  assert.deepEqual(stock, { id: stock.id, ...STOCK });
  assert.deepEqual(await read(origin + place), stock);
  assert.match(await (await fetch(origin)).text(), /<td>Ünï &amp; &lt;b&gt;<\/td>/);
  assert.equal((await send(origin, 'POST', '/api/info', STOCK)).status, 409);

  const changed = { ...STOCK, price: 22.5 };
  assert.equal((await send(origin, 'PUT', place, changed)).status, 200);
  assert.equal((await send(origin, 'PUT', place, changed)).status, 200);
  assert.equal(((await read(origin + place)) as typeof STOCK).price, 22.5);
  assert.equal((await send(origin, 'PUT', place, { ...changed, code: '000007' })).status, 409);
  assert.equal((await send(origin, 'DELETE', place)).status, 204);
  assert.equal((await send(origin, 'DELETE', place)).status, 404);
  assert.equal((await send(origin, 'PUT', place, changed)).status, 404);
  assert.equal(((await read(`${origin}/api/info?limit=2`)) as unknown[]).length, 2);
}

async function testBadInput(origin: string): Promise<void> {
  const refusal = async (value: unknown): Promise<unknown> => {
    const answer = await send(origin, 'POST', '/api/info', value);
    assert.equal(answer.status, 422);
    return ((await answer.json()) as { detail: unknown }).detail;
  };
  const bad = { ...STOCK, code: '12', price: '1', time: '2026-02-30', extra: 1 };
  assert.deepEqual(await refusal(bad), [
    { field: 'extra', message: 'is unknown' },
    { field: 'code', message: 'has to be six digits' },
    { field: 'price', message: 'has to be a number from 0' },
    { field: 'time', message: 'has to be a date, YYYY-MM-DD' },
  ]);
  assert.deepEqual(await refusal([]), [{ field: 'body', message: 'has to be an object' }]);
  const broken = await fetch(`${origin}/api/info`, { method: 'POST', body: '{' });
  assert.equal(broken.status, 422);
  assert.equal((await fetch(`${origin}/api/info/x`)).status, 422);
  assert.equal((await fetch(`${origin}/api/info?limit=-1`)).status, 422);
  assert.equal((await fetch(`${origin}/api/info`, { method: 'PATCH' })).headers.get('allow'), 'GET, POST');
  assert.equal((await fetch(`${origin}/api/nothing`)).status, 404);
}

function send(origin: string, method: string, path: string, value?: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' };
  return fetch(origin + path, {
    method,
    headers,
    ...(value !== undefined && { body: JSON.stringify(value) }),
  });
}

async function read(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}
