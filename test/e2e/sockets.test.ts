import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, createReadStream, openSync, readFileSync, writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { needs } from '../helpers/programs.js';
import { startShell } from '../helpers/shell.js';
import { connectTcp, listenTcp, readAll, readSome, someBytes } from '../helpers/sockets.js';
import { type SpawnedCommand, spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

/** Nettool in a shell line. */
const NETTOOL = process.env.NETTOOL_BIN
  ? `'${process.env.NETTOOL_BIN}'`
  : `'${process.execPath}' --import '${import.meta.resolve('tsx')}' '${join(import.meta.dirname, '../../bin/nettool.ts')}'`;

const MIB = 2 ** 20;

/** A file of so many MiB, no two of its blocks alike. */
function bigFile(folder: string, sizeMib: number): string {
  const path = join(folder, `big-${sizeMib}`);
  const block = someBytes(MIB);
  const fd = openSync(path, 'w');
  for (let count = 0; count < sizeMib; count += 1) {
    block.writeUInt32BE(count, 0);
    writeSync(fd, block);
  }
  closeSync(fd);
  return path;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return hash.digest('hex');
}

async function portOf(server: SpawnedCommand): Promise<number> {
  const [, port] = await server.find('stderr', /listening on \S+:(\d+)/);
  return Number(port);
}

const residentMib = (pid: number | undefined): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** tsx alone takes some sixty MiB that the binary does not have. */
const MOST_MIB = process.env.NETTOOL_BIN ? 150 : 220;

test(
  '200 MiB go up and come back through --exec cat, ncat and nc, the same at both ends',
  needs('ncat', 'nc.openbsd'),
  async (t) => {
    const folder = tempDir(t);
    const file = bigFile(folder, 200);
    const expected = await sha256(file);
    const server = spawnNettool(t, ['tcp-server', '0', '--exec', 'cat']);
    const port = await portOf(server);
    for (const peer of [`ncat 127.0.0.1 ${port}`, `nc.openbsd -N 127.0.0.1 ${port}`]) {
      const { output } = await startShell(t, `${peer} < ${file} | sha256sum`).done;
      assert.equal(output.toString().slice(0, 64), expected, peer);
    }
    assert.ok(residentMib(server.child.pid) < MOST_MIB);
  },
);

test(
  '200 MiB through our client against socat, to a pipe and from a file, checked with --checksum',
  needs('socat'),
  async (t) => {
    const folder = tempDir(t);
    const file = bigFile(folder, 200);
    const expected = await sha256(file);
    const ready = startShell(t, `exec socat -d -d -t 60 TCP-LISTEN:0,bind=127.0.0.1,reuseaddr EXEC:cat`);
    const port = await new Promise<string>((resolve) => {
      ready.child.stderr.on('data', (chunk: Buffer) => {
        const found = /listening on .*:(\d+)/.exec(chunk.toString())?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    const line = `${NETTOOL} tcp-client 127.0.0.1 ${port} --checksum < ${file} 2>${folder}/log | sha256sum`;
    const { output } = await startShell(t, line).done;
    assert.equal(output.toString().slice(0, 64), expected);
    assert.match(
      readFileSync(join(folder, 'log'), 'utf8'),
      new RegExp(`sha256 received ${expected}\n.*sha256 sent +${expected}`),
    );
  },
);

test('the zero-copy way to a pipe and the plain way to a file bring the same bytes', async (t) => {
  const folder = tempDir(t);
  const file = bigFile(folder, 100);
  const expected = await sha256(file);
  const server = spawnNettool(t, ['tcp-server', '0', '--send', file]);
  const port = await portOf(server);
  const piped = startShell(t, `${NETTOOL} tcp-client 127.0.0.1 ${port} --send '' | sha256sum`);
  const filed = startShell(
    t,
    `${NETTOOL} tcp-client 127.0.0.1 ${port} --send '' > ${folder}/out; sha256sum < ${folder}/out`,
  );
  for (const { done } of [piped, filed]) assert.equal((await done).output.toString().slice(0, 64), expected);
});

test(
  "an answer that begins seconds after the client's FIN reaches nc and ncat whole",
  needs('ncat', 'nc.openbsd'),
  async (t) => {
    const folder = tempDir(t);
    const file = bigFile(folder, 3);
    const expected = await sha256(file);
    for (const peer of ['ncat', 'nc.openbsd -N']) {
      const server = startShell(t, `(sleep 1.2; cat ${file}) | ${NETTOOL} tcp-server 0 --once`);
      const port = await new Promise<string>((resolve) => {
        server.child.stderr.on('data', (chunk: Buffer) => {
          const found = /listening on \S+:(\d+)/.exec(chunk.toString())?.[1];
          if (found !== undefined) resolve(found);
        });
      });
      const { output } = await startShell(t, `${peer} 127.0.0.1 ${port} <<< question | sha256sum`).done;
      assert.equal(output.toString().slice(0, 64), expected, peer);
      assert.equal((await server.done).output.toString(), 'question\n');
    }
  },
);

test('a reader that stands still holds the sender up; Ctrl-C still works; memory stays', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--source']);
  const port = await portOf(server);
  for (const flags of [[], ['--limit-rate', '1g']]) {
    const client = spawnNettool(t, ['tcp-client', '127.0.0.1', String(port), '--send', '', ...flags]);
    // Before its first byte it may still be starting, and know nothing of Ctrl-C.
    await once(client.child.stdout, 'data');
    client.child.stdout.pause();
    // Not an event: that nothing more happens is what is waited for.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.ok(residentMib(client.child.pid) < MOST_MIB);
    client.child.kill('SIGINT');
    client.child.stdout.resume();
    assert.equal((await client.done).code, 130);
  }
  assert.ok(residentMib(server.child.pid) < MOST_MIB);
  server.child.kill('SIGTERM');
  assert.equal((await server.done).code, 0);
});

test('Ctrl-C ends a client that writes to a pipe', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--source']);
  const port = await portOf(server);
  const pipe = join(tempDir(t), 'pipe');
  const client = `mkfifo ${pipe}; ${NETTOOL} tcp-client 127.0.0.1 ${port} --send '' > ${pipe} & pid=$!`;
  const reader = `{ head -c 1 > /dev/null; kill -INT $pid; cat > /dev/null; } < ${pipe}; wait $pid; echo $?`;
  const { output, stderr } = await startShell(t, `${client}\n${reader}`).done;
  assert.equal(output.toString(), '130\n');
  assert.match(stderr, /ended by us [^\n]*\nnettool tcp-client: interrupted\n$/);
});

test('a reader that goes away ends the client quietly with 0', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--source']);
  const port = await portOf(server);
  const line = `${NETTOOL} tcp-client 127.0.0.1 ${port} --send '' | head -c 100000 | wc -c; echo \${PIPESTATUS[0]}`;
  const { output, stderr } = await startShell(t, line).done;
  assert.deepEqual([output.toString(), stderr], ['100000\n0\n', '']);
});

test('in a chat of 60 MB one client that reads nothing stops nobody and gets everything later', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--chat']);
  const port = await portOf(server);
  const sender = await connectTcp(t, { port });
  const fast = await connectTcp(t, { port });
  const stalled = await connectTcp(t, { port });
  stalled.pause();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const block = someBytes(MIB);
  const received = readSome(fast, 60 * MIB);
  for (let count = 0; count < 60; count += 1) {
    if (!sender.write(block)) await once(sender, 'drain');
  }
  const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const expected = hash(await received);
  assert.ok(residentMib(server.child.pid) < MOST_MIB, `${residentMib(server.child.pid)} MiB`);
  assert.equal(hash(await readSome(stalled, 60 * MIB)), expected);
});

test('10,000 connections to --echo are all answered', { timeout: 60_000 }, async (t) => {
  const limit = Number(execFileSync('/bin/sh', ['-c', 'ulimit -n']).toString());
  if (limit < 10_500) return t.skip(`needs 10,500 file descriptors, may have ${limit}`);
  const server = spawnNettool(t, ['tcp-server', '0', '--echo', '-q']);
  // Quiet: the port is known from the system.
  const port = await listeningPort(server.child.pid as number);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const COUNT = 10_000;
  let answered = 0;
  const all = Promise.withResolvers<void>();
  const openOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, resolve).on('error', reject);
      const text = `I am ${sockets.push(socket)}`;
      socket.on('data', (chunk) => {
        assert.equal(chunk.toString(), text);
        answered += 1;
        if (answered === COUNT) all.resolve();
      });
    });
  for (let opened = 0; opened < COUNT; opened += 500) await Promise.all(Array.from({ length: 500 }, openOne));
  for (const [index, socket] of sockets.entries()) socket.write(`I am ${index + 1}`);
  await all.promise;
  assert.equal(answered, COUNT);
  if (process.env.NETTOOL_BIN)
    assert.ok(residentMib(server.child.pid) < 150, `${residentMib(server.child.pid)} MiB`);
});

/** The port a process listens on, as the system tells it. */
async function listeningPort(pid: number): Promise<number> {
  for (;;) {
    const inodes = new Set(
      execFileSync('/bin/sh', [
        '-c',
        `ls -l /proc/${pid}/fd 2>/dev/null | grep -o 'socket:\\[[0-9]*' | tr -dc '0-9\\n' || true`,
      ])
        .toString()
        .split('\n'),
    );
    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A' && inodes.has(fields[9] ?? ''))
        return Number.parseInt(fields[1]?.split(':')[1] ?? '', 16);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('when descriptors run out the rest wait, and all are answered in the end', async (t) => {
  const server = startShell(t, `ulimit -n 100; exec ${NETTOOL} tcp-server 0 --echo`);
  let told = '';
  server.child.stderr.on('data', (chunk: Buffer) => {
    told += chunk.toString();
  });
  const warnings = (): string => told;
  const port = await new Promise<number>((resolve) => {
    server.child.stderr.on('data', (chunk: Buffer) => {
      const found = /listening on \S+:(\d+)/.exec(chunk.toString())?.[1];
      if (found !== undefined) resolve(Number(found));
    });
  });
  const sockets = await Promise.all(Array.from({ length: 200 }, () => connectTcp(t, { port })));
  while (!warnings().includes('file descriptors')) await once(server.child.stderr, 'data');
  const answers = sockets.map((socket, index) => {
    socket.end(`number ${index}`);
    return readAll(socket).then(String);
  });
  assert.deepEqual(
    await Promise.all(answers),
    sockets.map((_socket, index) => `number ${index}`),
  );
  process.kill(server.child.pid as number, 'SIGTERM');
  const { stderr, code } = await server.done;
  assert.equal(code, 0);
  assert.equal(stderr.split('\n').filter((line) => line.includes('file descriptors')).length, 1, stderr);
});

test('an --exec command and what it started are gone when the server is', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--exec', 'echo $$; sleep 1000 & sleep 1000']);
  const socket = await connectTcp(t, { port: await portOf(server) });
  const pid = Number((await readSome(socket)).toString());
  process.kill(pid, 0);
  const begun = performance.now();
  server.child.kill('SIGTERM');
  assert.equal((await server.done).code, 0);
  assert.ok(performance.now() - begun < 8000);
  // What nobody waits for stays as a zombie where the first process of a container does not care.
  const left = execFileSync('ps', ['-eo', 'pgid=,stat=,args='])
    .toString()
    .split('\n')
    .filter((line) => new RegExp(`^ *${pid} +[^Z]`).test(line));
  assert.deepEqual(left, []);
});

test('SIGTERM gives a connection at work 5 seconds, then it is over', async (t) => {
  const server = spawnNettool(t, ['tcp-server', '0', '--sink', '--json']);
  const [, port] = await server.find('stdout', /"port":(\d+)/);
  const socket = await connectTcp(t, { port: Number(port) });
  const timer = setInterval(() => socket.write('still here'), 50);
  t.after(() => clearInterval(timer));
  socket.resume();
  await server.find('stdout', /"open"/);
  const begun = performance.now();
  server.child.kill('SIGTERM');
  const { code, stdout } = await server.done;
  const tookMs = performance.now() - begun;
  assert.equal(code, 0);
  assert.ok(tookMs > 4500 && tookMs < 7000, `${tookMs} ms`);
  assert.match(stdout, /"type":"close".*"reason":"signal"/);
});

test('a file that is stdin goes out from where it stands, as a shell expects', async (t) => {
  const folder = tempDir(t);
  const file = bigFile(folder, 2);
  const received = Promise.withResolvers<Buffer>();
  const port = await listenTcp(t, (socket) => {
    void readAll(socket).then((bytes) => {
      received.resolve(bytes);
      socket.end();
    });
  });
  const { code } = await startShell(
    t,
    `(head -c 10 >/dev/null; ${NETTOOL} tcp-client 127.0.0.1 ${port}) < ${file}`,
  ).done;
  assert.equal(code, 0);
  assert.ok((await received.promise).equals(readFileSync(file).subarray(10)));
});
