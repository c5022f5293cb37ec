import {
  type ArgumentSpec,
  type CommandSpec,
  type CompletionSpec,
  groupBy,
  namedCommands,
  type OptionSpec,
  quotePosix,
  type ValueSpec,
} from './spec.js';

/** The completion script of zsh, as a file `_nettool` in `$fpath` and for `eval`. */
export function generateZsh(spec: CompletionSpec): string {
  const commands = namedCommands(spec);
  const groups = groupBy(commands, ({ options, args }) => JSON.stringify([options, args]));
  return `#compdef nettool
# Completion of nettool for zsh, made by 'nettool completion zsh'; it never runs nettool.

_nettool_commands() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quotePosix(`${name.replaceAll(':', '\\:')}:${summary}`)}`).join('\n')}
  )
  _describe -t commands 'nettool command' commands
}

# The files of prefix=folder and name@path: $1 is what stands before them, the rest completes them.
_nettool_after() {
  compset -P 1 "*$1" && "\${@:2}"
}

_nettool() {
  local curcontext="$curcontext" state state_descr line ret=1
  local -A opt_args
  _arguments -s -S -C : \\
${(spec[0]?.options ?? [])
  .flatMap(toOptions)
  .map((one) => `    ${quotePosix(one)} \\\n`)
  .join('')}    '1: :_nettool_commands' \\
    '*:: :->arguments' && ret=0
  [[ $state == arguments ]] || return ret
  curcontext="\${curcontext%:*:*}:nettool-$words[1]:"
  case $words[1] in
${groups.map(toCase).join('\n')}
  esac
  return ret
}

# Called as a file of $fpath, or read by eval.
if [[ $funcstack[1] == _nettool ]]; then
  _nettool "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _nettool nettool
fi`;
}

function toCase(commands: readonly CommandSpec[]): string {
  const { options = [], args = [] } = commands[0] ?? {};
  const specs = [...options.flatMap(toOptions), ...args.map(toArgument)];
  const lines = specs.map((one) => ` \\\n        ${quotePosix(one)}`).join('');
  return `    ${commands.map(({ name }) => name).join('|')})\n      _arguments -s -S :${lines} && ret=0 ;;`;
}

/** One spec for each name; those of one flag exclude each other, unless it may come again. */
function toOptions({ names, description, repeatable, value, optional }: OptionSpec): string[] {
  const about = `[${description.replace(/[[\]\\]/g, '\\$&')}]`;
  const before = repeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
  const tail = value === undefined ? '' : `${optional ? '::' : ':'}${toMessage(value)}`;
  return names.map((name) => {
    // A value may stand in the same word: -ofile, --output=file.
    const joint = value === undefined ? '' : name.startsWith('--') ? '=' : '+';
    return `${before}${name}${joint}${about}${tail}`;
  });
}

function toArgument(argument: ArgumentSpec): string {
  return `${argument.variadic ? '*' : ''}:${toMessage(argument)}`;
}

function toMessage(value: ValueSpec): string {
  return `${value.name.replace(/[:\\]/g, '\\$&')}:${toAction(value)}`;
}

function toAction({ kind, words, after }: ValueSpec): string {
  if (kind === 'words') return `(${words.join(' ')})`;
  if (kind === 'command') return '_nettool_commands';
  if (kind === 'host') return '_hosts';
  if (kind === 'interface') return '_net_interfaces';
  if (kind === 'any') return ' ';
  // Where no folder fits, _files would offer files.
  const files = kind === 'folder' ? '_path_files -/' : '_files';
  return after === undefined ? files : ` _nettool_after ${after} ${files}`;
}
