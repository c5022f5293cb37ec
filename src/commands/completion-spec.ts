import type { Command, Option } from 'commander';
import type {
  ArgumentSpec,
  CommandSpec,
  CompletionSpec,
  OptionSpec,
  ValueSpec,
} from './views/completion/spec.js';

/** What the words of placeholders (`<file>`, `[target]`) stand for on this machine. */
const NOUNS: Readonly<Record<string, Pick<ValueSpec, 'kind' | 'after'>>> = {
  file: { kind: 'file' },
  path: { kind: 'file' },
  target: { kind: 'file' },
  folder: { kind: 'folder' },
  host: { kind: 'host' },
  address: { kind: 'host' },
  item: { kind: 'file', after: '@' },
};

/** Everything the declarations say: commands in the order of the help, with their flags and arguments. */
export function toCompletionSpec(program: Command): CompletionSpec {
  const root: ArgumentSpec = { kind: 'command', words: [], name: 'command', variadic: false };
  return [
    { ...toCommandSpec(program), name: '', args: [root] },
    ...program.createHelp().visibleCommands(program).map(toCommandSpec),
  ];
}

function toCommandSpec(command: Command): CommandSpec {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.createHelp().visibleOptions(command).map(toOptionSpec),
    args: command.registeredArguments.map((argument) => ({
      ...toArgumentValue(argument.name(), argument.description, argument.argChoices),
      variadic: argument.variadic,
    })),
  };
}

function toOptionSpec(option: Option): OptionSpec {
  const takesValue = option.required || option.optional;
  const placeholder = / [<[](.*)[>\]]$/.exec(option.flags)?.[1] ?? '';
  const about = `${option.long} ${option.description}`;
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    repeatable: takesValue || option.parseArg !== undefined,
    ...(takesValue && { value: toValue(placeholder, about, option.argChoices) }),
    // commander sees brackets inside of `<prefix=url[,url]>`, too; what is required comes first.
    optional: option.optional && !option.required,
  };
}

/** `[command]` is one of ours as an argument, and a line for the shell as the value of a flag. */
function toArgumentValue(name: string, about: string, choices: string[] | undefined): ValueSpec {
  return name === 'command' ? { kind: 'command', words: [], name } : toValue(name, about, choices);
}

function toValue(placeholder: string, about: string, choices: readonly string[] | undefined): ValueSpec {
  const value = { words: choices ?? [], name: placeholder };
  if (choices !== undefined) return { ...value, kind: 'words' };
  const last = placeholder.split('|').at(-1) ?? '';
  const [, before, noun = ''] = /^(?:\w+(=@?))?([\w-]+)$/.exec(last) ?? [];
  const known = NOUNS[noun];
  if (known !== undefined && before === undefined) return { ...value, ...known };
  if (known !== undefined && /file|folder/.test(known.kind)) {
    return { ...value, kind: known.kind, after: before === '=' ? '=' : '@' };
  }
  if (/@file/.test(about)) return { ...value, kind: 'file', after: '@' };
  if (noun === 'name' && /\binterface\b/.test(about)) return { ...value, kind: 'interface' };
  return { ...value, kind: 'any' };
}
