import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { closeBrowser, keepPicture, noBrowser, openPage } from '../helpers/browser.js';
import { serveFolder } from '../helpers/folder-server.js';
import { tempDir } from '../helpers/temp-dir.js';

after(closeBrowser);

const HOSTILE = ['<img src=x onerror=alert(1)>.txt', '" onmouseover="alert(1).txt', 'javascript:alert(1)'];

async function start(t: TestContext) {
  const root = tempDir(t, {
    'docs/guide.txt': '',
    'b-10.txt': 'x'.repeat(20_000),
    'b-9.txt': 'x',
    'archive.tar': 'x'.repeat(300),
    'README.md': '# About\n\nWords about this folder.',
    ...Object.fromEntries(HOSTILE.map((name) => [name, ''])),
  });
  utimesSync(join(root, 'b-9.txt'), 1_000_000_000, 1_000_000_000);
  const { url } = await serveFolder(t, root, { zip: true });
  return { root, url };
}

type TestedPage = Awaited<ReturnType<typeof openPage>>['page'];

const names = (page: TestedPage) => page.locator('tbody tr:visible bdi').allTextContents();
const focused = (page: TestedPage) => page.evaluate('document.activeElement.textContent');

test('headings sort in place, both ways, folders first', { skip: noBrowser }, async (t) => {
  const { url } = await start(t);
  const { page, complaints } = await openPage(t, url);
  await keepPicture(page, 'listing-light');
  await page.click('th[data-sort=size] a');
  assert.deepEqual((await names(page)).slice(0, 3), ['docs', 'b-10.txt', 'archive.tar']);
  assert.equal(await page.getAttribute('th[data-sort=size]', 'aria-sort'), 'descending');
  await page.click('th[data-sort=size] a');
  assert.equal((await names(page)).at(-1), 'b-10.txt');
  await page.click('th[data-sort=date] a');
  assert.equal((await names(page)).at(-1), 'b-9.txt');
  assert.match(page.url(), /\?sort=date&order=desc$/);
  const sorted = await names(page);
  await page.reload();
  assert.deepEqual(await names(page), sorted);
  assert.deepEqual(complaints, []);
});

test('what is typed filters the names at once, and Enter goes to the first', {
  skip: noBrowser,
}, async (t) => {
  const { url } = await start(t);
  const { page } = await openPage(t, url);
  await page.keyboard.press('/');
  await page.keyboard.type('B-');
  assert.deepEqual(await names(page), ['b-9.txt', 'b-10.txt']);
  assert.equal(await page.textContent('[role=status]'), '2 of 8 shown');
  await page.keyboard.press('Enter');
  assert.equal(await focused(page), 'b-9.txt');
  await page.keyboard.press('/');
  await page.fill('input[type=search]', 'zzz');
  assert.equal(await page.textContent('[role=status]'), 'Nothing matches');
  await page.keyboard.press('Escape');
  assert.equal((await names(page)).length, 8);
});

test('a folder is walked by keyboard: down, up, to the end, into and out of folders', {
  skip: noBrowser,
}, async (t) => {
  const { url } = await start(t);
  const { page } = await openPage(t, url, { dark: true });
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(page), 'docs/');
  await keepPicture(page, 'listing-dark');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('End');
  assert.equal(await focused(page), 'README.md');
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${url}docs/`);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(page), 'guide.txt');
  await page.keyboard.press('Backspace');
  await page.waitForURL(url);
});

test('hostile names are shown as they are, run nothing, and their links work', {
  skip: noBrowser,
}, async (t) => {
  const { url } = await start(t);
  const { page, complaints } = await openPage(t, url);
  let alerted = false;
  page.on('dialog', (dialog) => {
    alerted = true;
    void dialog.dismiss();
  });
  for (const name of HOSTILE) {
    const link = page.locator('tbody a', { hasText: name });
    await link.hover();
    const href = new URL((await link.getAttribute('href')) ?? '', url);
    assert.equal((await page.request.get(href.href)).status(), 200, name);
  }
  assert.equal(await page.locator('tbody img').count(), 0);
  assert.ok(!alerted);
  assert.deepEqual(complaints, []);
});

test('without script everything can be read, sorted and searched', { skip: noBrowser }, async (t) => {
  const { url } = await start(t);
  const { page } = await openPage(t, url, { script: false });
  await keepPicture(page, 'listing-no-script');
  await page.click('th[data-sort=size] a');
  assert.deepEqual((await names(page)).slice(0, 2), ['docs', 'b-10.txt']);
  await page.fill('input[type=search]', 'b-');
  await page.click('form[role=search] button');
  assert.deepEqual(await names(page), ['b-10.txt', 'b-9.txt']);
  assert.match((await page.textContent('body')) ?? '', /2 entries with “b-” in the name/);
});

test('a folder of thousands is quick to open and to search as a whole', { skip: noBrowser }, async (t) => {
  const root = tempDir(t);
  for (let count = 1; count <= 10_000; count += 1) writeFileSync(join(root, `entry-${count}.txt`), '');
  const { url } = await serveFolder(t, root, {});
  const { page } = await openPage(t, url, { width: 420 });
  assert.equal(await page.locator('tbody tr').count(), 1000);
  await keepPicture(page, 'listing-narrow');
  await page.fill('input[type=search]', '-999');
  assert.equal(await page.textContent('[role=status]'), 'Enter searches the whole folder');
  await page.keyboard.press('Enter');
  await page.waitForURL(/search=-999/);
  assert.equal((await names(page)).length, 11);
});
