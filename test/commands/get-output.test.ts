import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { startFixedStub, startStub } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

test('-o writes the body to a file that appears when it is complete', async (t) => {
  const cwd = tempDir(t);
  const body = Buffer.alloc(300_000, 'abc');
  const { url } = await startStub(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body.subarray(0, 100_000));
    const timer = setInterval(() => {
      if (!existsSync(join(cwd, 'file.part'))) return;
      clearInterval(timer);
      assert.equal(existsSync(join(cwd, 'file')), false);
      socket.end(body.subarray(100_000));
    }, 5);
  });
  const result = await run(['get', url, '-o', 'file'], { cwd });
  assert.deepEqual([result.code, result.stdout], [0, '']);
  assert.match(result.stderr, /^saved file \(293\.0 KiB in \d+\.\d s, [^)]+\/s\)\n$/);
  assert.deepEqual(readFileSync(join(cwd, 'file')), body);
  assert.deepEqual(readdirSync(cwd), ['file']);
});

test('an existing file is replaced and keeps its mode', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'file'), 'a much longer old content');
  chmodSync(join(cwd, 'file'), 0o640);
  const { url } = await startHttp(t, (res) => res.end('new'));
  assert.equal((await run(['get', url, '-o', 'file'], { cwd })).code, 0);
  assert.equal(readFileSync(join(cwd, 'file'), 'utf8'), 'new');
  assert.equal(statSync(join(cwd, 'file')).mode & 0o777, 0o640);
});

test('an error page never becomes the file; its start goes to stderr', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'file'), 'old');
  const { url } = await startHttp(t, (res) => {
    res.statusCode = 404;
    res.end(`Not here\n${'x'.repeat(20_000)}`);
  });
  const result = await run(['get', url, '-o', 'file'], { cwd });
  assert.equal(result.code, 4);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /^note: 404 Not Found: file is not written\nNot here\nx+\n$/);
  assert.ok(result.stderr.length < 4200);
  assert.equal(readFileSync(join(cwd, 'file'), 'utf8'), 'old');
  assert.deepEqual(readdirSync(cwd), ['file']);
  const [document] = parseLines((await run(['get', url, '-o', 'file', '--json'], { cwd })).stdout);
  assert.equal(document.file, undefined);
  assert.match(document.body, /^Not here/);
});

test('--json tells what was saved, without the body', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res) =>
    res.setHeader('Content-Encoding', 'gzip').end(gzipSync('hello')),
  );
  const [document] = parseLines((await run(['get', url, '-o', 'file', '--json'], { cwd })).stdout);
  assert.deepEqual(
    [document.file, document.body, document.bodySizeBytes, document.wireSizeBytes],
    ['file', null, 5, gzipSync('hello').length],
  );
  assert.equal(readFileSync(join(cwd, 'file'), 'utf8'), 'hello');
});

test('a transfer that is cut short leaves the old file and keeps what came as .part', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'file'), 'old');
  const { url } = await startFixedStub(t, 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc');
  const result = await run(['get', url, '-o', 'file'], { cwd });
  assert.equal(result.code, 18);
  assert.match(
    result.stderr,
    /cut short \(3 of 1000 bytes arrived\)\nhint: the 3 bytes that arrived are in .*file\.part\n$/,
  );
  assert.equal(readFileSync(join(cwd, 'file'), 'utf8'), 'old');
  assert.equal(readFileSync(join(cwd, 'file.part'), 'utf8'), 'abc');
});

test('nothing is left of a body that could not be decoded or never began', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startStub(t, (socket, request) => {
    const coding = request.startsWith('GET /gzip') ? 'Content-Encoding: gzip\r\n' : '';
    socket.end(`HTTP/1.1 200 OK\r\n${coding}Content-Length: 9\r\n\r\n${coding && 'plaintext'}`);
  });
  assert.equal((await run(['get', `${url}/gzip`, '-o', 'file'], { cwd })).code, 61);
  assert.equal((await run(['get', `${url}/empty`, '-o', 'file'], { cwd })).code, 18);
  assert.deepEqual(readdirSync(cwd), []);
});

test('what cannot be written is exit 23 before anything is sent', async (t) => {
  const cwd = tempDir(t);
  mkdirSync(join(cwd, 'folder'));
  writeFileSync(join(cwd, 'file'), '');
  const { url, received } = await startHttp(t, (res) => res.end());
  for (const [output, words] of [
    ['missing/file', /no such file or directory/],
    ['folder', /is a directory/],
    ['file/below', /not a directory/],
    ['x'.repeat(300), /name too long/],
  ] as const) {
    const result = await run(['post', url, 'a=1', '-o', output], { cwd });
    assert.equal(result.code, 23, output);
    assert.match(result.stderr, words);
  }
  assert.equal(received.length, 0);
});

test('links and devices are written to directly, - is stdout', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'target'), 'old');
  symlinkSync('target', join(cwd, 'link'));
  const { url } = await startHttp(t, (res) => res.end('new'));
  assert.equal((await run(['get', url, '-o', 'link'], { cwd })).code, 0);
  assert.equal(readFileSync(join(cwd, 'target'), 'utf8'), 'new');
  assert.deepEqual(readdirSync(cwd), ['link', 'target']);
  assert.equal((await run(['get', url, '-o', '/dev/null'], { cwd })).code, 0);
  assert.equal((await run(['get', url, '-o', '-'], { cwd })).stdout, 'new');
});

test('a link that somebody planted as .part is not followed', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'victim'), 'precious');
  symlinkSync('victim', join(cwd, 'file.part'));
  const { url } = await startHttp(t, (res) => res.end('evil'));
  assert.equal((await run(['get', url, '-o', 'file'], { cwd })).code, 23);
  assert.equal(readFileSync(join(cwd, 'victim'), 'utf8'), 'precious');
});

test('a full disk is exit 23', { skip: !existsSync('/dev/full') }, async (t) => {
  const { url } = await startHttp(t, (res) => res.end('x'.repeat(100_000)));
  const result = await run(['get', url, '-o', '/dev/full']);
  assert.equal(result.code, 23);
  assert.match(result.stderr, /cannot write \/dev\/full \(no space left on device\)/);
});
