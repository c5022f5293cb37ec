import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ask } from '../helpers/raw-http.js';
import { parseLines } from '../helpers/run.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

const page = (text: string): string => `export default { fetch: () => new Response('${text}') };\n`;

test('new code of a JavaScript application is taken over, broken code and its data are not', async (t) => {
  const cwd = tempDir(t, { 'app.mjs': page('one') });
  const { find, child, done } = spawnNettool(t, ['serve', 'app.mjs', '0', '--reload', '--json'], { cwd });
  const [, port] = await find('stdout', /"port":(\d+)/);
  const text = async (): Promise<string> => (await ask(Number(port), '/')).text;
  assert.equal(await text(), 'one');

  writeFileSync(join(cwd, 'app.mjs'), 'export default {');
  await find(
    'stdout',
    /"type":"reload","ok":false,"reason":"app\.mjs has changed".*the code that ran serves on/,
  );
  assert.equal(await text(), 'one');

  for (const name of ['rows.sqlite', 'rows.sqlite-wal', 'access.log']) writeFileSync(join(cwd, name), 'x');
  writeFileSync(join(cwd, 'app.mjs'), page('two'));
  await find('stdout', /"type":"reload","ok":true,"reason":"app\.mjs has changed"/);
  assert.equal(await text(), 'two');

  child.kill('SIGTERM');
  const reloads = parseLines((await done).stdout).filter(({ type }) => type === 'reload');
  assert.deepEqual(
    reloads.map(({ ok }) => ok),
    [false, true],
  );
});
