import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './programs.js';

/** What a shell offers for each line, with the cursor at its end; each list sorted, as last pieces of the word. */
export type Complete = (script: string, lines: readonly string[], folder: string) => string[][];

/** bash cuts words at these, and keeps them as pieces of their own. */
function toWords(line: string, breaks: string): string[] {
  const words = line.match(breaks.includes('=') ? /[=:@]+|[^\s=:@]+/g : /\S+/g) ?? [];
  return /\s$/.test(line) ? [...words, ''] : words;
}

/** What readline tells as the word it will replace: a separator is none of it, but for @. */
function toReplaced(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  const before = /@$/.test(words.at(-2) ?? '') && last !== '' ? '@' : '';
  return /^[=:]+$/.test(last) ? '' : before + last;
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Calls the function of the script as readline would. */
export function completeBash(
  script: string,
  lines: readonly string[],
  folder: string,
  breaks = ' \t\n"\'@><=;|&(:',
): string[][] {
  const calls = lines.map((line) => {
    const words = toWords(line, breaks);
    return [
      `COMP_LINE=${quote(line)} COMP_POINT=${line.length} COMP_CWORD=${words.length - 1}`,
      `COMP_WORDS=(${words.map(quote).join(' ')}); _nettool nettool ${quote(toReplaced(words))}`,
      `((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"; echo '#'`,
    ].join('\n');
  });
  const output = runShell(
    'bash',
    ['--norc', '-uc', [`COMP_WORDBREAKS=${quote(breaks)}`, script, ...calls].join('\n')],
    folder,
  );
  return toLists(output);
}

/** A terminal of its own, in which zsh completes each line; what it adds is noted. */
export const completeZsh: Complete = (script, lines, folder) => {
  const at = (name: string): string => join(folder, `.${name}`);
  writeFileSync(at('script'), script);
  writeFileSync(
    at('setup'),
    `autoload -Uz compinit; compinit -D -u
    eval "$(<${quote(at('script'))})"
    setopt no_auto_menu no_list_ambiguous
    compadd() {
      if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
        local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >> ${quote(at('hits'))}
      fi
      builtin compadd "$@"
    }
    ask() {
      for line in ${lines.map(quote).join(' ')}; do
        BUFFER=$line CURSOR=$#line
        zle complete-word
        print '#' >> ${quote(at('hits'))}
      done
      BUFFER=' exit'; zle accept-line
    }
    zle -N zle-line-init ask\n`,
  );
  const driver = `zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z ${quote(`. ${quote(at('setup'))}`)}; while zpty -r z; do :; done`;
  runShell('zsh', ['-fc', driver], folder);
  return toLists(runShell('cat', [at('hits')], folder));
};

/** fish completes lines by itself, and tells whole words. */
export const completeFish: Complete = (script, lines, folder) => {
  const calls = lines.map((line) => `complete -C ${quote(line)}; echo '#'`);
  const output = runShell('fish', ['--no-config', '-c', [script, ...calls].join('\n')], folder);
  return toLists(output.replace(/^.*[=@]/gm, ''));
};

function runShell(name: string, args: readonly string[], folder: string): string {
  const { status, stdout, stderr } = spawnSync(findProgram(name) ?? name, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    // No nettool is on the path: a script that called it would say so.
    env: { PATH: process.env.PATH ?? '', HOME: folder, TERM: 'dumb', LC_ALL: 'C.UTF-8' },
  });
  if (status !== 0 || stderr !== '') throw new Error(`${name} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Lists end with a line '#'; fish's descriptions, zsh's backslashes, and bash's @ and slashes behind folders are left out. */
function toLists(output: string): string[][] {
  return output
    .split(/^#\n/m)
    .slice(0, -1)
    .map((list) => {
      const words = list.split('\n').filter(Boolean).map(toLastPiece);
      return [...new Set(words)].toSorted();
    });
}

function toLastPiece(line: string): string {
  const [word = ''] = line.split('\t');
  return word.replace(/^@|\/$/g, '').replaceAll('\\', '');
}
