import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PHP_FPM, startPhpFpm } from '../helpers/php-fpm.js';
import { needs } from '../helpers/programs.js';
import { noSystemPython, SYSTEM_PYTHON } from '../helpers/python.js';
import { ask } from '../helpers/raw-http.js';
import { type Json, type RunningCommand, start } from '../helpers/run.js';
import { closedPort, listen } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A `serve` that listens, and what it says of each request. */
async function serving(t: TestContext, argv: readonly string[], cwd: string) {
  const command = start(['serve', ...argv], { cwd, env: { PATH: process.env.PATH ?? '' } });
  t.after(() => command.stop());
  const { port } = (await command.event('listening')) as { port: number };
  return { command, port, served: (target: string) => served(command, port, target) };
}

/** The event of a request, and the name its answer gave it. */
async function served(command: RunningCommand, port: number, target: string): Promise<Json> {
  const answer = await ask(port, target);
  const event = await command.event('request');
  assert.equal(event.target, target);
  assert.equal(event.requestId, answer.header('x-request-id'));
  const parts = event.queueMs + event.handlerMs + event.sendMs;
  assert.ok(Math.abs(parts - event.durationMs) < 0.01, `${parts} of ${event.durationMs} ms`);
  return event;
}

const WSGI = `
import os, signal, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise ValueError("boom")
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/hang":
        time.sleep(60)
    print("one\\ntwo", file=environ["wsgi.errors"])
    environ["wsgi.errors"].writelines(["th", "ree\\n"])
    time.sleep(0.02)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`;

const python = { skip: noSystemPython };
const application = ['app:app', '0', '--python', SYSTEM_PYTHON, '--request-id'];

test(
  'the event of a request tells how long it waited and how long which worker had it',
  python,
  async (t) => {
    const site = await serving(t, application, tempDir(t, { 'app.py': WSGI }));
    const event = await site.served('/');
    assert.ok(event.workerMs >= 20, `${event.workerMs} ms`);
    assert.ok(event.workerMs <= event.durationMs);
    assert.equal(typeof event.workerPid, 'number');
    assert.equal(event.reason, undefined);
    const { stderr } = await site.command.stop();
    const id = event.requestId;
    assert.ok(stderr.includes(`[${id}] one\n[${id}] two\n[${id}] three\n`), stderr);
  },
);

test(
  'the event of a 5xx of ours has its reason, and that of the application its request',
  python,
  async (t) => {
    const site = await serving(
      t,
      [...application, '--request-timeout', '300ms'],
      tempDir(t, { 'app.py': WSGI }),
    );
    const boom = await site.served('/boom');
    assert.deepEqual([boom.status, boom.reason], [500, 'ValueError: boom']);
    assert.equal((await site.command.event('application-error')).requestId, boom.requestId);
    const died = await site.served('/die');
    assert.equal(died.status, 502);
    assert.match(died.reason, /^the worker \(pid \d+\) ended: /);
    const late = await site.served('/hang');
    assert.deepEqual([late.status, late.reason], [504, 'the application did not answer within 0.3 s']);
    assert.ok(late.queueMs + late.workerMs >= 300);
  },
);

test('ASGI, JavaScript, CGI and upstreams say how they served, too', python, async (t) => {
  const upstream = createServer((_request, response) => response.end('up'));
  const url = `http://127.0.0.1:${await listen(t, upstream)}`;
  const down = `http://127.0.0.1:${await closedPort()}`;
  const cwd = tempDir(t, {
    'app.py':
      'async def app(scope, receive, send):\n' +
      '    await send({"type": "http.response.start", "status": 200})\n' +
      '    await send({"type": "http.response.body", "more_body": True})\n' +
      '    await send({"type": "http.response.body", "body": b"ok"})\n',
    'app.mjs': 'export default { fetch: () => new Response("ok") };',
    'cgi/page.cgi': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nok"\n',
    'cgi/broken.cgi': '#!/bin/sh\necho complaint >&2\n',
  });
  for (const name of ['page', 'broken']) chmodSync(join(cwd, `cgi/${name}.cgi`), 0o755);
  const mounts = ['--app', '/js=app.mjs', '--cgi', '/cgi=cgi', '--proxy', `/up=${url}`];
  const site = await serving(t, [...application, ...mounts, '--proxy', `/down=${down}`], cwd);
  for (const target of ['/', '/js', '/cgi/page.cgi']) {
    const event = await site.served(target);
    assert.equal(event.status, 200, target);
    assert.ok(event.workerMs > 0, target);
    assert.equal(typeof event.workerPid, 'number', target);
  }
  const proxied = await site.served('/up');
  assert.equal(new URL(proxied.upstream).origin, url);
  assert.ok(proxied.upstreamMs > 0);
  const refused = await site.served('/down');
  assert.equal(new URL(refused.upstream).origin, down);
  assert.match(refused.reason, /refused/);
  const broken = await site.served('/cgi/broken.cgi');
  assert.deepEqual([broken.status, broken.reason], [502, 'the script sent nothing at all (exit code 0)']);
  const { stderr } = await site.command.stop();
  assert.ok(stderr.includes(`[${broken.requestId}] complaint\n`), stderr);
});

test(
  'metrics tell how long requests have waited and how long which application had them',
  python,
  async (t) => {
    const upstream = createServer((_request, response) => response.end('up'));
    const url = `http://127.0.0.1:${await listen(t, upstream)}`;
    const cwd = tempDir(t, {
      'app.py': WSGI,
      'app.mjs': 'export default { fetch: () => new Response("ok") };',
      'files/a.txt': 'a',
      'cgi/page.cgi': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nok"\n',
    });
    chmodSync(join(cwd, 'cgi/page.cgi'), 0o755);
    const mounts = [
      '--app',
      '/js=app.mjs',
      '--cgi',
      '/cgi=cgi',
      '--proxy',
      `/up=${url}`,
      '--static',
      '/s=files',
    ];
    const site = await serving(t, [...application, ...mounts, '--metrics', '/metrics'], cwd);
    for (const target of ['/', '/js', '/js/2', '/cgi/page.cgi', '/up', '/s/a.txt', '/boom'])
      await site.served(target);
    const { text } = await ask(site.port, '/metrics');
    const figures = (name: string) =>
      [
        ...text.matchAll(
          new RegExp(`^nettool_application_${name}\\{handler="(.*)",prefix="(.*)"\\} (.*)$`, 'gm'),
        ),
      ]
        .map(([, handler, prefix, value]) => `${handler} ${prefix} ${value}`)
        .sort();
    assert.deepEqual(figures('duration_seconds_count'), [
      'cgi /cgi 1',
      'js /js 2',
      'proxy /up 1',
      'python / 2',
    ]);
    assert.deepEqual(figures('wait_seconds_count'), ['cgi /cgi 1', 'python / 2']);
    const spent = figures('duration_seconds_sum').map((line) => Number(line.split(' ')[2]));
    assert.ok(
      spent.every((seconds) => seconds > 0),
      text,
    );
    // It sleeps for 20 ms.
    assert.ok((spent.at(-1) as number) >= 0.02);
    assert.match(text, /^nettool_application_errors_total\{handler="python",status="500"\} 1$/m);
    if (process.platform !== 'linux') return;
    const ofWorker = (name: string): number =>
      Number(
        new RegExp(`^nettool_worker_${name}\\{program="python",pid="\\d+"\\} (.*)$`, 'm').exec(text)?.[1],
      );
    assert.ok(ofWorker('resident_memory_bytes') > 1e6);
    assert.ok(ofWorker('cpu_seconds_total') > 0);
  },
);

test('SIGTTIN gives a Python application a worker more, SIGTTOU one fewer', python, async (t) => {
  const signals = new EventEmitter();
  const cwd = tempDir(t, { 'app.py': WSGI });
  const command = start(['serve', ...application], { cwd, signals, env: { PATH: process.env.PATH ?? '' } });
  t.after(() => command.stop());
  await command.event('listening');
  signals.emit('SIGTTIN');
  const changes = [];
  while (changes.length < 2) {
    const { state, index, reason = null } = await command.event('worker');
    if (index === 1) changes.push([state, reason]);
  }
  signals.emit('SIGTTOU');
  const leaving = await command.event('worker');
  assert.deepEqual(changes, [
    ['starting', 'SIGTTIN'],
    ['ready', null],
  ]);
  assert.deepEqual([leaving.state, leaving.index, leaving.reason], ['retiring', 1, 'SIGTTOU']);
});

test('PHP is an upstream with an address', needs(PHP_FPM), async (t) => {
  const cwd = tempDir(t, { 'page.php': '<?php echo 1;' });
  const address = await startPhpFpm(t, cwd);
  const site = await serving(t, ['.', '0', '--fastcgi', `/=unix:${address}`, '--request-id'], cwd);
  const event = await site.served('/page.php');
  assert.deepEqual([event.status, event.upstream], [200, `unix:${address}`]);
  assert.ok(event.upstreamMs > 0);
});
