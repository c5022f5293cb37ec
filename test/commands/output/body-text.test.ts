import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { showBody } from '../../../src/commands/output/body.js';
import { createStyle } from '../../../src/commands/output/style.js';

async function show(
  pieces: readonly string[],
  isText: boolean,
  charset?: string,
): Promise<string | undefined> {
  let shown = '';
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      shown += chunk;
      done();
    },
  });
  const style = createStyle({ isTTY: false, color: 'never', env: {} });
  const body = Readable.from(pieces.map((piece) => Buffer.from(piece, 'latin1')));
  const claim = { kind: 'text', isHtml: false, isText, charset } as const;
  return (await showBody(body, claim, stdout, style)) ? shown : undefined;
}

test('a character that two reads have cut in two is one on a terminal', async () => {
  assert.equal(await show(['caf\xc3', '\xa9 ok'], false), 'café ok\n');
  assert.equal(await show(['\xf0\x9f', '\x98\x80'], true, 'utf-8'), '😀\n');
});

test('text without a charset that is not UTF-8 is shown, in the one its page names or as windows-1252', async () => {
  assert.equal(await show(['caf\xe9 \x80'], true), 'café €\n');
  assert.equal(await show(['<meta charset="shift_jis">\x93\xfa'], true), '<meta charset="shift_jis">日\n');
  assert.equal(await show(['caf\xe9 x'], true, 'utf-8'), 'caf\ufffd x\n');
  assert.equal(await show(['caf\xe9 x'], false), undefined);
  assert.equal(await show(['a\0b'], true), undefined);
});
