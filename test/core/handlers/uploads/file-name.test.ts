import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanFileName, isCleanFileName } from '../../../../src/core/handlers/uploads/file-name.js';

test('a sent file name keeps its last part without anything that means something to a system', () => {
  const cases: Record<string, string> = {
    'report.pdf': 'report.pdf',
    '../../etc/passwd': 'passwd',
    'C:\\Users\\me\\a.txt': 'a.txt',
    '.htaccess': 'htaccess',
    '...': '',
    '..': '',
    'a\r\nb\u0000c.txt': 'abc.txt',
    'gpj\u202egpj.exe': 'gpjgpj.exe',
    'what?*.txt': 'what.txt',
    'con.txt': '_con.txt',
    NUL: '_NUL',
    'console.log': 'console.log',
    'trailing. . ': 'trailing',
    'e\u0301.txt': '\u00e9.txt',
    'name:stream': 'namestream',
    '日本語.txt': '日本語.txt',
  };
  for (const [sent, clean] of Object.entries(cases)) assert.equal(cleanFileName(sent), clean, sent);
});

test('a long name is cut before its extension and between characters', () => {
  const name = cleanFileName(`${'é'.repeat(300)}.tar`);
  assert.ok(Buffer.byteLength(name) <= 255 && name.endsWith('é.tar'));
});

test('whatever is sent, a clean name is clean, and is one name in one folder', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (sent) => {
      const name = cleanFileName(sent);
      assert.ok(name === '' || isCleanFileName(name), JSON.stringify(name));
      assert.doesNotMatch(name, /[/\\]|^\./);
      assert.ok(Buffer.byteLength(name) <= 255);
    }),
  );
});
