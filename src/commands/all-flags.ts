import { NettoolError } from '../core/errors.js';
import type { GlobalFlags } from './context.js';
import type { NetworkFlags } from './network-flags.js';
import type { OutputFlags } from './output-flags.js';
import type { RequestFlags } from './request-flags.js';

/** Every flag of `get`, `post` and their kin. */
export interface AllFlags extends GlobalFlags, RequestFlags, NetworkFlags, OutputFlags {}

type Rule = readonly [broken: (flags: AllFlags, urls: number) => unknown, sentence: string, hint?: string];

/** Flags that contradict each other; the first that is broken is told. */
const RULES: readonly Rule[] = [
  [
    ({ data, multipart, file }) => data && (multipart || file),
    '--data cannot be sent as multipart',
    'use --file field=@path',
  ],
  [({ form, multipart }) => form && multipart, '--form and --multipart are two forms of a body'],
  [({ auth, bearer }) => auth !== undefined && bearer !== undefined, '--auth and --bearer are two logins'],
  [({ authType, auth }) => authType !== undefined && auth === undefined, '--auth-type needs --auth'],
  [(flags) => flags['http1.1'] && flags.http2, '--http1.1 and --http2 contradict each other'],
  [({ ipv4, ipv6 }) => ipv4 && ipv6, '-4 and -6 contradict each other', 'without either both are tried'],
  [({ key, cert }) => key !== undefined && cert === undefined, '--key needs --cert'],
  [({ unixSocket, proxy }) => unixSocket !== undefined && proxy, '--unix-socket goes through no proxy'],
  [({ output, download }) => output !== undefined && download, '-o and -O are two names for one file'],
  [
    ({ output }, urls) => output !== undefined && output !== '-' && urls > 1,
    '-o is one file for several URLs',
    '-O gives each its own',
  ],
  [(flags, urls) => flags.continue && !toFile(flags, urls), '--continue needs -o FILE or -O'],
  [({ checksum }, urls) => checksum && urls > 1, '--checksum is of one body, there are several URLs'],
  [({ dryRun, asCurl }) => dryRun && asCurl, '--dry-run and --as-curl print two things'],
  [
    ({ stream, json }) => stream && json,
    '--stream and --json contradict each other',
    'a JSON document is printed at the end',
  ],
  [({ failEarly }, urls) => failEarly && urls < 2, '--fail-early needs several URLs (--url)'],
  [
    (flags, urls) => (flags.parallel ?? 1) > 1 && urls < 2 && !toFile(flags, urls),
    '--parallel needs several URLs, or a file to write (-o, -O)',
  ],
  [({ retryAll, retry }) => retryAll && retry === undefined, '--retry-all needs --retry N'],
  [
    (flags) => [flags.include, flags.headers, flags.body, flags.print].filter(Boolean).length > 1,
    'only one of --include, --headers, --body and --print can be meant',
  ],
];

function toFile({ output, download }: AllFlags, _urls: number): boolean {
  return download === true || (output !== undefined && output !== '-');
}

/** A usage error when flags contradict each other. */
export function checkFlags(flags: AllFlags, urls: number): void {
  const broken = RULES.find(([isBroken]) => isBroken(flags, urls));
  if (broken !== undefined) throw new NettoolError('USAGE', broken[1], { hint: broken[2] });
}

/** The parts to print, as `--print` writes them; `undefined` when nothing special was asked for. */
export function toPrintParts(flags: AllFlags, method: string): string {
  if (flags.print !== undefined) return flags.print;
  if (flags.headers === true) return 'h';
  if (flags.body === true) return 'b';
  if (flags.include === true) return 'hb';
  return method === 'HEAD' ? 'h' : 'b';
}
