import {
  type ArgumentSpec,
  type CommandSpec,
  type CompletionSpec,
  groupBy,
  namedCommands,
  type OptionSpec,
  type ValueSpec,
} from './spec.js';

/** The completion script of PowerShell 5.1 and later. */
export function generatePowershell(spec: CompletionSpec): string {
  const groups = groupBy(spec, ({ options }) => JSON.stringify(options));
  const cases = groups.map((commands) => {
    const options = (commands[0]?.options ?? []).map((option) => `      ${toFlag(option)}`);
    return `    { $_ -cin ${toList(commands.map(({ name }) => name))} } {\n${options.join('\n')}\n    }`;
  });
  const args = spec
    .filter((command) => command.args.length > 0)
    .map(
      ({ name, args }) =>
        `    ${quote(name)} {\n${args.map((one) => `      ${toArgument(one)}`).join('\n')}\n    }`,
    );
  return `# Completion of nettool for PowerShell 5.1 and later, made by 'nettool completion powershell'; it never runs nettool.

Register-ArgumentCompleter -Native -CommandName 'nettool', 'nettool.exe' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)

  $commands = @(
${namedCommands(spec).map(toCommand).join('\n')}
  )

  # Names are told apart by case (-o and -O), which a hash table would not do.
  function Get-Flags([string]$command) {
    switch -CaseSensitive ($command) {
${indent(cases.join('\n'))}
    }
  }

  function Get-Arguments([string]$command) {
    switch -CaseSensitive ($command) {
${indent(args.join('\n'))}
    }
  }

  function New-Result([string]$text, [string]$type, [string]$tip) {
    [System.Management.Automation.CompletionResult]::new($text, $text, $type, $tip)
  }

  # What a value may go on with; $lead stands before it in the same word.
  function Get-Values($spec, [string]$value, [string]$lead) {
    if ($spec.After) {
      $at = $value.IndexOf($spec.After)
      if ($at -lt 0) { return }
      $lead += $value.Substring(0, $at + 1)
      $value = $value.Substring($at + 1)
    }
    if ($spec.Kind -eq 'words') {
      $spec.Words | Where-Object { $_.StartsWith($value, 'Ordinal') } |
        ForEach-Object { New-Result "$lead$_" 'ParameterValue' $_ }
    } elseif ($spec.Kind -eq 'command') {
      $commands | Where-Object { $_.Name.StartsWith($value, 'Ordinal') } |
        ForEach-Object { New-Result $_.Name 'Command' $_.Tip }
    } elseif ($spec.Kind -eq 'interface') {
      [System.Net.NetworkInformation.NetworkInterface]::GetAllNetworkInterfaces().Name |
        Where-Object { $_.StartsWith($value, 'OrdinalIgnoreCase') } |
        ForEach-Object { New-Result "$lead$_" 'ParameterValue' $_ }
    } elseif ($spec.Kind -in 'file', 'folder') {
      [System.Management.Automation.CompletionCompleters]::CompleteFilename($value) |
        Where-Object { $spec.Kind -eq 'file' -or $_.ResultType -eq 'ProviderContainer' } |
        ForEach-Object { New-Result "$lead$($_.CompletionText)" $_.ResultType $_.ToolTip }
    }
  }

  $typed = @($commandAst.CommandElements | Select-Object -Skip 1 |
      Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
      ForEach-Object { $_.Extent.Text })

  $command = ''
  $index = 0
  $pending = $null
  $ended = $false
  foreach ($word in $typed) {
    if ($pending) {
      $taken = -not ($pending.Optional -and $word.StartsWith('-'))
      $pending = $null
      if ($taken) { continue }
    }
    if (-not $ended -and $word -ceq '--') {
      $ended = $true
    } elseif (-not $ended -and $word.StartsWith('-') -and $word.Length -gt 1) {
      $pending = Get-Flags $command | Where-Object { $_.Kind -and $_.Names -ccontains $word } | Select-Object -First 1
    } elseif (-not $command) {
      $command = $word
    } else {
      $index++
    }
  }

  if ($pending -and -not ($pending.Optional -and $wordToComplete.StartsWith('-'))) {
    return Get-Values $pending $wordToComplete ''
  }
  if (-not $ended -and $wordToComplete -cmatch '^(--[^=]+)=(.*)$') {
    $name, $value = $Matches[1], $Matches[2]
    $flag = Get-Flags $command | Where-Object { $_.Kind -and $_.Names -ccontains $name } | Select-Object -First 1
    if ($flag) { Get-Values $flag $value "$name=" }
    return
  }
  if (-not $ended -and $wordToComplete.StartsWith('-')) {
    return Get-Flags $command | ForEach-Object {
      $tip = $_.Tip
      $_.Names | Where-Object { $_.StartsWith($wordToComplete, 'Ordinal') } |
        ForEach-Object { New-Result $_ 'ParameterName' $tip }
    }
  }
  $places = @(Get-Arguments $command)
  if ($places.Count -eq 0) { return }
  $place = $places[[Math]::Min($index, $places.Count - 1)]
  if ($index -lt $places.Count -or $place.Variadic) { Get-Values $place $wordToComplete '' }
}`;
}

function toCommand({ name, summary }: CommandSpec): string {
  return `    [pscustomobject]@{ Name = ${quote(name)}; Tip = ${quote(summary)} }`;
}

function toFlag({ names, description, value, optional }: OptionSpec): string {
  const takes = value === undefined ? "Kind = ''" : `${toFields(value)}; Optional = $${optional}`;
  return `[pscustomobject]@{ Names = ${toList(names)}; Tip = ${quote(description)}; ${takes} }`;
}

function toArgument(argument: ArgumentSpec): string {
  return `[pscustomobject]@{ ${toFields(argument)}; Variadic = $${argument.variadic} }`;
}

function toFields({ kind, words, after }: ValueSpec): string {
  return `Kind = ${quote(kind)}; Words = ${toList(words)}; After = ${quote(after ?? '')}`;
}

function toList(words: readonly string[]): string {
  return `@(${words.map(quote).join(', ')})`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

/** A text in single quotes as PowerShell reads it, to which curly quotes are quotes too. */
function quote(text: string): string {
  return `'${text.replace(/['‘’‚‛]/g, '$&$&')}'`;
}
