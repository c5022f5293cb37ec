import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostPython, noSystemPython } from '../../../helpers/python.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const skip = noSystemPython;
const WSGI = 'def NAME(environ, start_response):\n    start_response("200 OK", [])\n    return [b"wsgi"]\n';
const ASGI = `async def NAME(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
`;
const named = (source: string, name: string): string => source.replace('NAME', name);

/** A folder with these files in it. */
function project(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = tempDir(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Files, what is asked for, and what is found. */
const FOUND: ReadonlyArray<
  readonly [
    what: string,
    files: Readonly<Record<string, string>>,
    target: string,
    found: string,
    kind: string,
  ]
> = [
  ['a callable by its name', { 'm.py': named(WSGI, 'thing') }, 'm:thing', 'm:thing', 'wsgi'],
  ['app in a file', { 'm.py': named(WSGI, 'app') }, 'm.py', 'm:app', 'wsgi'],
  [
    'app before application',
    { 'm.py': named(WSGI, 'application') + named(ASGI, 'app') },
    'm',
    'm:app',
    'asgi',
  ],
  ['a folder with app.py', { 'app.py': named(ASGI, 'api') }, '.', 'app:api', 'asgi'],
  ['a folder with main.py', { 'main.py': named(WSGI, 'wsgi') }, '.', 'main:wsgi', 'wsgi'],
  [
    'a factory',
    {
      'm.py': `def create_app():\n    ${WSGI.replace('NAME', 'x').replaceAll('\n', '\n    ')}\n    return x\n`,
    },
    'm',
    'm:create_app()',
    'wsgi',
  ],
  [
    'a factory with literals',
    {
      'm.py': `def make(kind, *, n):\n    assert kind == "a" and n == 1\n    ${ASGI.replace('NAME', 'x').replaceAll('\n', '\n    ')}\n    return x\n`,
    },
    'm:make("a", n=1)',
    'm:make("a", n=1)',
    'asgi',
  ],
  [
    'an attribute of an attribute',
    {
      'm.py': `class box:\n    ${WSGI.replace('NAME', 'app').replaceAll('\n', '\n    ')}\nbox.app = staticmethod(box.app)\n`,
    },
    'm:box.app',
    'm:box.app',
    'wsgi',
  ],
  [
    'a file in a package, with relative imports',
    { 'pkg/__init__.py': '', 'pkg/inner.py': named(WSGI, 'app'), 'pkg/web.py': 'from .inner import app\n' },
    'pkg/web.py',
    'pkg.web:app',
    'wsgi',
  ],
  [
    'a file as mod_wsgi has it, of the name of a module',
    { 'shop.py': 'X = 1\n', 'shop.wsgi': `from shop import X\n${named(WSGI, 'application')}` },
    'shop.wsgi',
    'shop_wsgi:application',
    'wsgi',
  ],
  [
    'a program without an ending',
    { 'bin/run-it': `#!/usr/bin/python3\n${named(ASGI, 'api')}` },
    'bin/run-it:api',
    'run_it:api',
    'asgi',
  ],
  [
    'a module without its callable',
    { 'shop/__init__.py': '', 'shop/wsgi.py': named(WSGI, 'application') },
    'shop.wsgi',
    'shop.wsgi:application',
    'wsgi',
  ],
  [
    'an object that is called asynchronously',
    {
      'm.py': `class A:\n    ${ASGI.replace('NAME(', '__call__(self, ').replaceAll('\n', '\n    ')}\napp = A()\n`,
    },
    'm',
    'm:app',
    'asgi',
  ],
  [
    'a class whose objects are the answers',
    {
      'm.py':
        'class app:\n    def __init__(self, environ, start):\n        start("200 OK", [])\n    def __iter__(self):\n        yield b"wsgi"\n',
    },
    'm',
    'm:app',
    'wsgi',
  ],
  [
    'an ASGI 2 application',
    {
      'm.py':
        'class app:\n    def __init__(self, scope):\n        pass\n    async def __call__(self, receive, send):\n        await send({"type": "http.response.start", "status": 200, "headers": []})\n        await send({"type": "http.response.body", "body": b"asgi"})\n',
    },
    'm',
    'm:app',
    'asgi',
  ],
];

for (const [what, files, target, found, kind] of FOUND) {
  test(`found: ${what}`, { skip }, async (t) => {
    const app = await hostPython(t, target, { cwd: project(t, files) });
    assert.equal(app.handler.application.target, found);
    assert.equal(app.handler.kind, kind);
    const answer = await app.get('/');
    assert.equal(await answer.text(), kind);
    const told = await app.find('application');
    assert.equal(told.target, found);
    if (found.includes('(')) assert.match(told.equivalent, /^'m:\w+\(.*\)' --/, 'as a shell takes it');
  });
}

/** What does not start, and the sentence that says so. */
const NOT_STARTED: ReadonlyArray<
  readonly [
    what: string,
    files: Readonly<Record<string, string>>,
    target: string,
    message: RegExp,
    hint?: RegExp | undefined,
    options?: { readonly kind: 'wsgi' | 'asgi' },
  ]
> = [
  [
    'a module that is not there',
    {},
    'nowhere:app',
    /ModuleNotFoundError: No module named 'nowhere'/,
    /--python/,
  ],
  ['a file that is not there', {}, 'nowhere.py', /no such file: nowhere\.py/],
  ['a module that fails', { 'm.py': 'x = 1 / 0\n' }, 'm', /ZeroDivisionError: division by zero/],
  ['a module with a syntax error', { 'm.py': 'def (\n' }, 'm', /SyntaxError/],
  ['a module that exits', { 'm.py': 'import sys\nsys.exit(4)\n' }, 'm', /SystemExit: 4/],
  ['a module that ends the process', { 'm.py': 'import os\nos._exit(4)\n' }, 'm', /exit code 4/],
  [
    'no application in the module',
    { 'm.py': 'def other(): pass\n' },
    'm',
    /looked for app, application, api, asgi, wsgi, create_app\(\).*it has other/,
  ],
  ['a name that is not there', { 'm.py': '' }, 'm:app', /the module m has no app; it has no callables/],
  ['something that cannot be called', { 'm.py': 'app = 3\n' }, 'm:app', /cannot be called \(it is an int\)/],
  [
    'what is asked for as the wrong kind',
    { 'm.py': named(WSGI, 'app') },
    'm:app',
    /m:app is no ASGI application: it takes \(environ, start_response\); leave --asgi out/,
    undefined,
    { kind: 'asgi' },
  ],
  [
    'a coroutine asked for as WSGI',
    { 'm.py': 'async def app(environ, start_response): pass\n' },
    'm:app',
    /is no WSGI application/,
    undefined,
    { kind: 'wsgi' },
  ],
  [
    'neither WSGI nor ASGI',
    { 'm.py': 'def app(a, b, c, d): pass\n' },
    'm:app',
    /neither a WSGI nor an ASGI application/,
  ],
  [
    'a factory that makes nothing',
    { 'm.py': 'def create_app(): pass\n' },
    'm',
    /create_app\(\) made no application/,
  ],
  ['a folder without an application', { 'x.txt': '' }, '.', /no application in \./],
  [
    'a lifespan that fails',
    {
      'm.py':
        'async def app(scope, receive, send):\n    await receive()\n    await send({"type": "lifespan.startup.failed", "message": "no database"})\n',
    },
    'm',
    /no database/,
  ],
];

for (const [what, files, target, message, hint, options] of NOT_STARTED) {
  test(`not started: ${what}`, { skip }, async (t) => {
    const events: unknown[] = [];
    const starting = hostPython(t, target, {
      cwd: project(t, files),
      onEvent: (event) => events.push(event),
      ...options,
    });
    await assert.rejects(starting, (error: Error & { code: string; hint?: string }) => {
      assert.match(error.message, message);
      assert.equal(error.code, 'INTERNAL');
      if (hint !== undefined) assert.match(error.hint ?? '', hint);
      return true;
    });
  });
}

test('the traceback of a module that does not load is told before the start fails', { skip }, async (t) => {
  const events: string[] = [];
  const cwd = project(t, { 'm.py': 'def inner():\n    raise ValueError("deep")\ninner()\n' });
  const onEvent = (event: unknown): number => events.push(JSON.stringify(event));
  await assert.rejects(hostPython(t, 'm', { cwd, onEvent }), {
    message: 'the application m does not start: ValueError: deep',
  });
  const text = events.find((event) => event.includes('"application-error"')) ?? '';
  assert.match(text, /m\.py\\", line 2, in inner/);
  assert.doesNotMatch(text, /nettool_host|importlib/);
});

test('a start that takes too long fails, and leaves no process', { skip }, async (t) => {
  const cwd = project(t, { 'm.py': 'import time\ntime.sleep(60)\n' });
  const lines: string[] = [];
  const onEvent = (event: object): unknown => 'line' in event && lines.push(String(event.line));
  await assert.rejects(hostPython(t, 'm', { cwd, bootTimeoutMs: 500, onEvent }), { code: 'TIMEOUT' });
  assert.match(lines.join('\n'), /m\.py", line 2 in <module>/, 'it tells where it was');
});

test('a start can be given up', { skip }, async (t) => {
  const cwd = project(t, { 'm.py': 'import time\ntime.sleep(60)\n' });
  const started = performance.now();
  const events: unknown[] = [];
  const onEvent = (event: object): unknown => 'state' in event && events.push(event.state);
  await assert.rejects(hostPython(t, 'm', { cwd, signal: AbortSignal.timeout(200), onEvent }), {
    name: 'TimeoutError',
  });
  assert.deepEqual(events, ['starting', 'stopped'], 'it did not fail');
  assert.ok(performance.now() - started < 5000);
});

test('names of ours do not hide modules of the application', { skip }, async (t) => {
  const files = {
    'boot.py': 'X = b"mine"\n',
    'frames.py': '',
    'app.py': 'import boot, frames\ndef app(e, s):\n    s("200 OK", [])\n    return [boot.X]\n',
  };
  const app = await hostPython(t, '.', { cwd: project(t, files) });
  assert.equal(await (await app.get('/')).text(), 'mine');
});

/** What gevent's and eventlet's monkey_patch come to: threads started from now on are none of the system's. */
const PATCHED = `import _thread, threading
def never(*args, **kwargs):
    raise RuntimeError("a greenlet, not a thread")
for module, name in ((_thread, "start_new_thread"), (threading, "_start_new_thread"), (threading, "_start_joinable_thread")):
    setattr(module, name, never)
`;

test('an application that puts other threads in the place of the system\u2019s is answered', {
  skip,
}, async (t) => {
  const cwd = project(t, { 'm.py': PATCHED + named(WSGI, 'app'), 'a.py': PATCHED + named(ASGI, 'app') });
  for (const [target, threads] of [
    ['m', 1],
    ['m', 3],
    ['a', 1],
  ] as const) {
    const app = await hostPython(t, target, { cwd, threads, bootTimeoutMs: 10_000 });
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => app.get('/').then((answer) => answer.text())),
    );
    assert.deepEqual(new Set(answers), new Set([app.handler.kind]));
    await app.handler.close();
  }
});

for (const version of ['3.8.18', '3.9.18', '3.10.13', '3.12.1', '3.13.0']) {
  const python = `/root/.pyenv/versions/${version}/bin/python3`;
  const missing = existsSync(python) ? false : `Python ${version} is not installed`;
  test(`Python ${version} runs both kinds`, { skip: missing }, async (t) => {
    for (const target of ['wsgi_traps:application', 'asgi_traps:app']) {
      const app = await hostPython(t, target, { python });
      assert.equal(app.handler.application.version, version);
      assert.equal(await (await app.get('/echo', { method: 'POST', body: 'echoed' })).text(), 'echoed');
      assert.equal((await app.get('/pathsend')).status, target.startsWith('asgi') ? 200 : 404);
    }
  });
}
