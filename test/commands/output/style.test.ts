import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeControls, escapeLine } from '../../../src/commands/output/escape.js';
import { createStyle } from '../../../src/commands/output/style.js';

const RED = '\x1b[31mx\x1b[39m';

function paint(isTTY: boolean, color: 'auto' | 'always' | 'never', env: Record<string, string> = {}): string {
  return createStyle({ isTTY, color, env }).red('x');
}

test('colours are for terminals', () => {
  assert.equal(paint(true, 'auto'), RED);
  assert.equal(paint(false, 'auto'), 'x');
});

test('the flag wins over the environment', () => {
  assert.equal(paint(true, 'never', { FORCE_COLOR: '1' }), 'x');
  assert.equal(paint(false, 'always', { NO_COLOR: '1' }), RED);
});

test('NO_COLOR, FORCE_COLOR and TERM=dumb are honoured', () => {
  assert.equal(paint(true, 'auto', { NO_COLOR: '1' }), 'x');
  assert.equal(paint(true, 'auto', { NO_COLOR: '' }), RED);
  assert.equal(paint(false, 'auto', { FORCE_COLOR: '1' }), RED);
  assert.equal(paint(true, 'auto', { FORCE_COLOR: '0' }), 'x');
  assert.equal(paint(true, 'auto', { TERM: 'dumb' }), 'x');
});

test('text from outside is escaped for a terminal and exact for a pipe', () => {
  const hostile = 'a\x1b[2Jb\x7f\x9b\u202e\tc\n';
  assert.equal(
    createStyle({ isTTY: true, color: 'never', env: {} }).foreign(hostile),
    'a\\x1b[2Jb\\x7f\\x9b\\u202e\tc\n',
  );
  assert.equal(createStyle({ isTTY: false, color: 'never', env: {} }).foreign(hostile), hostile);
});

test('a line stays one line', () => {
  assert.equal(escapeLine('a\nb\tc\r'), 'a\\nb\\tc\\x0d');
  assert.equal(escapeControls('äöü 你好 🙂'), 'äöü 你好 🙂');
});
