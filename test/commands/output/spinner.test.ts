import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { Context } from '../../../src/commands/context.js';
import { startSpinner } from '../../../src/commands/output/spinner.js';

/** As much of a terminal as a spinner needs. */
function fakeTerminal(columns: number): { stderr: Writable; written: () => string } {
  let text = '';
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      stderr.emit('written');
      done();
    },
  });
  const nothing = (): boolean => true;
  Object.assign(stderr, { isTTY: true, columns, cursorTo: nothing, clearLine: nothing, moveCursor: nothing });
  return { stderr, written: () => text };
}

const contextOf = (stderr: Writable, progress = true): Context =>
  ({ progress, io: { stderr } }) as unknown as Context;

test('a spinner appears only when something takes long, and goes away', async () => {
  const { stderr, written } = fakeTerminal(80);
  const spinner = startSpinner(contextOf(stderr), () => 'GET example.org');
  assert.equal(written(), '');
  while (!written().includes('GET example.org')) await once(stderr, 'written');
  spinner.stop();
  const after = written();
  spinner.stop();
  await new Promise((done) => setTimeout(done, 150));
  assert.equal(written(), after);
});

test('nothing is drawn without progress, without a width, or after an early stop', async () => {
  for (const [columns, progress, stopsEarly] of [
    [80, false, false],
    [0, true, false],
    [80, true, true],
  ] as const) {
    const { stderr, written } = fakeTerminal(columns);
    const spinner = startSpinner(contextOf(stderr, progress), () => 'text');
    if (stopsEarly) spinner.stop();
    await new Promise((done) => setTimeout(done, 400));
    assert.equal(written(), '');
    spinner.stop();
  }
});
