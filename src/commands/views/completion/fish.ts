import {
  type CommandSpec,
  type CompletionSpec,
  groupBy,
  namedCommands,
  type OptionSpec,
  type ValueSpec,
} from './spec.js';

/** The completion script of fish 3 and later. */
export function generateFish(spec: CompletionSpec): string {
  const groups = groupBy(spec, ({ options }) => JSON.stringify(options));
  const flags = groupBy(
    spec.flatMap((command) => command.options.map((option) => ({ command, option }))),
    ({ option }) => JSON.stringify(option),
  );
  return `# Completion of nettool for fish 3 and later, made by 'nettool completion fish'; it never runs nettool.

# Whether the flag $argv[2] of the command $argv[1] takes the word behind it, whose start is $argv[3].
function __nettool_takes
    switch "$argv[1] $argv[2]"
${groups.flatMap((commands) => [...takeCases(commands, false), ...takeCases(commands, true)]).join('\n')}
    end
    return 1
end

# Prints the command that was typed ('-' before it is), the number of the argument that comes next, and the flag before it.
function __nettool_place
    set -l words (commandline -opc)
    set -l command -
    set -l index 1
    set -l flag ''
    set -l ended ''
    for word in $words[2..-1]
        if test -n "$flag"; and __nettool_takes $command $flag $word
            set flag ''
            continue
        end
        set flag ''
        if test -z "$ended"; and test "$word" = --
            set ended 1
        else if test -z "$ended"; and string match -q -- '--*' $word
            set flag $word
        else if test -z "$ended"; and string match -q -- '-?*' $word
            # Of letters in one word the last may take the next one, unless an earlier one has taken it.
            set flag -(string sub -s -1 -- $word)
            for letter in (string split '' -- (string sub -s 2 -- $word))[1..-2]
                __nettool_takes $command -$letter ''; and set flag ''
            end
        else if test $command = -
            set command $word
        else
            set index (math $index + 1)
        end
    end
    printf '%s\\n' $command $index $flag
end

# Whether the command typed is one of these.
function __nettool_in
    set -l place (__nettool_place)
    contains -- $place[1] $argv
end

# Whether the next argument of the command $argv[1] is number $argv[2]; a + behind it: or a later one.
function __nettool_at
    set -l place (__nettool_place)
    test "$place[1]" = $argv[1]; and not __nettool_takes $place[1] "$place[3]" ''; or return 1
    set -l first (string trim -r -c + -- $argv[2])
    test $place[2] -eq $first; or test $first != $argv[2] -a $place[2] -gt $first
end

# Whether the next word is the value of the flag $argv[1] of one of the commands behind it.
function __nettool_behind
    set -l place (__nettool_place)
    test "$place[3]" = $argv[1]; and contains -- $place[1] $argv[2..-1]
end

function __nettool_interfaces
    if test -r /proc/net/dev
        string replace -rf '^\\s*([^:|]+):.*' '$1' </proc/net/dev
    else
        command ifconfig -l 2>/dev/null | string split ' '
    end
end

# The files of prefix=folder and name@path: $argv[1] is what stands before them, $argv[2] the kind.
function __nettool_after
    set -l token (string replace -r -- '^--[\\w.-]+=' '' (commandline -ct))
    set -l parts (string split -m 1 -- $argv[1] $token)
    test (count $parts) -eq 2; or return
    if test $argv[2] = folder
        printf '%s\\n' $parts[1]$argv[1](__fish_complete_directories $parts[2])
    else
        printf '%s\\n' $parts[1]$argv[1](__fish_complete_path $parts[2])
    end
end

complete -c nettool -e
complete -c nettool -f
${namedCommands(spec)
  .map(({ name, summary }) => `complete -c nettool -n '__nettool_in -' -a ${name} -d ${quote(summary)}`)
  .join('\n')}

${flags
  .map((uses) =>
    toFlag(
      uses.map(({ command }) => command),
      uses[0]?.option,
    ),
  )
  .join('\n')}

${spec
  .slice(1)
  .flatMap((command) => toArguments(command, namedCommands(spec)))
  .join('\n')}`;
}

/** fish has no word of the program itself. */
function nameOf({ name }: CommandSpec): string {
  return name === '' ? '-' : name;
}

function takeCases(commands: readonly CommandSpec[], optional: boolean): string[] {
  const names = (commands[0]?.options ?? [])
    .filter((option) => option.value !== undefined && option.optional === optional)
    .flatMap((option) => option.names);
  if (names.length === 0) return [];
  const patterns = commands.flatMap((command) => names.map((name) => quote(`${nameOf(command)} ${name}`)));
  const answer = optional ? "not string match -q -- '-*' $argv[3]; and return 0" : 'return 0';
  return [`        case ${patterns.join(' ')}`, `            ${answer}`];
}

function toFlag(commands: readonly CommandSpec[], option: OptionSpec | undefined): string {
  if (option === undefined) return '';
  const names = option.names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const users = commands.map(nameOf).join(' ');
  const about = ` -d ${quote(option.description)}`;
  const start = `complete -c nettool -n ${quote(`__nettool_in ${users}`)} ${names.join(' ')}`;
  if (option.value === undefined) return start + about;
  const candidates = toCandidates(option.value);
  if (!option.optional) return `${start} ${candidates === ' -F' ? '-r' : '-x'}${candidates}${about}`;
  // To fish an optional value stands in the same word; to nettool it may be the next one.
  const behind = option.names.map((name) => quote(`__nettool_behind ${name} ${users}`));
  const next = behind.map((condition) => `\ncomplete -c nettool -n ${condition}${candidates}`).join('');
  return start + candidates + about + (candidates === '' ? '' : next);
}

function toArguments({ name, args }: CommandSpec, commands: readonly CommandSpec[]): string[] {
  return args.flatMap((argument, index) => {
    const place = `__nettool_at ${name} ${index + 1}${argument.variadic ? '+' : ''}`;
    const words = commands.map((command) => command.name);
    const value = argument.kind === 'command' ? { ...argument, kind: 'words' as const, words } : argument;
    const candidates = toCandidates(value);
    return candidates === '' ? [] : [`complete -c nettool -n ${quote(place)}${candidates}`];
  });
}

function toCandidates({ kind, words, after }: ValueSpec): string {
  if (kind === 'words') return ` -a ${quote(words.join(' '))}`;
  if (kind === 'host') return " -a '(__fish_print_hostnames)'";
  if (kind === 'interface') return " -a '(__nettool_interfaces)'";
  if (kind !== 'file' && kind !== 'folder') return '';
  if (after !== undefined) return ` -a '(__nettool_after ${after} ${kind})'`;
  return kind === 'file' ? ' -F' : " -a '(__fish_complete_directories (commandline -ct))'";
}

/** A text in single quotes as fish reads it. */
function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
