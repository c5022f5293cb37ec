import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { UploadRules } from '../../src/core/handlers/static/features.js';
import { closeBrowser, keepPicture, noBrowser, openPage } from '../helpers/browser.js';
import { serveFolder, UPLOAD_RULES } from '../helpers/folder-server.js';
import { tempDir } from '../helpers/temp-dir.js';

after(closeBrowser);

async function start(t: TestContext, rules: Partial<UploadRules> = {}, files: Record<string, string> = {}) {
  const root = tempDir(t, files);
  const uploads = { ...UPLOAD_RULES, maxBytes: 50_000_000, ...rules };
  return { root, ...(await serveFolder(t, root, { uploads })) };
}

const file = (name: string, content: string | Buffer) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(content),
});

/** How far the first upload is, in bytes; all the way once its bar is gone. */
async function progress(page: Awaited<ReturnType<typeof openPage>>['page']): Promise<number> {
  const bar = page.locator('.jobs li').first().locator('progress');
  const value = await bar.getAttribute('value', { timeout: 500 }).catch(() => Number.POSITIVE_INFINITY);
  return Number(value);
}

test('chosen files are uploaded with progress, and the listing then has them', {
  skip: noBrowser,
}, async (t) => {
  const { root, url } = await start(t);
  const { page, complaints } = await openPage(t, url);
  const client = await page.context().newCDPSession(page);
  await client.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 8_000_000,
  });
  const content = Buffer.alloc(6_000_000, 'nettool');
  await page.setInputFiles('input[type=file]', [file('large.bin', content), file('émoji 😀.txt', 'small')]);
  await page.click('.up button');
  const seen = new Set<number>();
  for (let value = 0; value < content.length; ) {
    value = await progress(page);
    seen.add(value);
    if (seen.size === 3) await keepPicture(page, 'upload-light');
  }
  assert.ok(seen.size >= 3, 'the bar moves');
  await page.waitForSelector('tbody a:has-text("large.bin")');
  assert.deepEqual(readFileSync(join(root, 'large.bin')), content);
  assert.equal(readFileSync(join(root, 'émoji 😀.txt'), 'utf8'), 'small');
  assert.deepEqual(complaints, []);
});

/** A way to a server whose connections can be cut. */
async function cuttable(t: TestContext, port: number) {
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    open.add(client);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.resetAndDestroy());
    upstream.on('close', () => client.destroySoon());
  }).listen(0, '127.0.0.1');
  t.after(() => proxy.close());
  await once(proxy, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
    open.clear();
  };
  t.after(cut);
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`, cut };
}

test('an upload goes on where it broke off', { skip: noBrowser }, async (t) => {
  const { root, port, events } = await start(t);
  const { url, cut } = await cuttable(t, port);
  const { page } = await openPage(t, url);
  const client = await page.context().newCDPSession(page);
  await client.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: 6_000_000,
  });
  const content = Buffer.alloc(8_000_000, 'resume ');
  await page.setInputFiles('input[type=file]', file('big.bin', content));
  await page.click('.up button');
  while ((await progress(page)) < 2_000_000);
  cut();
  await page.waitForSelector('tbody a:has-text("big.bin")');
  assert.deepEqual(readFileSync(join(root, 'big.bin')), content);
  const puts = events.flatMap((event) =>
    event.type === 'request' && event.method === 'PUT' ? [event.status] : [],
  );
  assert.ok(puts.includes(308) && puts.at(-1) === 201, puts.join(' '));
});

test('files that are refused say why, and the page stays to be read', { skip: noBrowser }, async (t) => {
  const { url } = await start(t, { maxBytes: 1000 }, { 'taken.txt': 'old' });
  const { page } = await openPage(t, url, { dark: true });
  const sent = [file('taken.txt', 'new'), file('large', 'x'.repeat(1001)), file('good.txt', 'x')];
  await page.setInputFiles('input[type=file]', sent);
  await page.click('.up button');
  await page.waitForSelector('.up .note:has-text("not uploaded")');
  const texts = await page.locator('.jobs li').allTextContents();
  assert.deepEqual(texts, ['taken.txtthe name is taken', 'largetoo large', 'good.txtdone']);
  await keepPicture(page, 'upload-refused-dark');
});

test('dropped files are taken, and folders with all in them where folders may be made', {
  skip: noBrowser,
}, async (t) => {
  const { root, url } = await start(t, { makeFolders: true });
  const { page } = await openPage(t, url);
  const source = tempDir(t, { 'dropped/a.txt': 'a', 'dropped/deep/b.txt': 'b', 'single.txt': 's' });
  const client = await page.context().newCDPSession(page);
  const data = {
    items: [],
    files: [join(source, 'dropped'), join(source, 'single.txt')],
    dragOperationsMask: 1,
  };
  for (const type of ['dragEnter', 'dragOver'] as const) {
    await client.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  }
  await page.waitForSelector('html.over');
  await client.send('Input.dispatchDragEvent', { type: 'drop', x: 300, y: 300, data });
  await page.waitForSelector('tbody a:has-text("dropped")');
  assert.equal(readFileSync(join(root, 'dropped/deep/b.txt'), 'utf8'), 'b');
  assert.equal(readFileSync(join(root, 'dropped/a.txt'), 'utf8'), 'a');
  assert.equal(readFileSync(join(root, 'single.txt'), 'utf8'), 's');
});

test('folders are made and files deleted on the page, after a question', { skip: noBrowser }, async (t) => {
  const { root, url } = await start(t, { makeFolders: true, allowDelete: true }, { 'old.txt': '' });
  const { page } = await openPage(t, url);
  page.once('dialog', (dialog) => void dialog.accept('new folder'));
  await page.click('button:has-text("New folder")');
  await page.waitForSelector('tbody a:has-text("new folder")');
  page.once('dialog', (dialog) => void dialog.dismiss());
  await page.hover('tbody tr:has-text("old.txt")');
  await page.click('button[aria-label="Delete old.txt"]');
  assert.ok(existsSync(join(root, 'old.txt')));
  page.once('dialog', (dialog) => void dialog.accept());
  await page.click('button[aria-label="Delete old.txt"]');
  await page.waitForSelector('tbody a:has-text("old.txt")', { state: 'detached' });
  assert.deepEqual(readdirSync(root), ['new folder']);
});

test('without script the form posts, and comes back to the listing', { skip: noBrowser }, async (t) => {
  const { root, url } = await start(t);
  const { page } = await openPage(t, url, { script: false });
  await page.setInputFiles('input[type=file]', file('plain.txt', 'plain'));
  await page.click('.up button');
  await page.waitForSelector('tbody a:has-text("plain.txt")');
  assert.equal(page.url(), url);
  assert.equal(readFileSync(join(root, 'plain.txt'), 'utf8'), 'plain');
});

test('a page of another site cannot make a browser upload', { skip: noBrowser }, async (t) => {
  const { root, port } = await start(t);
  const evil = tempDir(t);
  writeFileSync(
    join(evil, 'index.html'),
    `<form method="post" action="http://localhost:${port}/" enctype="multipart/form-data">
     <input type="file" name="file"><button>Win a prize</button></form>`,
  );
  const other = await serveFolder(t, evil, {});
  const { page } = await openPage(t, other.url);
  await page.setInputFiles('input[type=file]', file('evil.html', 'x'));
  const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')]);
  assert.equal(answer?.status(), 403);
  assert.deepEqual(readdirSync(root), []);
});
