import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { createHandler } from '../../src/core/handlers/index.js';
import type { Handler } from '../../src/core/http/handler.js';
import { closeBrowser, noBrowser, openPage } from '../helpers/browser.js';
import { serveFolder, UPLOAD_RULES } from '../helpers/folder-server.js';
import { serve } from '../helpers/servers.js';
import { tempDir } from '../helpers/temp-dir.js';

after(closeBrowser);

const PAGE = (words: string): string =>
  `<!doctype html><link rel="stylesheet" href="style.css"><h1>${words}</h1><input>`;

async function start(t: TestContext, files: Record<string, string>) {
  const root = tempDir(t, files);
  const live = { signal: new AbortController().signal };
  return { root, ...(await serveFolder(t, root, { live, uploads: UPLOAD_RULES })) };
}

/** The stream is open once the script has asked for it. */
const isListening = (page: Awaited<ReturnType<typeof openPage>>['page']) =>
  page.waitForFunction(
    'performance.getEntriesByType("resource").some((one) => one.name.endsWith("live.js"))',
  );

test('a page reloads when its file changes, and only then', { skip: noBrowser }, async (t) => {
  const { root, url } = await start(t, { 'index.html': PAGE('one'), 'style.css': '' });
  const { page, complaints } = await openPage(t, url);
  await isListening(page);
  for (const words of ['two', 'three']) {
    writeFileSync(join(root, 'index.html'), PAGE(words));
    await page.waitForSelector(`h1:has-text("${words}")`);
  }
  assert.deepEqual(complaints, []);
});

test('a style sheet is swapped in place: what was typed stays', { skip: noBrowser }, async (t) => {
  const { root, url } = await start(t, { 'index.html': PAGE('one'), 'style.css': 'h1{color:rgb(1,2,3)}' });
  const { page } = await openPage(t, url);
  await isListening(page);
  await page.fill('input', 'typed');
  for (const color of ['rgb(4, 5, 6)', 'rgb(7, 8, 9)']) {
    writeFileSync(join(root, 'style.css'), `h1{color:${color}}`);
    await page.waitForFunction(`getComputedStyle(document.querySelector('h1')).color === '${color}'`);
  }
  assert.equal(await page.inputValue('input'), 'typed');
  await page.waitForFunction('document.querySelectorAll("link").length === 1');
});

test('listings and error pages are kept up to date too, within their own policy', {
  skip: noBrowser,
}, async (t) => {
  const { root, url } = await start(t, { 'a.txt': '' });
  const listing = await openPage(t, url);
  const missing = await openPage(t, `${url}page.html`);
  await Promise.all([isListening(listing.page), isListening(missing.page)]);
  writeFileSync(join(root, 'page.html'), '<h1>here now</h1>');
  await listing.page.waitForSelector('tbody a:has-text("page.html")');
  await missing.page.waitForSelector('h1:has-text("here now")');
  assert.deepEqual([...listing.complaints, ...missing.complaints], []);
});

test('a page with a strict policy of its own is let through', { skip: noBrowser }, async (t) => {
  const meta = `<meta http-equiv="Content-Security-Policy" content="default-src 'self'">`;
  const { root, url } = await start(t, { 'index.html': `${meta}<h1>one</h1>` });
  const { page, complaints } = await openPage(t, url);
  await isListening(page);
  writeFileSync(join(root, 'index.html'), `${meta}<h1>two</h1>`);
  await page.waitForSelector('h1:has-text("two")');
  assert.deepEqual(complaints, []);
});

test('a page that was away catches up with what it missed', { skip: noBrowser }, async (t) => {
  const { root, url } = await start(t, { 'index.html': PAGE('one'), 'style.css': '', extra: '' });
  const { page } = await openPage(t, url);
  await isListening(page);
  await page.context().setOffline(true);
  writeFileSync(join(root, 'index.html'), PAGE('two'));
  rmSync(join(root, 'extra'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await page.context().setOffline(false);
  await page.waitForSelector('h1:has-text("two")');
});

test('two servers that take turns do not reload a page for ever', { skip: noBrowser }, async (t) => {
  const root = tempDir(t, { 'index.html': PAGE('one'), 'style.css': '' });
  const features = { live: { signal: new AbortController().signal } };
  const [pages, events] = await Promise.all(
    [0, 1].map(() => createHandler({ kind: 'static', root, features })),
  );
  t.after(() => events?.close?.());
  let visits = 0;
  const { url } = await serve(t, {
    handle(request) {
      if (request.path === '/') visits += 1;
      const handler = request.path === '/.nettool/events' ? events : pages;
      return (handler as Handler).handle(request);
    },
    close: async () => pages?.close?.(),
  });
  const { page } = await openPage(t, url);
  await page.waitForTimeout(1500);
  assert.equal(visits, 2);
});
