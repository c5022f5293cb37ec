import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

/** An HTTP server of this process, for the client commands to talk to. */
async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('the program runs in an empty folder with nothing on the PATH', async (t) => {
  const { code, stdout, stderr } = await spawnNettool(t, ['--version'], {
    cwd: tempDir(t),
    env: { PATH: '/nonexistent', NODE_OPTIONS: '' },
  }).done;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^nettool \d+\.\d+\.\d+ \(Node 26\.\d+\.\d+, \w+ \w+\)\n$/);
});

test('serve answers get, and Ctrl-C ends it with 0', async (t) => {
  const site = tempDir(t);
  writeFileSync(join(site, 'hello.txt'), 'Hello!\n');
  const server = spawnNettool(t, ['serve', site, '0', '--json']);
  const [, url] = await server.find('stdout', /"type":"listening","url":"([^"]+)"/);
  const answer = await spawnNettool(t, ['get', `${url}hello.txt`]).done;
  assert.deepEqual(answer, { code: 0, stdout: 'Hello!\n', stderr: '' });
  server.child.kill('SIGINT');
  const { code, stdout } = await server.done;
  assert.equal(code, 0);
  const types = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).type);
  assert.deepEqual(types, ['listening', 'request', 'closed']);
});

test('SIGTERM ends serve with 0 too', async (t) => {
  const server = spawnNettool(t, ['serve', tempDir(t), '0', '--json']);
  await server.find('stdout', /"listening"/);
  server.child.kill('SIGTERM');
  assert.equal((await server.done).code, 0);
});

test('what an application has left open keeps neither a server nor a failed start', async (t) => {
  const interval = 'setInterval(() => {}, 1000);\n';
  const cwd = tempDir(t, {
    'app.mjs': `${interval}export default { fetch: () => new Response("hi") };\n`,
    'broken.mjs': `${interval}throw new Error("no database");\n`,
  });
  const server = spawnNettool(t, ['serve', 'app.mjs', '0'], { cwd });
  await server.find('stderr', /http:\/\//);
  server.child.kill('SIGTERM');
  assert.equal((await server.done).code, 0);
  const broken = await spawnNettool(t, ['serve', 'broken.mjs', '0'], { cwd }).done;
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /no database/);
});

test('an application that ends the process itself at a signal cuts no request, and serve ends with 0', async (t) => {
  const cwd = tempDir(t, {
    'app.mjs': `process.on('SIGTERM', async (signal) => { console.log('over'); process.kill(process.pid, signal); });
      export const fetch = () => new Promise((done) => {
        console.log('asked');
        setTimeout(done, 300, new Response('whole'));
      });`,
  });
  const server = spawnNettool(t, ['serve', 'app.mjs', '0'], { cwd });
  const [url] = await server.find('stderr', /http:\/\/\S+/);
  const answer = fetch(url);
  await server.find('stderr', /asked/);
  server.child.kill('SIGTERM');
  assert.equal(await (await answer).text(), 'whole');
  const { code, stderr } = await server.done;
  assert.equal(code, 0);
  assert.match(stderr, /stopped after 1 request\nover\n/);
});

test('a get that is cut short by a signal ends with 130 or 143', async (t) => {
  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const asked = Promise.withResolvers<void>();
    const url = await listen(t, () => asked.resolve());
    const command = spawnNettool(t, ['get', url]);
    await asked.promise;
    command.child.kill(signal);
    const { code, stderr } = await command.done;
    assert.equal(code, expected);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test('SIGUSR1 never opens a debugger', async (t) => {
  const asked = Promise.withResolvers<void>();
  const url = await listen(t, () => asked.resolve());
  const command = spawnNettool(t, ['get', url]);
  await asked.promise;
  command.child.kill('SIGUSR1');
  if (process.platform === 'linux') {
    // Node's own handler, which would open it, is not even there (SIGUSR1 is 10, the mask begins with 1).
    const caught = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${command.child.pid}/status`, 'latin1'));
    assert.equal((BigInt(`0x${caught?.[1]}`) >> 9n) & 1n, 0n);
  }
  command.child.kill('SIGTERM');
  const { code, stderr } = await command.done;
  assert.deepEqual([code, stderr], [143, 'nettool get: terminated\n']);
});

test('a reader that goes away ends get quietly, as if it had finished', async (t) => {
  const url = await listen(t, (_request, response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(256 * 1024, 'x')), 1);
    response.on('close', () => clearInterval(timer));
  });
  const command = spawnNettool(t, ['get', url]);
  await once(command.child.stdout, 'data');
  command.child.stdout.destroy();
  const { code, stderr } = await command.done;
  assert.deepEqual([code, stderr], [0, '']);
});

test('a slow reader gets every byte, and the exit code of the status', async (t) => {
  const body = Buffer.alloc(3 * 1024 * 1024, 'nettool ');
  const url = await listen(t, (_request, response) => response.writeHead(404).end(body));
  const command = spawnNettool(t, ['get', url]);
  let received = 0;
  command.child.stdout.on('data', (text: string) => {
    received += text.length;
    command.child.stdout.pause();
    setTimeout(() => command.child.stdout.resume(), 5);
  });
  assert.equal((await command.done).code, 4);
  assert.equal(received, body.length);
});

test('a full disk is said in one line and is exit 23', async (t) => {
  const url = await listen(t, (_request, response) => response.end('x'.repeat(100_000)));
  const { code, stderr } = await spawnNettool(t, ['get', url], { stdoutFile: '/dev/full' }).done;
  assert.equal(code, 23);
  assert.equal(stderr, 'nettool get: cannot write the output (no space left on device)\n');
});

test('a busy port is exit 45 and names the next free one', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { code, stderr, stdout } = await spawnNettool(t, ['serve', tempDir(t), String(port), '--json']).done;
  assert.equal(code, 45);
  assert.match(
    stderr,
    /^nettool serve: cannot listen on 127\.0\.0\.1:\d+ \(address already in use\)\nhint: .*\d+.*\n$/,
  );
  const { type, code: word, exitCode } = JSON.parse(stdout);
  assert.deepEqual([type, word, exitCode], ['error', 'ADDRESS_IN_USE', 45]);
});

test('nothing reads stdin unless it is told to', async (t) => {
  const url = await listen(t, (request, response) => response.end(request.method));
  // stdin stays open and silent: a command that waited for it would never end.
  const { code, stdout } = await spawnNettool(t, ['get', url]).done;
  assert.deepEqual([code, stdout], [0, 'GET']);
});

test('post sends a file as it is, and -o keeps what comes back byte for byte', async (t) => {
  const folder = tempDir(t);
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
  writeFileSync(join(folder, 'in.bin'), bytes);
  const url = await listen(t, (request, response) => {
    request.on('data', (chunk) => response.write(chunk)).on('end', () => response.end());
  });
  const { code, stderr } = await spawnNettool(t, ['post', url, '-d', '@in.bin', '-o', 'out.bin'], {
    cwd: folder,
  }).done;
  assert.equal(code, 0);
  assert.match(stderr, /^saved out\.bin \(68\.4 KiB in [^\n]*\)\n$/);
  assert.deepEqual(readFileSync(join(folder, 'out.bin')), bytes);
});

test('a server whose terminal has gone goes too, unless there is code to load anew', async (t) => {
  const server = spawnNettool(t, ['serve', tempDir(t), '0', '--json']);
  await server.find('stdout', /"listening"/);
  server.child.kill('SIGHUP');
  assert.equal((await server.done).code, null);
  const cwd = tempDir(t);
  writeFileSync(
    join(cwd, 'app.py'),
    'def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"hi"]\n',
  );
  const hosted = spawnNettool(t, ['serve', 'app.py', '0', '--json', '--python', '/usr/bin/python3'], { cwd });
  await hosted.find('stdout', /"listening"/);
  hosted.child.kill('SIGHUP');
  await hosted.find('stdout', /"generation":2,"state":"ready"/);
  hosted.child.kill('SIGTERM');
  assert.equal((await hosted.done).code, 0);
});
