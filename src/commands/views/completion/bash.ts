import {
  type CommandSpec,
  type CompletionSpec,
  groupBy,
  namedCommands,
  quotePosix,
  type ValueSpec,
} from './spec.js';

/** The completion script of bash 3.2 and later. */
export function generateBash(spec: CompletionSpec): string {
  const words = namedCommands(spec).map(({ name }) => name);
  const groups = groupBy(spec, ({ options }) => JSON.stringify(options));
  return `# Completion of nettool for bash 3.2 and later, made by 'nettool completion bash'; it never runs nettool.

# Sets what the flag $2 of the command $1 takes: kind (empty: nothing), words, after, optional.
_nettool_flag() {
  kind='' words='' after='' optional=''
  case $1 in
${groups.map(flagCases).join('\n')}
  esac
}

# Sets what argument number $2 of the command $1 is, likewise.
_nettool_argument() {
  kind='' words='' after='' optional=''
  case $1:$2 in
${spec.flatMap(argumentCases).join('\n')}
  esac
  if [[ $kind == command ]]; then kind=words words=${quotePosix(words.join(' '))}; fi
}

# Sets words to the flags of the command $1.
_nettool_names() {
  words=''
  case $1 in
${groups.map(nameCases).join('\n')}
  esac
}
${WALK}`;
}

function patternOf(commands: readonly CommandSpec[]): string {
  return commands.map(({ name }) => quotePosix(name)).join('|');
}

function flagCases(commands: readonly CommandSpec[]): string {
  const taking = (commands[0]?.options ?? []).filter(({ value }) => value !== undefined);
  const kinds = groupBy(taking, ({ value, optional }) => JSON.stringify([toVariables(value), optional]));
  const cases = kinds.map((options) => {
    const names = options.flatMap((option) => option.names).join('|');
    const optional = options[0]?.optional ? ' optional=1' : '';
    return `        ${names}) ${toVariables(options[0]?.value)}${optional} ;;`;
  });
  if (cases.length === 0) return `    ${patternOf(commands)}) ;;`;
  return `    ${patternOf(commands)})\n      case $2 in\n${cases.join('\n')}\n      esac ;;`;
}

function nameCases(commands: readonly CommandSpec[]): string {
  const names = (commands[0]?.options ?? []).flatMap((option) => option.names);
  return `    ${patternOf(commands)}) words=${quotePosix(names.join(' '))} ;;`;
}

function argumentCases({ name, args }: CommandSpec): string[] {
  return args.map((argument, index) => {
    const place = argument.variadic ? '*' : String(index + 1);
    return `    ${name}:${place}) ${toVariables(argument)} ;;`;
  });
}

function toVariables(value: ValueSpec | undefined): string {
  if (value === undefined) return '';
  const words = value.words.length === 0 ? '' : ` words=${quotePosix(value.words.join(' '))}`;
  return `kind=${value.kind}${words}${value.after === undefined ? '' : ` after='${value.after}'`}`;
}

/**
 * Reads the line as nettool would. bash hands over words cut at COMP_WORDBREAKS (= : @), and replaces only the last
 * piece: the pieces are joined again, and what stands before the last one is taken off the answers.
 */
const WALK = `
_nettool_interfaces() {
  local name rest
  if [[ -r /proc/net/dev ]]; then
    while IFS=': ' read -r name rest; do [[ $rest != [0-9]* ]] || echo "$name"; done < /proc/net/dev
  else
    command ifconfig -l 2>/dev/null
  fi
}

# Adds the value $2 as it may go on; $1 stands before it in the same word.
_nettool_fill() {
  local lead=$1 value=$2 found name verbatim=''
  if [[ -n $after ]]; then
    [[ $value == *"$after"* ]] || return 0
    lead+=\${value%%"$after"*}$after
    value=\${value#*"$after"}
  fi
  while IFS= read -r found; do
    found=$lead$found
    found=\${found#"$head"}
    if [[ $after == @ && $found == @* ]]; then
      # Part of a name to readline, which would put a backslash before it: quoted here instead.
      verbatim=1 name=\${found#@}
      printf -v found '@%q' "$name"
      if [[ -d $name ]]; then found+=/; compopt -o nospace 2>/dev/null; fi
    fi
    COMPREPLY+=("$found")
  done < <(
    # Both parentheses: bash 3.2 counts them.
    case $kind in
      (words) compgen -W "$words" -- "$value" ;;
      (file) compgen -f -- "$value" ;;
      (folder) compgen -d -- "$value" ;;
      (host) compgen -A hostname -- "$value" ;;
      (interface) compgen -W "$(_nettool_interfaces)" -- "$value" ;;
    esac
  )
  [[ -z $verbatim ]] || return 0
  # Names in quotes are left to readline, which knows how to take them apart.
  case $kind in
    file) if ((\${#COMPREPLY[@]})); then compopt -o filenames; else compopt -o default; fi 2>/dev/null ;;
    folder) if ((\${#COMPREPLY[@]})); then compopt -o filenames; else compopt -o dirnames; fi 2>/dev/null ;;
  esac
  return 0
}

# Joins COMP_WORDS up to the cursor into typed, and sets head to what is not replaced of the last; $1 is.
_nettool_join() {
  local line=\${COMP_LINE-} piece='' last='' glued i
  line=\${line:0:\${COMP_POINT:-\${#line}}}
  for ((i = 0; i <= COMP_CWORD; i++)); do
    last=$piece piece=\${COMP_WORDS[i]-} glued=''
    if [[ -n \${COMP_LINE-} ]]; then
      [[ $line == [[:space:]]* ]] || glued=1
      line=\${line#"\${line%%[![:space:]]*}"}
      ((i < COMP_CWORD)) || piece=\${line:0:\${#piece}}
      line=\${line:\${#piece}}
    elif [[ $piece == [=:] || $last == [=:] ]]; then
      glued=1
    fi
    if [[ -n $glued && i -gt 1 ]]; then
      typed[\${#typed[@]} - 1]+=$piece
    else
      typed+=("$piece")
    fi
  done
  # readline says what it will replace, which begins with the @ before it; behind = and : it is nothing yet.
  if (($# > 0)); then
    piece=$1
  elif [[ -z \${piece//[\${COMP_WORDBREAKS-=:@}]/} ]]; then
    piece=''
  fi
  head=\${typed[\${#typed[@]} - 1]%"$piece"}
}

_nettool() {
  COMPREPLY=()
  local -a typed=()
  local head kind words after optional word letter
  local command='' index=1 pending='' ended='' i j
  _nettool_join "\${@:2:1}"
  local current=\${typed[\${#typed[@]} - 1]}
  for ((i = 1; i < \${#typed[@]} - 1; i++)); do
    word=\${typed[i]}
    if [[ -n $pending ]]; then
      _nettool_flag "$command" "$pending"
      pending=''
      [[ -n $optional && $word == -* ]] || continue
    fi
    if [[ -z $ended && $word == -- ]]; then
      ended=1
    elif [[ -z $ended && $word == --* ]]; then
      _nettool_flag "$command" "$word"
      [[ -z $kind ]] || pending=$word
    elif [[ -z $ended && $word == -?* ]]; then
      for ((j = 1; j < \${#word}; j++)); do
        letter=-\${word:j:1}
        _nettool_flag "$command" "$letter"
        [[ -n $kind ]] || continue
        ((j < \${#word} - 1)) || pending=$letter
        break
      done
    elif [[ -z $command ]]; then
      command=$word
    else
      index=$((index + 1))
    fi
  done
  if [[ -n $pending ]]; then
    _nettool_flag "$command" "$pending"
    if [[ -z $optional || $current != -* ]]; then
      _nettool_fill '' "$current"
      return 0
    fi
  fi
  if [[ -z $ended && $current == --*=* ]]; then
    _nettool_flag "$command" "\${current%%=*}"
    _nettool_fill "\${current%%=*}=" "\${current#*=}"
  elif [[ -z $ended && $current == -* ]]; then
    _nettool_names "$command"
    kind=words after=''
    _nettool_fill '' "$current"
  else
    _nettool_argument "$command" "$index"
    _nettool_fill '' "$current"
  fi
}

complete -F _nettool nettool`;
