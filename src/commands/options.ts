import { type Command, InvalidArgumentError, Option } from 'commander';

const SECOND = 1000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: 60 * SECOND, h: 3600 * SECOND };
const UNITS_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** setTimeout counts in 32 bits; a longer wait would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A TCP or UDP port, 0-65535. */
export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError(`'${text}' is not a port (0-65535).`);
  }
  return Number(text);
}

/** A name or address to listen on or connect to, without a port; brackets around IPv6 are taken off. */
export function parseHost(text: string): string {
  const host = /^\[(.+)\]$/.exec(text)?.[1] ?? text;
  // An empty host would silently mean every address of the machine.
  if (!/^[^\s/[\]]+$/.test(host)) throw new InvalidArgumentError(`'${text}' is not a host name or address.`);
  return host;
}

/** `500ms`, `2s`, `1m30s`, or a bare number of seconds → milliseconds. */
export function parseDuration(text: string): number {
  const bare = /^\d+(\.\d+)?$/.test(text);
  if (!bare && !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    throw new InvalidArgumentError(`'${text}' is not a duration (like 500ms, 2s or 1m30s).`);
  }
  let ms = bare ? Number(text) * SECOND : 0;
  if (!bare) {
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
      ms += Number(amount) * (UNITS_MS[unit as string] as number);
    }
  }
  if (ms > LONGEST_MS) throw new InvalidArgumentError(`'${text}' is longer than 24 days.`);
  return ms;
}

/** `10k` = `10KiB` = 10240, `5M`, or bare bytes → bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:ib|b)?$/i.exec(text);
  const bytes =
    match === null
      ? Number.NaN
      : Math.round(Number(match[1]) * (UNITS_BYTES[(match[2] as string).toLowerCase()] as number));
  if (!Number.isSafeInteger(bytes))
    throw new InvalidArgumentError(`'${text}' is not a size (like 10k or 5MiB).`);
  return bytes;
}

/** A whole number, not negative. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError(`'${text}' is not a whole number.`);
  }
  return count;
}

/** How many processes: a number from 1 up, or `auto` for one per processor. */
export function parseWorkers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new InvalidArgumentError(`'${text}' is not a number of workers (1 or more, or 'auto').`);
  }
  return Number(text);
}

/** Collects a repeatable flag into a list. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** The flags every command takes, on the program and on each command, so that they may stand on either side. */
export function addGlobalOptions(command: Command): Command {
  return command
    .optionsGroup('Global flags:')
    .option('--json', 'print machine-readable JSON on stdout')
    .option('-q, --quiet', 'say nothing but data and errors')
    .option(
      '-v, --verbose',
      'say more (-vv: with stack traces)',
      (_value, previous: number | undefined) => (previous ?? 0) + 1,
    )
    .addOption(new Option('--color <when>', 'use colours').choices(['auto', 'always', 'never']))
    .option('--no-progress', 'draw no spinner or progress bar')
    .option('--show-secrets', 'do not mask secrets in messages and reports')
    .option('-V, --version', 'print version, Node version and platform')
    .helpOption('-h, --help', 'print this help');
}
