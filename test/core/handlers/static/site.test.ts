import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { resolveRoot } from '../../../../src/core/handlers/static/path.js';
import type { Resource } from '../../../../src/core/handlers/static/resource.js';
import { type Found, Site } from '../../../../src/core/handlers/static/site.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

/** Longer than a file system's clock may stand still. */
const SETTLED_MS = 120;

/** Longer than anything is taken for granted. */
const FORGOTTEN_MS = 600;

function createSite(root: string, memoryBytes = 1e7): Site {
  const rules = {
    root: resolveRoot(root, false),
    fileNames: new Set<string>(),
    showHidden: false,
    indexNames: ['index.html'],
    cleanUrls: false,
    listing: true,
  };
  return new Site(rules, { cache: undefined, memoryBytes, fileName: '' });
}

/** A site whose files have not changed for a while, as most have not. */
async function settledSite(t: TestContext, files: Record<string, string | Buffer>) {
  const folder = tempDir(t, files);
  await delay(SETTLED_MS);
  const site = createSite(join(folder, 'site'));
  t.after(() => site.close());
  return { folder, site };
}

function resourceOf(found: Found): Resource {
  assert.equal(found.kind, 'resource');
  return found as Resource;
}

const textOf = (found: Found): string | undefined => resourceOf(found).identity.bytes?.toString();

test('a file that stays as it is is read once', async (t) => {
  const { site } = await settledSite(t, { 'site/a.txt': 'a' });
  const first = site.find('/a.txt');
  await turn();
  assert.equal(site.find('/a.txt'), first);
  await delay(FORGOTTEN_MS);
  assert.equal(site.find('/a.txt'), first);
});

const CHANGES: Readonly<Record<string, (file: string) => string | undefined>> = {
  rewritten(file) {
    writeFileSync(file, 'new');
    return 'new';
  },
  replaced(file) {
    writeFileSync(`${file}.new`, 'new');
    renameSync(`${file}.new`, file);
    return 'new';
  },
  truncated(file) {
    truncateSync(file);
    return '';
  },
  shortened(file) {
    truncateSync(file, 1);
    return 'o';
  },
  'appended to'(file) {
    writeFileSync(file, '+', { flag: 'a' });
    return 'old+';
  },
  deleted(file) {
    rmSync(file);
    return undefined;
  },
  'replaced by a folder'(file) {
    rmSync(file);
    mkdirSync(file);
    return undefined;
  },
  'rewritten and given its old date'(file) {
    writeFileSync(file, 'new');
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    return 'new';
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  test(`a file that is ${name} is never answered as it was`, async (t) => {
    const folder = tempDir(t, { 'site/a.txt': 'old' });
    const file = join(folder, 'site/a.txt');
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    await delay(SETTLED_MS);
    const site = createSite(join(folder, 'site'));
    assert.equal(textOf(site.find('/a.txt')), 'old');
    await turn();
    assert.equal(textOf(site.find('/a.txt')), 'old');
    const text = change(file);
    await turn();
    const found = site.find('/a.txt');
    if (text === undefined) assert.notEqual(found.kind, 'resource');
    else assert.equal(textOf(found), text);
  });
}

test('rewriting a file again and again is never missed, however fast', async (t) => {
  const folder = tempDir(t, { 'site/a.txt': '0000' });
  const site = createSite(join(folder, 'site'));
  for (let count = 1; count <= 300; count += 1) {
    const text = String(count).padStart(4, '0');
    writeFileSync(join(folder, 'site/a.txt'), text);
    await turn();
    assert.equal(textOf(site.find('/a.txt')), text);
    await turn();
    assert.equal(textOf(site.find('/a.txt')), text);
  }
});

test('a link swapped to lead outside is 404 at once', async (t) => {
  const { folder, site } = await settledSite(t, { 'site/in.txt': 'inside', 'out/secret': 'SECRET' });
  const link = join(folder, 'site/link');
  symlinkSync('in.txt', link);
  assert.equal(textOf(site.find('/link')), 'inside');
  await turn();
  rmSync(link);
  symlinkSync('../out/secret', link);
  assert.equal(site.find('/link').kind, 'missing');
});

test('a folder moved outside and linked back is 404 within the second, though its files are the same', async (t) => {
  const { folder, site } = await settledSite(t, { 'site/sub/a.txt': 'moved' });
  assert.equal(textOf(site.find('/sub/a.txt')), 'moved');
  renameSync(join(folder, 'site/sub'), join(folder, 'moved'));
  symlinkSync('../moved', join(folder, 'site/sub'));
  await delay(FORGOTTEN_MS);
  assert.equal(site.find('/sub/a.txt').kind, 'missing');
});

test('a better file or sibling that appears is found within the second', async (t) => {
  const { folder, site } = await settledSite(t, { 'site/a.txt': 'a' });
  assert.deepEqual(resourceOf(site.find('/a.txt')).siblings, {});
  writeFileSync(join(folder, 'site/a.txt.gz'), 'x');
  await delay(FORGOTTEN_MS);
  assert.ok(resourceOf(site.find('/a.txt')).siblings.gzip !== undefined);
});

test('a file that may not be read any more is not given from memory', {
  skip: process.geteuid?.() !== 0,
}, async (t) => {
  const { folder, site } = await settledSite(t, { 'site/a.txt': 'a' });
  chmodSync(folder, 0o755);
  process.seteuid?.(65_534);
  try {
    assert.equal(textOf(site.find('/a.txt')), 'a');
    await turn();
    process.seteuid?.(0);
    chmodSync(join(folder, 'site/a.txt'), 0);
    process.seteuid?.(65_534);
    assert.equal(site.find('/a.txt').kind, 'forbidden');
  } finally {
    process.seteuid?.(0);
  }
});

test('what is remembered keeps to its budget, whatever is asked for', async (t) => {
  const files: Record<string, Buffer> = {};
  for (let count = 0; count < 100; count += 1) files[`site/${count}.txt`] = Buffer.alloc(10_000, 'x');
  const folder = tempDir(t, files);
  const site = createSite(join(folder, 'site'), 200_000);
  for (let round = 0; round < 3; round += 1) {
    for (let count = 0; count < 100; count += 1) {
      assert.equal(resourceOf(site.find(`/${count}.txt`)).identity.sizeBytes, 10_000);
      assert.ok(site.usedBytes <= 200_000);
    }
  }
  assert.ok(site.usedBytes > 100_000);
  await site.close();
  assert.equal(site.usedBytes, 0);
});

test('a large file is known, but not kept', async (t) => {
  const { site } = await settledSite(t, { 'site/large.bin': Buffer.alloc(1_000_000) });
  const resource = resourceOf(site.find('/large.bin'));
  assert.equal(resource.identity.bytes, undefined);
  assert.ok(site.usedBytes < 10_000);
  const opened = site.open(resource, resource.identity);
  assert.ok(opened !== undefined);
  closeSync(opened.fd);
});

test('a large file that has grown can still be sent as it was seen; a shorter one cannot', async (t) => {
  const { folder, site } = await settledSite(t, { 'site/log': Buffer.alloc(300_000) });
  const file = join(folder, 'site/log');
  const resource = resourceOf(site.find('/log'));
  writeFileSync(file, 'more', { flag: 'a' });
  const opened = site.open(resource, resource.identity);
  assert.ok(opened !== undefined);
  closeSync(opened.fd);
  truncateSync(file, 10);
  assert.equal(site.open(resource, resource.identity), undefined);
});

test('finding leaves no descriptor open', async (t) => {
  const { site } = await settledSite(t, {
    'site/a.txt': 'a',
    'site/a.txt.gz': 'x',
    'site/sub/index.html': 'i',
    'site/large.bin': Buffer.alloc(300_000),
  });
  const paths = ['/a.txt', '/sub', '/sub/', '/', '/large.bin', '/none', '/a.txt/', '/sub/none'];
  for (const path of paths) site.find(path);
  const before = countDescriptors();
  for (let count = 0; count < 50; count += 1) {
    for (const path of paths) {
      site.forget(path);
      site.find(path);
    }
    await turn();
  }
  assert.equal(countDescriptors(), before);
});

test('what is compressed is kept, becomes as small as it can, and belongs to the budget', async (t) => {
  const text = Array.from({ length: 5000 }, (_, index) => `word${(index * 7919) % 1000} `).join('');
  const { folder, site } = await settledSite(t, { 'site/a.txt': text });
  const resource = resourceOf(site.find('/a.txt'));
  const { compressor } = site;
  const before = site.usedBytes;
  const both = [compressor.obtain(resource, 'gzip'), compressor.obtain(resource, 'gzip')];
  assert.equal(both[0], both[1]);
  const fast = await both[0];
  assert.ok(fast !== undefined && fast === resource.encoded.gzip);
  assert.ok(site.usedBytes >= before + fast.sizeBytes);
  compressor.used(resource, fast);
  compressor.used(resource, fast);
  await compressor.settled();
  const best = resource.encoded.gzip;
  assert.ok(best !== undefined && best.sizeBytes <= fast.sizeBytes);
  assert.equal(best.validators.etag, fast.validators.etag);
  const br = await compressor.obtain(resource, 'br');
  assert.ok(br !== undefined);
  compressor.used(resource, br);
  await compressor.settled();
  assert.ok((resource.encoded.br?.sizeBytes ?? 0) < br.sizeBytes);
  assert.equal(readFileSync(join(folder, 'site/a.txt'), 'utf8'), text);
});

test('beyond a fraction of a second of work nobody waits for compression', async (t) => {
  const files: Record<string, string> = {};
  for (let count = 0; count < 8; count += 1)
    files[`site/${count}.txt`] = `${count} `.repeat(1.5 * 1024 * 1024);
  const { site } = await settledSite(t, files);
  const obtain = (count: number) => site.compressor.obtain(resourceOf(site.find(`/${count}.txt`)), 'gzip');
  const started = Array.from({ length: 8 }, (_, count) => obtain(count));
  assert.equal(started.filter((one) => one !== undefined).length, 5);
  assert.ok((await Promise.all(started)).slice(0, 5).every((form) => form?.coding === 'gzip'));
  assert.ok((await obtain(7)) !== undefined);
});
