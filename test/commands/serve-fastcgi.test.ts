import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startPhpFpm } from '../helpers/php-fpm.js';
import { needs } from '../helpers/programs.js';
import { ask } from '../helpers/raw-http.js';
import { start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const STDOUT = 6;
const END = 3;

/** A FastCGI application without scripts, as Go and Rust have them: it answers with the variables it was sent. */
async function startApplication(t: TestContext): Promise<number> {
  const application = createServer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      const page = `Content-Type: application/json\r\n\r\n${JSON.stringify(readVariables(bytes))}`;
      socket.write(Buffer.concat([record(STDOUT, Buffer.from(page)), record(END, Buffer.alloc(8))]));
    });
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(application, 'listening');
  t.after(() => application.close());
  return (application.address() as AddressInfo).port;
}

function record(type: number, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]),
    content,
  ]);
}

/** The variables of a request that came in one piece: BEGIN, PARAMS, no content (FastCGI 1.0, section 3.4). */
function readVariables(bytes: Buffer): Record<string, string> {
  const params = bytes.subarray(24, 24 + bytes.readUInt16BE(20));
  const variables: Record<string, string> = {};
  const readLength = (): number => {
    const isLong = (params[at] as number) > 127;
    const length = isLong ? params.readUInt32BE(at) & 0x7fffffff : (params[at] as number);
    at += isLong ? 4 : 1;
    return length;
  };
  let at = 0;
  while (at < params.length) {
    const [name, value] = [readLength(), readLength()];
    variables[params.toString('utf8', at, at + name)] = params.toString('utf8', at + name, at + name + value);
    at += name + value;
  }
  return variables;
}

async function serving(t: TestContext, cwd: string, argv: readonly string[]): Promise<number> {
  const command = start(['serve', ...argv], { cwd });
  t.after(() => command.stop());
  return (await command.event('listening')).port as number;
}

test('a FastCGI application without scripts gets every path below its prefix', async (t) => {
  const cwd = tempDir(t, { 'site/a.php': 'a file', 'site/app/b.txt': 'not asked for' });
  const address = `127.0.0.1:${await startApplication(t)}`;
  const port = await serving(t, cwd, ['site', '0', '--fastcgi-app', `/app=${address}`, '--env', 'STAGE=x']);
  const see = async (path: string) => JSON.parse((await ask(port, path)).text);
  for (const [path, info] of [
    ['/app', ''],
    ['/app/', '/'],
    ['/app/b.txt', '/b.txt'],
    ['/app/x.php/caf%C3%A9%2Fy?q=1', '/x.php/café/y'],
  ] as const) {
    const { SCRIPT_NAME, PATH_INFO, REQUEST_URI, STAGE, ...others } = await see(path);
    assert.deepEqual(
      { SCRIPT_NAME, PATH_INFO, REQUEST_URI, STAGE },
      {
        SCRIPT_NAME: '/app',
        PATH_INFO: info,
        REQUEST_URI: path,
        STAGE: 'x',
      },
    );
    assert.ok(!('DOCUMENT_ROOT' in others));
  }
  assert.equal((await ask(port, '/apple')).status, 404);
  // It has no extension, so nothing on the site is taken for one of its scripts.
  assert.equal((await ask(port, '/a.php')).text, 'a file');
});

test('php-fpm tells of itself where its status page is mounted', needs('php-fpm8.2'), async (t) => {
  const cwd = tempDir(t, { 'index.php': '<?php echo "front";' });
  const pool = ['pm = static', 'pm.max_children = 1', 'pm.status_path = /fpm-status'];
  const address = `unix:${await startPhpFpm(t, cwd, pool)}`;
  const flags = ['--fastcgi', `/=${address}`, '--fastcgi-app', `/fpm-status=${address}`];
  const port = await serving(t, cwd, ['.', '0', ...flags]);
  assert.equal((await ask(port, '/')).text, 'front');
  assert.equal(JSON.parse((await ask(port, '/fpm-status?json')).text).pool, 'www');
});

test('a FastCGI application may have the whole site', async (t) => {
  const address = `127.0.0.1:${await startApplication(t)}`;
  const port = await serving(t, tempDir(t, { 'index.html': 'x' }), [
    '.',
    '0',
    '--fastcgi-app',
    `/=${address}`,
  ]);
  const { SCRIPT_NAME, PATH_INFO } = JSON.parse((await ask(port, '/index.html')).text);
  assert.deepEqual([SCRIPT_NAME, PATH_INFO], ['', '/index.html']);
});

test(
  'a release that is switched by a link is followed, scripts and files alike',
  needs('php-fpm8.2'),
  async (t) => {
    const page = '<?php echo $_SERVER["SCRIPT_FILENAME"], " ", $_SERVER["DOCUMENT_ROOT"], " ", __FILE__;';
    const cwd = tempDir(t, {
      'one/index.php': page,
      'one/a.css': 'one',
      'two/index.php': page,
      'two/a.css': 'two',
    });
    symlinkSync('one', join(cwd, 'current'));
    const socket = await startPhpFpm(t, cwd, ['pm = static', 'pm.max_children = 1']);
    const port = await serving(t, cwd, ['current', '0', '--fastcgi', `/=unix:${socket}`]);
    const see = async () => [(await ask(port, '/')).text, (await ask(port, '/a.css')).text];
    const seen = (name: string): string[] => {
      const folder = join(cwd, name);
      return [`${folder}/index.php ${folder} ${folder}/index.php`, name];
    };
    assert.deepEqual(await see(), seen('one'));
    symlinkSync('two', join(cwd, 'next'));
    renameSync(join(cwd, 'next'), join(cwd, 'current'));
    const expected = seen('two').join();
    while ((await see()).join() !== expected) t.signal.throwIfAborted();
    assert.deepEqual(await see(), seen('two'));
  },
);

test('a FastCGI application learns who logged in, request by request', async (t) => {
  const address = `127.0.0.1:${await startApplication(t)}`;
  const flags = ['--fastcgi-app', `/app=${address}`, '--auth', 'ann:secret', '--auth-writes'];
  const port = await serving(t, tempDir(t), ['.', '0', ...flags]);
  const headers = { Authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` };
  const userOf = async (method: string) => {
    const { REMOTE_USER, AUTH_TYPE } = JSON.parse((await ask(port, '/app', { method, headers })).text);
    return [REMOTE_USER, AUTH_TYPE];
  };
  assert.deepEqual(await userOf('GET'), [undefined, undefined]);
  assert.deepEqual(await userOf('DELETE'), ['ann', 'Basic']);
});
