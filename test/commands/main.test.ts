import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { exitCodeFor, exitCodeForStatus } from '../../src/commands/exit-codes.js';
import { NettoolError } from '../../src/core/errors.js';
import { run } from '../helpers/run.js';

/** In the order of the contract; commands that do not exist yet are left out, never listed as a promise. */
const CONTRACT_ORDER = [
  'serve',
  'get',
  'post',
  'put',
  'patch',
  'delete',
  'head',
  'options',
  'tcp-server',
  'tcp-client',
  'udp-server',
  'udp-client',
  'ping',
  'ifconfig',
  'completion',
  'help',
];

/** Nothing listens on port 1 of loopback. */
const REFUSED = 'http://127.0.0.1:1/';

test('help lists the commands in the order of the contract', async () => {
  const { code, stdout, stderr } = await run(['--help']);
  assert.deepEqual([code, stderr], [0, '']);
  const listed = [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z-]+)/gm)].map(
    ([, name]) => name,
  );
  assert.ok(listed.length >= 3);
  assert.deepEqual(
    listed,
    CONTRACT_ORDER.filter((name) => listed.includes(name)),
  );
});

test('every command has a help page with its flags and the global ones', async () => {
  for (const words of [
    ['get', '--help'],
    ['help', 'get'],
    ['get', '-h'],
  ]) {
    const { code, stdout } = await run(words);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: nettool get /);
    assert.match(stdout, /--timeout/);
    assert.match(stdout, /Global flags:[\s\S]*--json/);
  }
});

test('the version names program, Node and platform, also as JSON and behind a command', async () => {
  const plain = await run(['--version']);
  assert.match(plain.stdout, /^nettool \d+\.\d+\.\d+ \(Node \d+\.\d+\.\d+, \w+ \w+\)\n$/);
  for (const words of [
    ['-V', '--json'],
    ['--json', '--version'],
    ['get', '--version', '--json'],
  ]) {
    const { code, stdout } = await run(words);
    assert.equal(code, 0);
    const { type, name, version, nodeVersion, platform } = JSON.parse(stdout);
    assert.deepEqual([type, name, nodeVersion], ['version', 'nettool', process.version.slice(1)]);
    assert.match(`${version} ${platform}`, /^\d+\.\d+\.\d+ \w+ \w+$/);
  }
});

test('no command at all is a usage error that points to the help', async () => {
  const { code, stdout, stderr } = await run([]);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^nettool: a command is missing\nhint: see 'nettool --help'/);
});

test('typos of commands and flags are answered with the nearest word', async () => {
  const command = await run(['serv']);
  assert.deepEqual(
    [command.code, command.stderr],
    [2, "nettool: unknown command 'serv'\nhint: did you mean serve?\n"],
  );
  const flag = await run(['get', REFUSED, '--timeot', '3']);
  assert.deepEqual(
    [flag.code, flag.stderr],
    [2, "nettool get: unknown option '--timeot'\nhint: did you mean --timeout?\n"],
  );
});

test('what is called otherwise elsewhere is answered with our name for it', async () => {
  for (const [flag, hint] of [
    ['-w', '--workers'],
    ['--bind=0.0.0.0:80', 'the port is the second argument'],
    ['--ssl-certfile', '--cert FILE'],
  ] as const) {
    const { code, stderr } = await run(['serve', 'app:app', flag, '4']);
    assert.equal(code, 2);
    assert.match(stderr, /^nettool serve: unknown option '[^\n]+\nhint: here: /);
    assert.ok(stderr.includes(hint), stderr);
  }
  const { stderr } = await run(['ping', REFUSED, '--bind']);
  assert.match(stderr, /hint: see 'nettool ping --help'/);
});

test('usage errors are exit 2, one line, and with --json one document', async () => {
  const cases = [
    ['get'],
    ['get', REFUSED, '--timeout', 'soon'],
    ['get', REFUSED, '--color', 'sometimes'],
    ['--bogus', 'get', REFUSED],
    ['serve', '.', '70000'],
    ['serve', '.', '8000', 'more'],
    ['get', 'http://[::1'],
    ['get', 'ftp://example.org/'],
  ];
  for (const words of cases) {
    const { code, stderr, stdout } = await run([...words, '--json']);
    assert.equal(code, 2, words.join(' '));
    assert.match(stderr, /^nettool[ a-z]*: [^\n]+\n(hint: [^\n]+\n)?$/, words.join(' '));
    const event = JSON.parse(stdout);
    assert.deepEqual([event.type, event.code, event.exitCode], ['error', 'USAGE', 2], words.join(' '));
  }
});

test('global flags stand before or after the command, the last word counts', async () => {
  for (const words of [
    ['--json', 'get', REFUSED],
    ['get', '--json', REFUSED],
    ['get', REFUSED, '--json'],
  ]) {
    const { code, stdout } = await run(words);
    const event = JSON.parse(stdout);
    assert.deepEqual(
      [code, event.type, event.command, event.code],
      [7, 'error', 'get', 'CONNECTION_REFUSED'],
    );
  }
  const colored = await run(['--color', 'never', 'get', REFUSED, '--color=always']);
  assert.ok(colored.stderr.startsWith('\x1b['));
});

test('what follows -- is no flag, and the value of a flag is none either', async () => {
  assert.match((await run(['get', '--', '--json'])).stderr, /^nettool get: /);
  assert.equal((await run(['get', '--', '--json'])).stdout, '');
});

test('a failure is one line for people, and an error document for scripts', async () => {
  const plain = await run(['get', REFUSED]);
  assert.deepEqual(
    [plain.code, plain.stdout, plain.stderr],
    [7, '', 'nettool get: cannot connect to 127.0.0.1:1 (connection refused)\n'],
  );
  const json = await run(['get', REFUSED, '--json']);
  assert.equal(json.stderr, plain.stderr);
  const { cause, ...event } = JSON.parse(json.stdout);
  assert.deepEqual(event, {
    type: 'error',
    command: 'get',
    code: 'CONNECTION_REFUSED',
    message: 'cannot connect to 127.0.0.1:1 (connection refused)',
    hint: null,
    exitCode: 7,
  });
  assert.deepEqual(cause, ['connect ECONNREFUSED 127.0.0.1:1']);
});

test('a stack trace is shown only with -vv, and errors are never silenced', async () => {
  assert.doesNotMatch((await run(['get', REFUSED, '-v'])).stderr, /\n\s+at /);
  assert.match((await run(['get', REFUSED, '-vv'])).stderr, /\n\s+at /);
  assert.match((await run(['get', REFUSED, '-v', '--verbose'])).stderr, /\n\s+at /);
  assert.match((await run(['get', REFUSED, '-q'])).stderr, /connection refused/);
});

test('a secret in a URL appears in no message and no document', async () => {
  const url = 'http://ann:hunter22@127.0.0.1:1/?api_key=abcdef';
  const { stdout, stderr } = await run(['get', url, '--json', '-vv']);
  assert.doesNotMatch(stdout + stderr, /hunter22|abcdef/);
});

test('an interrupted run ends with 130 and a terminated one with 143', async () => {
  for (const [code, expected] of [
    ['INTERRUPTED', 130],
    ['TERMINATED', 143],
  ] as const) {
    const signal = AbortSignal.abort(new NettoolError(code, 'stopped'));
    assert.equal((await run(['get', REFUSED], { signal })).code, expected);
  }
});

test('an output that breaks is 23, and a reader that left is none of our business', async () => {
  const broken = (code: string): Writable =>
    new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error(code), { code, syscall: 'write' }));
      },
    });
  const full = await run(['--version'], { stdout: broken('ENOSPC') });
  assert.equal(full.code, 23);
  assert.equal(full.stderr, 'nettool: cannot write the output (no space left on device)\n');
  const gone = await run(['--version'], { stdout: broken('EPIPE') });
  assert.deepEqual([gone.code, gone.stderr], [0, '']);
});

test('the exit codes are those of the contract', () => {
  const table = {
    INTERNAL: 1,
    USAGE: 2,
    DNS_NOT_FOUND: 6,
    CONNECTION_REFUSED: 7,
    UNREACHABLE: 7,
    TRUNCATED: 18,
    OUTPUT_FAILED: 23,
    INPUT_FAILED: 26,
    TIMEOUT: 28,
    TLS_HANDSHAKE: 35,
    ADDRESS_IN_USE: 45,
    ADDRESS_NOT_AVAILABLE: 45,
    TOO_MANY_REDIRECTS: 47,
    EMPTY_REPLY: 52,
    CONNECTION_BROKEN: 56,
    MALFORMED_REPLY: 56,
    TLS_CERTIFICATE: 60,
    BAD_ENCODING: 61,
    TOO_LARGE: 63,
    PERMISSION: 77,
    UNSUPPORTED: 78,
  } as const;
  for (const [code, expected] of Object.entries(table))
    assert.equal(exitCodeFor(code as keyof typeof table), expected, code);
  const statuses = { 200: 0, 204: 0, 301: 3, 304: 0, 404: 4, 499: 4, 500: 5, 599: 5 };
  for (const [status, expected] of Object.entries(statuses))
    assert.equal(exitCodeForStatus(Number(status)), expected);
});
