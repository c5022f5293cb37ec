import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { needs, runProgram } from './helpers/programs.js';
import { run } from './helpers/run.js';

const PAGE = readFileSync(join(import.meta.dirname, '../docs/coming-from.md'), 'utf8');

/** The rows of a section's table: what it is called there, and here. */
function rowsOf(section: string): Array<readonly [there: string, here: string]> {
  const text = PAGE.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? '';
  const rows = text.split('\n').filter((line) => /^\| .*`/.test(line));
  return rows.map((row) => row.split(' | ') as [string, string]);
}

/** The flags a text names. */
const flagsIn = (text: string): Set<string> => new Set(text.match(/(?<![\w-])--?[a-z][\w-]*/gi));

test('every flag that others are said to have here is one', async () => {
  const help = flagsIn((await run(['serve', '--help'])).stdout);
  const rows = ['gunicorn', 'uvicorn', 'uWSGI', 'NGINX Unit', "Apache's CGI, fcgiwrap"].flatMap(rowsOf);
  assert.ok(rows.length > 70);
  for (const [there, here] of rows) {
    for (const flag of flagsIn(here)) {
      if (flag.startsWith('--')) assert.ok(help.has(flag), `${flag}, for ${there}`);
    }
  }
});

for (const program of ['gunicorn', 'uvicorn']) {
  test(`every flag of ${program} has a row`, needs(program), () => {
    const listed = flagsIn(
      rowsOf(program)
        .map(([there]) => there)
        .join(' '),
    );
    const theirs = runProgram(program, ['--help']).matchAll(
      /^ {2}(-[^\s,]+)(?:,? \S+)??(?:,? \/? ?(--\S+))?/gm,
    );
    const missing = [...theirs]
      .flatMap(([, one, other]) => [one, other])
      .filter((flag) => flag !== undefined && !listed.has(flag) && !/^(-h|-v|--help|--version)$/.test(flag));
    assert.deepEqual(missing, []);
  });
}
