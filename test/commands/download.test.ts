import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startHttp } from '../helpers/http-server.js';
import { startRanges } from '../helpers/range-server.js';
import { parseLines, run } from '../helpers/run.js';
import { startFixedStub, startStub } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

const CONTENT = randomBytes(2_000_000);
const SHA = createHash('sha256').update(CONTENT).digest('hex');

test('-O takes the name from the URL, or from the server, and overwrites nothing', async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'old' });
  const { url } = await startHttp(t, (res, { target }) => {
    if (target === '/named') res.setHeader('Content-Disposition', 'attachment; filename="b c.txt"');
    res.end('new');
  });
  assert.equal((await run(['get', `${url}/x/a.txt?q=1`, '-O'], { cwd })).code, 0);
  const result = await run(['get', `${url}/named`, '-O', '--json'], { cwd });
  assert.equal(parseLines(result.stdout)[0].file, 'b c.txt');
  assert.match((await run(['get', `${url}/x/a.txt`, '-O'], { cwd })).stderr, /^saved .*a-2\.txt \(/);
  assert.deepEqual(readdirSync(cwd).sort(), ['a-1.txt', 'a-2.txt', 'a.txt', 'b c.txt']);
  assert.equal(readFileSync(join(cwd, 'a.txt'), 'utf8'), 'old');
});

test('the name of a download is of the first URL, and stays in the folder', async (t) => {
  const { url } = await startHttp(t, (res, { target }) => {
    if (target === '/first.zip') res.writeHead(302, { location: '/..%2f..%2fetc%2fevil' });
    if (target === '/hostile') {
      res.setHeader('Content-Disposition', "attachment; filename*=UTF-8''..%2F.%2e%2F.bashrc%00");
    }
    res.end('x');
  });
  const cwd = tempDir(t);
  await run(['get', `${url}/first.zip`, '-O'], { cwd });
  await run(['get', `${url}/hostile`, '-O'], { cwd });
  await run(['get', `${url}/`, '-O'], { cwd });
  await run(['get', `${url}/a%2F..%2Fb%1b%5b31m`, '-O'], { cwd });
  assert.deepEqual(readdirSync(cwd).sort(), ['b[31m', 'bashrc', 'download', 'first.zip']);
});

test('an error page is not saved by -O either', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res) => res.writeHead(404).end('nope'));
  const result = await run(['get', `${url}/a`, '-O'], { cwd });
  assert.equal(result.code, 4);
  assert.match(result.stderr, /nope/);
  assert.deepEqual(readdirSync(cwd), []);
  assert.equal((await run(['get', `${url}/a`, '-O', '--expect', '404'], { cwd })).code, 0);
  assert.equal(readFileSync(join(cwd, 'a'), 'utf8'), 'nope');
});

test('-c goes on where a transfer was cut short, with If-Range', async (t) => {
  const cwd = tempDir(t);
  const { url, requests } = await startRanges(t, () => CONTENT, { breakAfter: new Map([[0, 700_000]]) });
  const first = await run(['get', url, '-o', 'f'], { cwd });
  assert.equal(first.code, 18);
  assert.equal(readFileSync(join(cwd, 'f.part')).length, 700_000);
  const second = await run(['get', url, '-o', 'f', '-c', '--checksum', SHA], { cwd });
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /683\.6 KiB were there already/);
  assert.equal(requests[1]?.range, 'bytes=700000-');
  assert.match(String(requests[1]?.['if-range']), /^"[0-9a-f]{32}"$/);
  assert.deepEqual(readFileSync(join(cwd, 'f')), CONTENT);
  assert.deepEqual(readdirSync(cwd), ['f']);
});

test('-c restarts cleanly when the file has changed, the server has no ranges, or its range is another', async (t) => {
  const other = randomBytes(1_000_000);
  for (const behaviour of [{}, { ranges: false }, { wrongStart: true }]) {
    const cwd = tempDir(t);
    const contents = [CONTENT, other];
    const { url } = await startRanges(t, () => contents[0] as Buffer, {
      ...behaviour,
      breakAfter: new Map([[0, 700_000]]),
    });
    assert.equal((await run(['get', url, '-o', 'f'], { cwd })).code, 18);
    contents.shift();
    const result = await run(['get', url, '-o', 'f', '-c'], { cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(readFileSync(join(cwd, 'f')), other);
    assert.deepEqual(readdirSync(cwd), ['f']);
  }
});

test('-c of a shorter file appends, of a whole one does nothing, of none begins', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startRanges(t, () => CONTENT);
  writeFileSync(join(cwd, 'file.bin'), CONTENT.subarray(0, 1000));
  assert.equal((await run(['get', url, '-O', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'file.bin')), CONTENT);
  const again = await run(['get', url, '-O', '-c', '--checksum', `sha256:${SHA}`], { cwd });
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(readdirSync(cwd), ['file.bin']);
  assert.equal((await run(['get', url, '-o', 'new', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'new')), CONTENT);
});

test('a note that cannot be read does not keep -c from its work', async (t) => {
  const cwd = tempDir(t, { 'f.part': CONTENT.subarray(0, 10), 'f.part.json': '{broken' });
  const { url } = await startRanges(t, () => CONTENT);
  assert.equal((await run(['get', url, '-o', 'f', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'f')), CONTENT);
  assert.deepEqual(readdirSync(cwd), ['f']);
});

test('-c notices another content also where a server has no strong validator', async (t) => {
  const cwd = tempDir(t);
  const other = randomBytes(CONTENT.length);
  const contents = [CONTENT, other, other];
  const tags = ['W/"1"', 'W/"2"', 'W/"2"'];
  const { url, requests } = await startRanges(t, () => contents[requests.length - 1] as Buffer, {
    etag: () => tags[requests.length - 1] as string,
    breakAfter: new Map([[0, 700_000]]),
  });
  assert.equal((await run(['get', url, '-o', 'f'], { cwd })).code, 18);
  assert.equal((await run(['get', url, '-o', 'f', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'f')), other);
  assert.equal(requests[1]?.['if-range'], undefined);
  assert.equal(requests[2]?.range, undefined);
});

test('what proves a part is written down while it grows, for the case that nobody can do it later', async (t) => {
  const cwd = tempDir(t);
  const seen = Promise.withResolvers<string>();
  const watcher = watch(cwd, () => {
    const note = join(cwd, 'f.part.json');
    const text = existsSync(note) ? readFileSync(note, 'utf8') : '';
    if (text !== '') seen.resolve(text);
  });
  t.after(() => watcher.close());
  const { url } = await startHttp(t, (res) => {
    res.writeHead(200, { etag: '"1"' });
    res.write('half');
    void seen.promise.then(() => res.end('half'));
  });
  assert.equal((await run(['get', url, '-o', 'f'], { cwd })).code, 0);
  assert.equal(JSON.parse(await seen.promise).validator, '"1"');
  assert.deepEqual(readdirSync(cwd), ['f']);
});

test('a part with gaps, left by --parallel when it was killed, is not gone on with', async (t) => {
  const cwd = tempDir(t, { 'f.part': Buffer.alloc(1_500_000), 'f.part.json': '{"hasGaps":true}' });
  const { url, requests } = await startRanges(t, () => CONTENT);
  assert.equal((await run(['get', url, '-o', 'f', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'f')), CONTENT);
  assert.equal(requests[0]?.range, undefined);
  assert.deepEqual(readdirSync(cwd), ['f']);
});

test('a link that somebody planted as the note is not followed', async (t) => {
  const cwd = tempDir(t, { victim: 'precious' });
  symlinkSync('victim', join(cwd, 'f.part.json'));
  const { url } = await startRanges(t, () => CONTENT, { breakAfter: new Map([[0, 500_000]]) });
  assert.equal((await run(['get', url, '-o', 'f'], { cwd })).code, 18);
  assert.equal(readFileSync(join(cwd, 'victim'), 'utf8'), 'precious');
});

test('--retry goes on with a download that breaks off, and tells so', async (t) => {
  const cwd = tempDir(t);
  const breakAfter = new Map([
    [0, 500_000],
    [1, 500_000],
  ]);
  const { url, requests } = await startRanges(t, () => CONTENT, { breakAfter });
  const result = await run(
    ['get', url, '-o', 'f', '--retry', '3', '--retry-delay', '10ms', '--checksum', SHA],
    { cwd },
  );
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(
    requests.map(({ range }) => range),
    [undefined, 'bytes=500000-', 'bytes=1000000-'],
  );
  assert.match(result.stderr, /note: attempt 1: the transfer was cut short/);
  assert.deepEqual(readFileSync(join(cwd, 'f')), CONTENT);
});

test('--checksum is 32 and leaves no file when it does not fit', async (t) => {
  const cwd = tempDir(t, { f: 'old' });
  const { url } = await startRanges(t, () => CONTENT);
  const wrong = '0'.repeat(64);
  const result = await run(['get', url, '-o', 'f', '--checksum', `sha256:${wrong}`], { cwd });
  assert.equal(result.code, 32);
  assert.match(result.stderr, new RegExp(`sha256 is ${SHA}.*\nhint: expected 0{64}\n$`));
  assert.equal(readFileSync(join(cwd, 'f'), 'utf8'), 'old');
  assert.deepEqual(readdirSync(cwd), ['f']);
  assert.equal((await run(['get', url, '--checksum', `sha256:${wrong}`], { cwd })).code, 32);
  const good = await run(['get', url, '-o', 'g', '--checksum', `sha256:${SHA}`, '--json'], { cwd });
  assert.equal(parseLines(good.stdout)[0].sha256, SHA);
});

test('--parallel fetches ranges at once and puts them together', async (t) => {
  const cwd = tempDir(t);
  const { url, requests } = await startRanges(t, () => CONTENT);
  const result = await run(['get', url, '-O', '--parallel', '4', '--checksum', SHA], { cwd });
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(
    requests.map(({ range }) => range),
    ['bytes=0-', 'bytes=500000-999999', 'bytes=1000000-1499999', 'bytes=1500000-1999999'],
  );
  assert.deepEqual(readFileSync(join(cwd, 'file.bin')), CONTENT);
});

test('--parallel takes the whole file where ranges do not suit', async (t) => {
  const small = Buffer.from('small');
  for (const [content, behaviour] of [
    [CONTENT, { ranges: false }],
    [CONTENT, { etag: 'W/"weak"' }],
    [small, {}],
    [Buffer.alloc(0), {}],
  ] as const) {
    const cwd = tempDir(t);
    const { url } = await startRanges(t, () => content, behaviour);
    const result = await run(['get', url, '-o', 'f', '--parallel', '4'], { cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(readFileSync(join(cwd, 'f')), content);
  }
});

test('a range that breaks off is fetched again with --retry, else the beginning is kept for -c', async (t) => {
  const cwd = tempDir(t);
  const breakAfter = new Map([[2, 100_000]]);
  const { url } = await startRanges(t, () => CONTENT, { breakAfter });
  const failed = await run(['get', url, '-o', 'f', '--parallel', '4'], { cwd });
  assert.equal(failed.code, 18);
  assert.equal(existsSync(join(cwd, 'f')), false);
  const left = readFileSync(join(cwd, 'f.part'));
  assert.deepEqual(left, CONTENT.subarray(0, left.length));
  assert.equal((await run(['get', url, '-o', 'f', '-c'], { cwd })).code, 0);
  assert.deepEqual(readFileSync(join(cwd, 'f')), CONTENT);
  const second = await startRanges(t, () => CONTENT, { breakAfter });
  const result = await run(
    ['get', second.url, '-o', 'g', '--parallel', '4', '--retry', '1', '--retry-delay', '5ms'],
    { cwd },
  );
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readFileSync(join(cwd, 'g')), CONTENT);
});

test('a compressed download that was cut short is not continued, but begun again', async (t) => {
  const cwd = tempDir(t);
  const packed = gzipSync(randomBytes(500_000));
  const { url, requests } = await startStub(t, (socket, _request, index) => {
    if (index > 0) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`);
    return void socket.end(packed.subarray(0, 300_000));
  });
  assert.equal((await run(['get', url, '-o', 'f'], { cwd })).code, 18);
  assert.equal((await run(['get', url, '-o', 'f', '-c'], { cwd })).code, 0);
  assert.doesNotMatch(requests[1] ?? '', /Range:/);
  assert.equal(readFileSync(join(cwd, 'f'), 'utf8'), 'whole');
});

test('--max-size counts decoded bytes and stops a bomb early', async (t) => {
  const bomb = gzipSync(Buffer.alloc(50 * 2 ** 20));
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`;
  const cwd = tempDir(t);
  const { url } = await startFixedStub(t, Buffer.concat([Buffer.from(head), bomb]));
  const result = await run(['get', url, '-o', 'f', '--max-size', '1M'], { cwd });
  assert.equal(result.code, 63);
  assert.deepEqual(readdirSync(cwd), []);
  const plain = await startFixedStub(t, 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world');
  assert.equal((await run(['get', plain.url, '--max-size', '10'])).code, 63);
  assert.equal((await run(['get', plain.url, '--max-size', '11'])).code, 0);
});

test('--limit-rate holds both ways', async (t) => {
  const { url } = await startHttp(t, (res, { body }) => res.end(body || Buffer.alloc(300_000)));
  for (const argv of [
    ['get', url],
    ['post', url, '-d', 'x'.repeat(300_000)],
  ]) {
    const startedAt = performance.now();
    assert.equal((await run([...argv, '--limit-rate', '600k'])).code, 0);
    const seconds = (performance.now() - startedAt) / 1000;
    assert.ok(seconds > 0.35 && seconds < 2, String(seconds));
  }
});
