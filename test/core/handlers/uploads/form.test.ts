import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { serveFolder, UPLOAD_RULES } from '../../../helpers/folder-server.js';
import { ask, open } from '../../../helpers/raw-http.js';
import { countDescriptors, emptied, tempDir } from '../../../helpers/temp-dir.js';

const run = promisify(execFile);

const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);

async function start(t: TestContext, rules: Partial<typeof UPLOAD_RULES> = {}, files = {}) {
  const root = tempDir(t, files);
  const server = await serveFolder(t, root, { uploads: { ...UPLOAD_RULES, ...rules } });
  return { ...server, root };
}

interface Part {
  readonly field?: string;
  readonly filename?: string;
  readonly content: string;
}

function form(...parts: Part[]) {
  const body = parts
    .map(({ field = 'file', filename, content }) => {
      const file = filename === undefined ? '' : `; filename="${filename}"`;
      return `--edge\r\nContent-Disposition: form-data; name="${field}"${file}\r\n\r\n${content}\r\n`;
    })
    .join('');
  return {
    method: 'POST',
    headers: { 'Content-Type': 'multipart/form-data; boundary=edge' },
    body: `${body}--edge--\r\n`,
  };
}

const asBrowser = (request: ReturnType<typeof form>) => ({
  ...request,
  headers: { ...request.headers, Accept: 'text/html' },
});

test('curl -F sends files to a folder, byte for byte', { skip: !hasCurl }, async (t) => {
  const { port, root } = await start(t, {}, { 'sub/x': '' });
  const source = tempDir(t);
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 256));
  writeFileSync(join(source, 'a.bin'), content);
  writeFileSync(join(source, 'b.txt'), '');
  const url = `http://127.0.0.1:${port}/sub/`;
  const args = ['-sS', '-F', `file=@${source}/a.bin`, '-F', `file=@${source}/b.txt;filename=e mpty.txt`, url];
  const { stdout } = await run('curl', args);
  assert.deepEqual(JSON.parse(stdout), {
    files: [
      { name: 'a.bin', path: '/sub/a.bin', sizeBytes: 300_000, status: 201 },
      { name: 'e mpty.txt', path: '/sub/e%20mpty.txt', sizeBytes: 0, status: 201 },
    ],
  });
  assert.deepEqual(readFileSync(join(root, 'sub/a.bin')), content);
});

test('a browser is sent back to the listing, so that reloading sends nothing again', async (t) => {
  const { port, root } = await start(t, {}, { 'a b/x': '' });
  const answer = await ask(port, '/a%20b/', asBrowser(form({ filename: 'new.txt', content: 'hi' })));
  assert.deepEqual([answer.status, answer.header('location')], [303, '/a%20b/']);
  assert.equal(readFileSync(join(root, 'a b/new.txt'), 'utf8'), 'hi');
});

test('names are cleaned, and stay in the folder whatever they say', async (t) => {
  const { port, root } = await start(t, {}, { 'sub/x': '' });
  const names = ['../../evil.txt', '/etc/cron.d/job', '..\\\\win.txt', '.bashrc', 'nul.txt'];
  const answer = await ask(port, '/sub/', form(...names.map((filename) => ({ filename, content: 'x' }))));
  assert.equal(answer.status, 201);
  assert.deepEqual(readdirSync(join(root, 'sub')).sort(), [
    '_nul.txt',
    'bashrc',
    'evil.txt',
    'job',
    'win.txt',
    'x',
  ]);
  assert.deepEqual(readdirSync(root), ['sub']);
});

test('a name that is taken is 409 and told; the other files are stored', async (t) => {
  const { port, root } = await start(t, {}, { 'old.txt': 'old' });
  const request = form(
    { filename: 'old.txt', content: 'x'.repeat(200_000) },
    { filename: 'n.txt', content: 'y' },
  );
  const answer = await ask(port, '/', request);
  assert.equal(answer.status, 409);
  assert.deepEqual(JSON.parse(answer.text), {
    files: [
      { name: 'old.txt', status: 409, reason: 'the name is taken' },
      { name: 'n.txt', path: '/n.txt', sizeBytes: 1, status: 201 },
    ],
  });
  assert.deepEqual([readFileSync(join(root, 'old.txt'), 'utf8'), readdirSync(root).length], ['old', 2]);
  const page = await ask(port, '/', asBrowser(form({ filename: 'old.txt', content: '' })));
  assert.equal(page.status, 409);
  assert.match(page.text, /old\.txt: the name is taken/);
});

test('too large a file is 413 and the ones after it still arrive; too large a form is 413', async (t) => {
  const { port, root } = await start(t, { maxBytes: 100_000 });
  const big = { filename: 'big', content: 'x'.repeat(400_000) };
  const answer = await ask(port, '/', form(big, { filename: 'small', content: 'y' }));
  assert.equal(answer.status, 413);
  assert.deepEqual(readdirSync(root), ['small']);
  const huge = await ask(port, '/', form({ filename: 'huge', content: 'x'.repeat(1_500_000) }));
  assert.equal(huge.status, 413);
  assert.deepEqual(readdirSync(root), ['small']);
});

test('what is no form with a file says so', async (t) => {
  const { port, root } = await start(t);
  const post = async (type: string, body: string) =>
    (await ask(port, '/', { method: 'POST', headers: { 'Content-Type': type }, body })).status;
  assert.equal(await post('application/json', '{}'), 415);
  assert.equal(await post('multipart/form-data', 'x'), 415);
  assert.equal(await post('multipart/form-data; x=y', 'x'), 400);
  assert.equal(await post('multipart/form-data; boundary=edge', 'no parts'), 400);
  const other = await ask(port, '/', form({ field: 'upload', filename: 'x', content: 'x' }));
  assert.equal(other.status, 400);
  assert.match(other.text, /field must be named 'file'/);
  assert.equal((await ask(port, '/', asBrowser(form({ filename: '', content: '' })))).status, 400);
  assert.equal((await ask(port, '/file', form({ filename: 'x', content: 'x' }))).status, 405);
  assert.equal((await ask(port, '/missing/', form({ filename: 'x', content: 'x' }))).status, 404);
  assert.deepEqual(readdirSync(root), []);
});

test('a form that breaks off leaves no file and no descriptor', async (t) => {
  const { port, root, nextRequest } = await start(t);
  const { body } = form({ filename: 'x', content: 'x'.repeat(10_000) });
  const head = `POST / HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=edge\r\nContent-Length: ${body.length}\r\n\r\n`;
  const leave = async (): Promise<void> => {
    const socket = await open(port, head + body.slice(0, 5000));
    while (readdirSync(root).length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
    await nextRequest();
    await emptied(root);
  };
  await leave();
  const before = countDescriptors();
  for (let count = 0; count < 20; count += 1) await leave();
  const after = countDescriptors();
  if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
  const cut = await ask(port, '/', {
    method: 'POST',
    headers: { 'Content-Type': 'multipart/form-data; boundary=edge' },
    body: body.slice(0, 5000),
  });
  assert.equal(cut.status, 400);
  assert.deepEqual(readdirSync(root), []);
});
