import { Argument, type Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import { toCompletionSpec } from './completion-spec.js';
import { action, type Context, type Run } from './context.js';
import { createReporter } from './output/reporter.js';
import type { CompletionSpec } from './views/completion/spec.js';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

type Shell = (typeof SHELLS)[number];

/** What `--json` prints. */
interface CompletionEvent {
  readonly type: 'completion';
  readonly shell: Shell;
  readonly script: string;
}

const HELP = `
Install, for every new shell:
  bash        nettool completion bash > ~/.local/share/bash-completion/completions/nettool
              (without the package bash-completion, in ~/.bashrc: eval "$(nettool completion bash)")
  zsh         in ~/.zshrc: eval "$(nettool completion zsh)"
              (or a file of $fpath: nettool completion zsh > ~/.zfunc/_nettool)
  fish        nettool completion fish > ~/.config/fish/completions/nettool.fish
  powershell  in $PROFILE: nettool completion powershell | Out-String | Invoke-Expression`;

/** Declares `nettool completion bash|zsh|fish|powershell`. */
export function registerCompletion(program: Command, run: Run): void {
  program
    .command('completion')
    .summary('print a script that completes commands, flags and values in a shell')
    .description(
      'Prints a script that completes the commands, flags and values of nettool in a shell. ' +
        'The script is made for this version; make it anew after an update.',
    )
    .addArgument(new Argument('[shell]', 'the shell').choices(SHELLS).argParser(parseShell))
    .addHelpText('after', HELP)
    .action(
      action(run, (context, [shell]) => {
        if (shell === undefined) {
          throw new NettoolError('USAGE', `a shell is missing: ${SHELLS.join(', ')}`, {
            hint: `nettool completion bash > ~/.local/share/bash-completion/completions/nettool, or eval "$(nettool completion zsh)"`,
          });
        }
        return perform(context, shell as Shell, toCompletionSpec(program));
      }),
    );
}

async function perform(context: Context, shell: Shell, spec: CompletionSpec): Promise<number> {
  const report = createReporter<CompletionEvent>(context, (event) => event.script, 'stdout');
  report({ type: 'completion', shell, script: await generate(shell, spec) });
  return 0;
}

async function generate(shell: Shell, spec: CompletionSpec): Promise<string> {
  switch (shell) {
    case 'bash':
      return (await import('./views/completion/bash.js')).generateBash(spec);
    case 'zsh':
      return (await import('./views/completion/zsh.js')).generateZsh(spec);
    case 'fish':
      return (await import('./views/completion/fish.js')).generateFish(spec);
    case 'powershell':
      return (await import('./views/completion/powershell.js')).generatePowershell(spec);
  }
}

function parseShell(text: string): Shell {
  const shell = SHELLS.find((known) => known === text);
  if (shell !== undefined) return shell;
  throw new NettoolError('USAGE', `unknown shell '${text}' (there are: ${SHELLS.join(', ')})`, {
    hint: `did you mean ${suggestShell(text)}?`,
  });
}

/** The known shell that shares the most with what was typed. */
function suggestShell(text: string): Shell {
  const typed = text.toLowerCase();
  if (/pwsh|^p/.test(typed)) return 'powershell';
  const likeness = (shell: Shell): number =>
    [...shell].filter((letter) => typed.includes(letter)).length * 2 - Math.abs(shell.length - typed.length);
  return SHELLS.toSorted((a, b) => likeness(b) - likeness(a))[0] ?? 'bash';
}
