import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect, parseCount, parseDuration } from './options.js';

/** Flags that say what becomes of the answer. */
export interface OutputFlags {
  readonly output?: string;
  readonly download?: boolean;
  readonly continue?: boolean;
  readonly checksum?: Checksum;
  readonly include?: boolean;
  readonly headers?: boolean;
  readonly body?: boolean;
  readonly print?: string;
  readonly raw?: boolean;
  readonly stream?: boolean;
  readonly timing?: boolean;
  readonly dryRun?: boolean;
  readonly asCurl?: boolean;
  readonly har?: string;
  readonly parallel?: number;
  readonly failEarly?: boolean;
  readonly expect?: readonly StatusRange[];
  readonly expectHeader?: readonly string[];
  readonly expectBody?: readonly string[];
  readonly expectJson?: readonly string[];
  readonly wait?: number;
}

/** Statuses from one to another, both included. */
export type StatusRange = readonly [from: number, to: number];

/** What a body has to hash to. */
export interface Checksum {
  readonly algorithm: string;
  readonly hex: string;
}

/** Declares {@link OutputFlags}. */
export function addOutputFlags(command: Command): void {
  command
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'write the body to a file, which appears when it is complete')
    .option('-O, --download', 'the same under the name the server or the URL gives; overwrites nothing')
    .option('-c, --continue', 'go on where an earlier -o or -O was cut short')
    .option(
      '--checksum <sha256:hex>',
      'what the body has to hash to (sha256, sha512, sha1, md5)',
      parseChecksum,
    )
    .option('-i, --include', 'print status line and header fields first')
    .option('--headers', 'print the header fields only')
    .option('--body', 'print the body only')
    .option('--print <parts>', 'print these: H B of the request, h b of the answer, m timing', parsePrint)
    .option('--raw', 'leave the body compressed as it was sent')
    .option('--stream', 'print every line as it comes, also on a terminal')
    .option('--timing', 'tell how long each step took, a row per request')
    .option('--dry-run', 'print the request and send nothing')
    .option('--as-curl', 'print the curl command of this request and send nothing')
    .option('--har <file>', 'write requests and answers as HAR 1.2, bodies up to 4 MiB')
    .option(
      '--parallel <n>',
      'so many transfers at once: of several URLs, or of ranges of one file',
      parseParallel,
    )
    .option('--fail-early', 'stop at the first URL that fails')
    .optionsGroup('Expecting:')
    .option(
      '--expect <statuses>',
      'fail with exit code 20 unless the status is one of 200,404,2xx',
      parseStatuses,
    )
    .option('--expect-header <K: regex>', 'unless a header field matches (repeatable)', collect)
    .option('--expect-body <regex>', 'unless the body matches (repeatable)', collect)
    .option('--expect-json <path=value>', "unless the body has this: 'items[0].id=7' (repeatable)", collect)
    .addOption(
      new Option('--wait <time>', 'ask once a second until it is as expected, or below 400').argParser(
        parseDuration,
      ),
    );
}

const HEX_LENGTHS: Readonly<Record<string, number>> = {
  sha256: 64,
  sha512: 128,
  sha1: 40,
  md5: 32,
  sha384: 96,
};

function parseChecksum(text: string): Checksum {
  const [, name = '', hex = ''] = /^(?:([\w-]+)[:=])?([0-9a-f]+)$/i.exec(text.trim()) ?? [];
  const algorithm = name.toLowerCase().replace(/^sha-/, 'sha') || 'sha256';
  if (HEX_LENGTHS[algorithm] !== hex.length) {
    throw new InvalidArgumentError("it is like 'sha256:' and 64 hexadecimal digits.");
  }
  return { algorithm, hex: hex.toLowerCase() };
}

function parsePrint(text: string): string {
  if (!/^[HBhbm]+$/.test(text)) throw new InvalidArgumentError('it is made of the letters H, B, h, b and m.');
  return text;
}

function parseParallel(text: string): number {
  const count = parseCount(text);
  if (count < 1 || count > 64) throw new InvalidArgumentError('it is a number from 1 to 64.');
  return count;
}

function parseStatuses(text: string): StatusRange[] {
  return text.split(',').map((part) => {
    const [, from, to] = /^([1-9]\d\d)(?:-([1-9]\d\d))?$/.exec(part.trim()) ?? [];
    if (from !== undefined) return [Number(from), Number(to ?? from)] as const;
    const digit = /^([1-9])xx$/i.exec(part.trim())?.[1];
    if (digit === undefined)
      throw new InvalidArgumentError(`'${part}' is not a status (like 200, 2xx or 200-299).`);
    return [Number(digit) * 100, Number(digit) * 100 + 99] as const;
  });
}
