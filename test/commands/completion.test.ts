import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../helpers/run.js';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/** What a help page lists under its headings: flags with all their names. */
function readFlags(help: string): string[] {
  const lines = [...help.matchAll(/^ {2}(-[^ ,]+(?:, --[^ ]+)?)/gm)];
  return lines.flatMap(([, names = '']) => names.split(', '));
}

function readCommands(help: string): string[] {
  return [...help.slice(help.indexOf('Commands:')).matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name);
}

/** How each shell's script writes a flag. */
function toPattern(shell: string, flag: string): RegExp {
  const name = RegExp.escape(flag);
  if (shell === 'bash') return new RegExp(`words='(?:[^']* )?${name}(?: [^']*)?'`);
  if (shell === 'zsh') return new RegExp(`'(?:\\*|\\([^)]*\\))?${name}[=+]?\\[`);
  if (shell === 'fish') {
    return flag.startsWith('--')
      ? new RegExp(` -l ${RegExp.escape(flag.slice(2))} `)
      : new RegExp(` -s ${RegExp.escape(flag.slice(1))} `);
  }
  return new RegExp(`Names = @\\([^)]*'${name}'`);
}

for (const shell of SHELLS) {
  test(`the script for ${shell} has every command and every flag of the help`, async () => {
    const { code, stdout, stderr } = await run(['completion', shell]);
    assert.deepEqual([code, stderr], [0, '']);
    const commands = readCommands((await run(['--help'])).stdout);
    assert.ok(commands.includes('completion') && commands.includes('help'));
    for (const command of commands) {
      assert.match(stdout, new RegExp(`\\b${command}\\b`));
      if (command === 'help') continue;
      const flags = readFlags((await run([command, '--help'])).stdout);
      assert.ok(flags.includes('--json') && flags.includes('-h'), command);
      for (const flag of flags) assert.match(stdout, toPattern(shell, flag), `${command} ${flag}`);
    }
  });
}

test('without a shell it tells the four and how to install', async () => {
  const { code, stdout, stderr } = await run(['completion']);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^nettool completion: a shell is missing: bash, zsh, fish, powershell\nhint: .*\n$/);
  assert.match(stderr, /nettool completion bash > /);
  assert.match(stderr, /eval "\$\(nettool completion zsh\)"/);
});

test('an unknown shell is answered with the nearest one', async () => {
  const nearest = {
    bsh: 'bash',
    zhs: 'zsh',
    fsh: 'fish',
    BASH: 'bash',
    pwsh: 'powershell',
    powershel: 'powershell',
  };
  for (const [typed, meant] of Object.entries(nearest)) {
    const { code, stdout, stderr } = await run(['completion', typed]);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, new RegExp(`unknown shell '${typed}'.*\nhint: did you mean ${meant}\\?\n$`));
  }
});

test('with --json the script is a field of one document', async () => {
  for (const shell of SHELLS) {
    const { stdout } = await run(['completion', shell, '--json']);
    const { type, shell: told, script } = JSON.parse(stdout);
    assert.deepEqual([type, told], ['completion', shell]);
    assert.equal(`${script}\n`, (await run(['completion', shell])).stdout);
  }
});

test('the help has a line to install for each shell', async () => {
  const { stdout } = await run(['completion', '--help']);
  for (const shell of SHELLS) {
    assert.match(stdout, new RegExp(`^ {2}${shell} +.*nettool completion ${shell}`, 'm'));
  }
});

test('the script for PowerShell closes what it opens, quotes included', async () => {
  const { stdout } = await run(['completion', 'powershell']);
  assert.match(
    stdout,
    /Register-ArgumentCompleter -Native -CommandName 'nettool', 'nettool.exe' -ScriptBlock \{/,
  );
  const bare = stdout
    .replace(/^\s*#.*$/gm, '')
    .replace(/'(?:[^'‘’‚‛]|['‘’‚‛]{2})*'/g, '')
    .replace(/"[^"]*"/g, '');
  assert.doesNotMatch(bare, /['"‘’‚‛]/);
  const open: string[] = [];
  for (const [bracket] of bare.matchAll(/[()[\]{}]/g)) {
    if ('([{'.includes(bracket)) open.push(bracket);
    else assert.equal(open.pop(), { ')': '(', ']': '[', '}': '{' }[bracket]);
  }
  assert.deepEqual(open, []);
  // Flags that differ in case only are both there.
  assert.match(stdout, /Names = @\('-o', '--output'\)[\s\S]*Names = @\('-O', '--download'\)/);
});
