import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createStreamLog, openLogFile } from '../../../src/commands/output/log-file.js';
import { tempDir } from '../../helpers/temp-dir.js';

const noWarning = (sentence: string): void => assert.fail(sentence);

test('lines are appended to what is there, together and in order, within 50 ms or so', async (t) => {
  const path = join(tempDir(t, { 'access.log': 'before\n' }), 'access.log');
  const log = openLogFile(path, noWarning);
  t.after(() => log.close());
  log.write('one');
  log.write('two');
  assert.equal(readFileSync(path, 'utf8'), 'before\n', 'not one by one');
  while (!readFileSync(path, 'utf8').includes('two')) await delay(10);
  assert.equal(readFileSync(path, 'utf8'), 'before\none\ntwo\n');
});

test('much is written at once, without waiting', (t) => {
  const path = join(tempDir(t), 'access.log');
  const log = openLogFile(path, noWarning);
  t.after(() => log.close());
  for (let index = 0; index < 2000; index += 1) log.write(`line ${index} ${'x'.repeat(60)}`);
  const lines = readFileSync(path, 'utf8').split('\n');
  assert.ok(lines.length > 900 && lines.length < 2000);
});

test('closing writes what was gathered, and what comes after it is nobody’s', (t) => {
  const path = join(tempDir(t), 'access.log');
  const log = openLogFile(path, noWarning);
  log.write('last words');
  log.close();
  log.write('too late');
  log.close();
  assert.equal(readFileSync(path, 'utf8'), 'last words\n');
});

test('a process that ends in any way but a crash has written its lines', (t) => {
  const folder = tempDir(t);
  const module = join(import.meta.dirname, '../../../src/commands/output/log-file.ts');
  const script = `import { openLogFile } from ${JSON.stringify(module)};
    openLogFile('exit.log', () => {}).write('written at exit'); process.exit(3);`;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script];
  assert.equal(spawnSync(process.execPath, args, { cwd: folder }).status, 3);
  assert.equal(readFileSync(join(folder, 'exit.log'), 'utf8'), 'written at exit\n');
});

test('after logrotate has moved the file, reopening begins a new one and loses nothing', (t) => {
  const path = join(tempDir(t), 'access.log');
  const log = openLogFile(path, noWarning);
  t.after(() => log.close());
  log.write('old');
  renameSync(path, `${path}.1`);
  log.write('still old');
  log.reopen();
  log.write('new');
  log.close();
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'old\nstill old\n');
  assert.equal(readFileSync(path, 'utf8'), 'new\n');
});

test('a full disk is one warning and stops nobody', (t) => {
  const path = join(tempDir(t), 'access.log');
  symlinkSync('/dev/full', path);
  const warnings: string[] = [];
  const log = openLogFile(path, (sentence) => warnings.push(sentence));
  for (let index = 0; index < 5000; index += 1) log.write('x'.repeat(100));
  log.close();
  assert.deepEqual(warnings, [`cannot write ${path} (no space left on device)`]);
});

test('a pipe nobody reads is refused rather than waited for', (t) => {
  const path = join(tempDir(t), 'pipe');
  execFileSync('mkfifo', [path]);
  assert.throws(() => openLogFile(path, noWarning), { code: 'OUTPUT_FAILED' });
});

test('a file that cannot be opened is exit 23, and says which', (t) => {
  const path = join(tempDir(t), 'missing', 'access.log');
  assert.throws(() => openLogFile(path, noWarning), {
    code: 'OUTPUT_FAILED',
    message: `cannot open the log file ${path} (no such file or directory)`,
  });
});

test('a log on a stream gathers its lines, and gives up on a reader that does not keep up', () => {
  const stream = new PassThrough();
  const log = createStreamLog(stream);
  log.write('one');
  log.write('two');
  assert.equal(stream.readableLength, 0);
  log.close();
  assert.equal(String(stream.read()), 'one\ntwo\n');

  const slow = new PassThrough();
  const flood = createStreamLog(slow);
  for (let index = 0; index < 1000; index += 1) flood.write('x'.repeat(65_536));
  flood.close();
  assert.ok(slow.writableLength + slow.readableLength < 20 * 1024 * 1024);
});
