import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { createHandler } from '../../../../src/core/handlers/index.js';
import type { StaticTarget } from '../../../../src/core/handlers/static/index.js';
import { isWindows } from '../../../../src/core/platform/os.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';
import { HOSTILE_REQUESTS } from './hostile-requests.js';

const LARGE = 8_000_000;
const FILE = 'harmless content of a file that anybody may read\n'.repeat(4);

/** A site of everything that is odd, with something to steal around it. */
async function hostileSite(t: TestContext): Promise<string> {
  const folder = tempDir(t, {
    'site/file.txt': FILE,
    'site/empty': '',
    'site/large.bin': Buffer.alloc(LARGE, 'large '),
    'site/.env': 'SECRET',
    'site/.git/config': 'SECRET',
    'site/sub/.hidden': 'SECRET',
    'site/sub/inner.txt': 'inner',
    'site/evil.com/x': 'x',
    'site/.well-known/acme': 'token',
    'site/.well-known/.secret': 'SECRET',
    'site/.well-knownx/a': 'SECRET',
    'site-private/key': 'SECRET',
    'out/key': 'SECRET',
    secret: 'SECRET',
  });
  const site = join(folder, 'site');
  const links: Record<string, string> = {
    'link-out': '../out',
    'link-up': '..',
    'link-root': '/',
    'file-out': '../secret',
    chain: 'link-out',
    'sub/link-out': '../../out',
    dangling: 'nowhere',
    loop: 'loop',
    device: '/dev/zero',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(site, name));
  writeFileSync(Buffer.from(`${site}/bad-\xff-name`, 'latin1'), 'SECRET');
  execFileSync('mkfifo', [join(site, 'fifo')]);
  const socket = createServer().listen(join(site, 'socket'));
  t.after(() => socket.close());
  await once(socket, 'listening');
  return site;
}

const OPTIONS: Readonly<Record<string, Partial<StaticTarget>>> = {
  'a plain folder': {},
  'clean addresses': { cleanUrls: true },
  'a single page': { singlePage: true },
  'nothing listed': { listing: false },
};

for (const [name, options] of Object.entries(OPTIONS)) {
  test(`no hostile request gets anything, ends anything or keeps anything open (${name})`, {
    skip: isWindows,
  }, async (t) => {
    const site = await hostileSite(t);
    const { port } = await serve(t, await createHandler({ kind: 'static', root: site, ...options }));
    await ask(port, '/file.txt');
    const before = countDescriptors() ?? 0;
    for (const { target, allowed, method = 'GET', headers = {} } of HOSTILE_REQUESTS) {
      const what = `${method} ${target.slice(0, 80)} ${JSON.stringify(headers).slice(0, 80)}`;
      const answer = (await exchange(port, requestOf(method, target, headers))).toString('latin1');
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
      // What is not listed is 404 instead of 200, without other differences.
      const isRight = allowed.includes(status) || (options.listing === false && status === 404);
      assert.ok(isRight || (options.singlePage === true && status === 404), `${what}: ${status}`);
      for (const word of ['SECRET', site, 'nettool-test', 'root:x', 'node:', 'X-Injected', '\n    at ']) {
        assert.ok(!answer.includes(word), `${what} reveals ${word}`);
      }
      const location = /^location: (.*)$/im.exec(answer)?.[1];
      if (location !== undefined) assert.match(location, /^\/(?![/\\])[\x21-\x7e]*\r?$/, what);
      assert.ok(answer.length <= LARGE + 2000, what);
    }
    assert.equal((await ask(port, '/file.txt')).text, FILE);
    assert.equal((await ask(port, '/.well-known/acme')).text, 'token');
    await settleAt(before);
  });
}

function requestOf(method: string, target: string, headers: Readonly<Record<string, string>>): string {
  const fields = Object.entries({ Host: 'test', Connection: 'close', ...headers });
  return `${method} ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Waits until no more descriptors are open than before: closing is done when the system gets to it. */
async function settleAt(before: number): Promise<void> {
  for (let count = 0; count < 100 && (countDescriptors() ?? 0) > before; count += 1) await delay(20);
  const after = countDescriptors() ?? 0;
  assert.ok(after <= before, `${before} → ${after} descriptors`);
}

const piece = fc.constantFrom(
  ...['..', '.', '', '%2e%2e', '%2E', '..%2f', '%2f', '%5c', '\\', ';', '%00', '%252e%252e', '%c0%ae'],
  ...[
    'sub',
    'site',
    'secret',
    '.env',
    '%2eenv',
    '.git',
    'config',
    'link-out',
    'link-up',
    'key',
    'out',
    'chain',
  ],
  ...['.hidden', 'file.txt', 'inner.txt', 'site-private', '-private', '.well-known', '.secret', '%ff'],
);
const spelling = fc
  .array(fc.tuple(piece, fc.constantFrom('/', '/', '/', '//', '%2f', '\\', '')), { maxLength: 8 })
  .map((pieces) => `/${pieces.map(([name, separator]) => name + separator).join('')}`);

test('no spelling of any path gets what is protected', { skip: isWindows }, async (t) => {
  const site = await hostileSite(t);
  const { port } = await serve(t, await createHandler({ kind: 'static', root: site, cleanUrls: true }));
  await fc.assert(
    fc.asyncProperty(spelling, async (target) => {
      const { status, text, fields } = await ask(port, target);
      assert.ok([200, 301, 400, 404].includes(status), `${target}: ${status}`);
      assert.ok(!text.includes('SECRET') && !text.includes(site), target);
      const location = fields.find(([name]) => name === 'Location')?.[1];
      assert.ok(location === undefined || /^\/(?![/\\])/.test(location), target);
    }),
    { numRuns: 500 },
  );
});

test('a thousand aborted downloads, whole and in parts, leave nothing open', async (t) => {
  const root = tempDir(t, { 'large.bin': Buffer.alloc(LARGE), 'small.txt': 'small' });
  const server = await serve(t, await createHandler({ kind: 'static', root }));
  const leave = async (range: string): Promise<void> => {
    const socket = await open(server.port, `GET /large.bin HTTP/1.1\r\nHost: x\r\n${range}\r\n`);
    await once(socket, 'data');
    socket.destroy();
    await server.nextRequest();
  };
  await leave('');
  await ask(server.port, '/small.txt');
  const before = countDescriptors() ?? 0;
  const ranges = ['', 'Range: bytes=100-\r\n', 'Range: bytes=0-3000000,5000000-7999999\r\n'];
  for (let round = 0; round < 50; round += 1) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => leave(ranges[index % 3] as string)));
  }
  await settleAt(before);
  assert.equal((await ask(server.port, '/small.txt')).text, 'small');
});

test('a thousand answers without content open nothing', async (t) => {
  const root = tempDir(t, { 'large.bin': Buffer.alloc(LARGE) });
  const { port } = await serve(t, await createHandler({ kind: 'static', root }));
  const request = (more: string, method = 'GET') => `${method} /large.bin HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  await exchange(port, request('Connection: close\r\nIf-None-Match: *\r\n'));
  const before = countDescriptors() ?? 0;
  const conditions = ['If-None-Match: *\r\n', 'If-Match: "x"\r\n', 'Range: bytes=999999999-\r\n'];
  for (let round = 0; round < 10; round += 1) {
    let pipeline = '';
    for (let count = 0; count < 100; count += 1) {
      pipeline += count % 4 === 3 ? request('', 'HEAD') : request(conditions[count % 4] as string);
    }
    const answers = await exchange(port, pipeline + request('Connection: close\r\n', 'HEAD'));
    assert.equal(answers.toString('latin1').split('HTTP/1.1 ').length - 1, 101);
  }
  await settleAt(before);
});

test('a file that grows is sent as long as it was; one that shrinks breaks off, and only its own answer', async (t) => {
  const root = tempDir(t, { 'log.txt': 'line\n', 'large.bin': Buffer.alloc(LARGE), 'other.txt': 'other' });
  const { port, ...server } = await serve(t, await createHandler({ kind: 'static', root }));
  const log = join(root, 'log.txt');
  let isGrowing = true;
  const grow = (async () => {
    while (isGrowing) {
      writeFileSync(log, 'line\n', { flag: 'a' });
      await delay(0);
    }
  })();
  for (let count = 0; count < 50; count += 1) {
    const answer = await ask(port, '/log.txt');
    assert.equal(answer.status, 200);
    assert.equal(answer.header('content-length'), String(answer.body.length));
    assert.equal(answer.body.length % 5, 0);
  }
  isGrowing = false;
  await grow;
  const socket = await open(port, 'GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.pause();
  writeFileSync(join(root, 'large.bin'), 'short');
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.resume();
  await once(socket, 'close');
  assert.ok(received < LARGE);
  for (let count = 0; count < 50; count += 1) await server.nextRequest();
  assert.equal((await server.nextRequest()).aborted, true);
  assert.equal((await ask(port, '/other.txt')).text, 'other');
  assert.equal((await ask(port, '/large.bin')).text, 'short');
});

test('files that come, go and change kind while they are asked for never fail an answer', async (t) => {
  const root = tempDir(t, { 'a.txt': 'a' });
  const { port } = await serve(t, await createHandler({ kind: 'static', root }));
  const path = join(root, 'a.txt');
  const kinds: ReadonlyArray<() => void> = [
    () => writeFileSync(path, 'text '.repeat(1000)),
    () => mkdirSync(path),
    () => symlinkSync('/etc/passwd', path),
    () => execFileSync('mkfifo', [path]),
    () => writeFileSync(path, Buffer.alloc(400_000)),
    () => symlinkSync('a.txt', path),
  ];
  for (let count = 0; count < 60; count += 1) {
    rmSync(path, { recursive: true, force: true });
    kinds[count % kinds.length]?.();
    const answers = await Promise.all([
      ask(port, '/a.txt', { headers: { 'Accept-Encoding': 'br' } }),
      ask(port, '/a.txt', { headers: { Range: 'bytes=0-9' } }),
      ask(port, '/a.txt/'),
    ]);
    for (const { status, text } of answers) {
      assert.ok([200, 206, 301, 404].includes(status), `${count % kinds.length}: ${status}`);
      assert.ok(!text.includes('root:x'));
    }
  }
});

test('what may not be read is 403, told apart from what is missing only inside the folder', {
  skip: process.geteuid?.() !== 0,
}, async (t) => {
  const folder = tempDir(t, { 'site/locked.txt': 'SECRET', 'site/open.txt': 'open', 'out/locked': 'SECRET' });
  symlinkSync('../out/locked', join(folder, 'site/leaving'));
  for (const name of ['site/locked.txt', 'out/locked']) chmodSync(join(folder, name), 0);
  chmodSync(folder, 0o755);
  const { port } = await serve(t, await createHandler({ kind: 'static', root: join(folder, 'site') }));
  await ask(port, '/open.txt');
  const before = countDescriptors() ?? 0;
  process.seteuid?.(65_534);
  try {
    for (let count = 0; count < 50; count += 1) {
      assert.equal((await ask(port, '/locked.txt')).status, 403);
      assert.equal((await ask(port, '/leaving')).status, 404);
    }
    assert.equal((await ask(port, '/open.txt')).text, 'open');
  } finally {
    process.seteuid?.(0);
  }
  await settleAt(before);
});

test('many ranges never bring more than the file, and every part is right', async (t) => {
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256));
  const small = content.subarray(0, 2000);
  const root = tempDir(t, { 'large.bin': content, 'small.bin': small });
  const { port } = await serve(t, await createHandler({ kind: 'static', root }));
  const range = fc.tuple(fc.nat(300_000), fc.nat(5000)).map(([first, more]) => `${first}-${first + more}`);
  const files = { '/large.bin': content, '/small.bin': small };
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(Object.keys(files) as Array<keyof typeof files>)),
      fc.array(range, { minLength: 1, maxLength: 20 }),
      async (path, ranges) => {
        const bytes = files[path];
        const answer = await ask(port, path, { headers: { Range: `bytes=${ranges.join(', ')}` } });
        if (answer.status === 416) return;
        assert.ok(answer.body.length <= Math.max(bytes.length, 2048));
        assert.equal(answer.header('content-length'), String(answer.body.length));
        const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(
          answer.header('content-type') ?? '',
        )?.[1];
        const parts = boundary === undefined ? [answer.body] : splitParts(answer.body, boundary);
        for (const part of parts)
          checkPart(part, boundary === undefined ? answer.header('content-range') : undefined, bytes);
      },
    ),
    { numRuns: 100 },
  );
});

function splitParts(body: Buffer, boundary: string): Buffer[] {
  const text = body.toString('latin1');
  assert.ok(text.startsWith(`--${boundary}\r\n`) && text.endsWith(`\r\n--${boundary}--\r\n`));
  const inner = text.slice(boundary.length + 4, -(boundary.length + 8));
  return inner.split(`\r\n--${boundary}\r\n`).map((part) => Buffer.from(part, 'latin1'));
}

/** Compares a part, or a whole answer, with what its Content-Range says it is. */
function checkPart(part: Buffer, contentRange: string | undefined, bytes: Buffer): void {
  const end = contentRange === undefined ? part.indexOf('\r\n\r\n') : -1;
  const head = part.subarray(0, Math.max(end, 0)).toString('latin1');
  const match = /bytes (\d+)-(\d+)\/(\d+)/.exec(contentRange ?? head);
  const content = end === -1 ? part : part.subarray(end + 4);
  if (match === null) {
    assert.deepEqual(content, bytes);
    return;
  }
  const [first, last, size] = match.slice(1).map(Number) as [number, number, number];
  assert.equal(size, bytes.length);
  assert.deepEqual(content, bytes.subarray(first, last + 1));
}
