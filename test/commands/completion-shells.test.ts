import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Complete, completeBash, completeFish, completeZsh } from '../helpers/completion.js';
import { needs, runProgram } from '../helpers/programs.js';
import { run } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const SHELLS: ReadonlyArray<readonly [name: string, complete: Complete]> = [
  ['bash', completeBash],
  ['zsh', completeZsh],
  ['fish', completeFish],
];

const FILES = ['app.py', 'with space.txt'];

/** Lines with the cursor at the end, and all that may be offered there. */
const CASES: ReadonlyArray<readonly [line: string, ...offered: string[]]> = [
  ['nettool tcp', 'tcp-client', 'tcp-server'],
  ['nettool --json tcp', 'tcp-client', 'tcp-server'],
  ['nettool --color ', 'always', 'auto', 'never'],
  ['nettool --color al', 'always'],
  ['nettool --color=a', 'always', 'auto'],
  ['nettool --color always udp-s', 'udp-server'],
  ['nettool --color=always -q serve --log=j', 'json'],
  ['nettool serve --lo', '--log', '--log-file'],
  ['nettool serve --log ', 'combined', 'common', 'dev', 'json', 'none'],
  ['nettool serve --log=', 'combined', 'common', 'dev', 'json', 'none'],
  ['nettool serve --log=c', 'combined', 'common'],
  ['nettool serve --sort ', 'date', 'name', 'size'],
  // Flags of one command are not those of another.
  ['nettool get --lo'],
  ['nettool get --tls-min=', '1.2', '1.3'],
  ['nettool get :3000/a --auth-type d', 'digest'],
  ['nettool get serve --as', '--as-curl'],
  // Behind -- nothing is a flag.
  ['nettool serve -- --l'],
  ['nettool serve -- app', 'app.py'],
  // Files and folders.
  ['nettool serve app', 'app.py'],
  ['nettool serve app.py a'],
  ['nettool serve --cert w', 'with space.txt'],
  ['nettool serve --cert=w', 'with space.txt'],
  ['nettool serve --upload-dir f', 'folder'],
  ['nettool serve --upload-dir a'],
  ['nettool serve --static /x=fo', 'folder'],
  ['nettool serve --static=/x=fo', 'folder'],
  ['nettool serve --health a'],
  ['nettool get :3000 -o app', 'app.py'],
  ['nettool get :3000 -qo app', 'app.py'],
  ['nettool get :3000 -d @app', 'app.py'],
  ['nettool post :3000 photo@app', 'app.py'],
  ['nettool post :3000 photo@w', 'with space.txt'],
  ['nettool post :3000 -H X:1 photo@fo', 'folder'],
  ['nettool post :3000 text=@app', 'app.py'],
  ['nettool post :3000 json:=@app', 'app.py'],
  ['nettool post :3000 --file photo=@app', 'app.py'],
  ['nettool get :3000 --timeout a'],
  // The value of a flag is no argument, also when it looks like a command.
  ['nettool serve --cors serve app', 'app.py'],
  ['nettool serve --host serve app', 'app.py'],
  // What may have a value may also be followed by a flag.
  ['nettool ping --http --tc', '--tcp'],
  ['nettool ping localhost --unt', '--until-down', '--until-up'],
  ['nettool help pin', 'ping'],
  ['nettool completion ', 'bash', 'fish', 'powershell', 'zsh'],
];

for (const [shell, complete] of SHELLS) {
  test(`${shell} completes commands, flags, values and files`, needs(shell), async (t) => {
    const folder = tempDir(t);
    for (const name of FILES) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, 'folder'));
    const { stdout } = await run(['completion', shell]);
    const lines = CASES.map(([line]) => line);
    const offered = complete(stdout, lines, folder);
    assert.deepEqual(
      lines.map((line, index) => [line, ...(offered[index] ?? ['(nothing came)'])]),
      CASES,
    );
  });
}

test('bash completes names with colons, however the line was cut', needs('bash'), async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'a:b'), '');
  const { stdout } = await run(['completion', 'bash']);
  assert.deepEqual(completeBash(stdout, ['nettool get :3000 -o a:', 'nettool get :3000 -o a'], folder), [
    ['b'],
    ['a:b'],
  ]);
});

test('bash also takes words that nobody cut', needs('bash'), async (t) => {
  const { stdout } = await run(['completion', 'bash']);
  const complete: Complete = (script, lines, folder) => completeBash(script, lines, folder, ' ');
  assert.deepEqual(complete(stdout, ['nettool serve --log=j'], tempDir(t)), [['--log=json']]);
});

test('bash completes without what readline tells about the line', needs('bash'), async () => {
  const { stdout } = await run(['completion', 'bash']);
  const complete = (words: string): string => {
    const call = `COMP_WORDS=(${words}); COMP_CWORD=$((${'$'}{#COMP_WORDS[@]} - 1)); _nettool; echo "${'$'}{COMPREPLY[*]}"`;
    return runProgram('bash', ['--norc', '-c', `${stdout}\n${call}`]);
  };
  assert.equal(complete('nettool serve --log = j'), 'json\n');
  assert.equal(complete('nettool serve --log ='), 'none dev common combined json\n');
  assert.equal(complete('nettool serve --log=j'), '--log=json\n');
});

test('each line is completed in a moment', needs('bash'), async (t) => {
  const folder = tempDir(t);
  const { stdout } = await run(['completion', 'bash']);
  const before = performance.now();
  completeBash(stdout, Array(50).fill('nettool get :3000 --color always --tls'), folder);
  assert.ok(performance.now() - before < 50 * 100);
});
