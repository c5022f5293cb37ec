import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseCount, parseDuration } from './options.js';

/** A path and what is mounted there: `/api=app:app`. */
export interface MountFlag {
  readonly prefix: string;
  readonly value: string;
}

/** The flags of `serve` for applications and everything else mounted beside the target. */
export interface AppFlags {
  /** Mounts; a value without `=` was the next argument, and `true` stands for none. */
  readonly static?: ReadonlyArray<MountFlag | string | true>;
  readonly app?: readonly MountFlag[];
  readonly proxy?: readonly MountFlag[];
  readonly cgi?: readonly MountFlag[];
  readonly fastcgi?: readonly MountFlag[];
  readonly fastcgiApp?: readonly MountFlag[];
  readonly fastcgiRoot?: string;
  readonly fastcgiExt?: readonly string[];
  readonly cgiMax?: number;
  readonly env?: readonly string[];
  readonly upstreamHost?: string | true;
  readonly upstreamCacert?: string;
  readonly upstreamInsecure?: boolean;
  readonly balance?: 'round-robin' | 'least-connections' | 'hash';
  readonly hashKey?: string;
  readonly healthCheck?: string;
  readonly healthInterval?: number;
  readonly upstreamConnectTimeout?: number;
  readonly upstreamRetries?: number;
  readonly rewrite?: readonly RewriteFlag[];
  readonly wsgi?: boolean;
  readonly asgi?: boolean;
  readonly factory?: boolean;
  readonly python?: string;
  readonly rootPath?: string;
  readonly threads?: number;
  readonly workers?: number | 'auto';
  readonly requestTimeout?: number;
  readonly bootTimeout?: number;
  readonly maxRequests?: number;
  readonly reload?: boolean;
  readonly debug?: boolean;
}

interface RewriteFlag {
  readonly from: RegExp;
  readonly to: string;
}

/** Declares them. */
export function addAppFlags(command: Command): Command {
  return command
    .optionsGroup('Mounts:')
    .option(
      '--static [prefix=folder]',
      'serve a folder there too (repeatable); alone: send the target as it is, do not run it',
      collectStatic,
    )
    .option('--app <prefix=target>', 'run an application there (repeatable)', collectMount)
    .option('--proxy <prefix=url[,url]>', 'pass requests on to these servers (repeatable)', collectMount)
    .option(
      '--cgi <prefix=folder>',
      'run the scripts of a folder, or one script for all paths there (repeatable)',
      collectMount,
    )
    .option(
      '--fastcgi <prefix=address>',
      'have host:port or unix:/path run the scripts of the target folder (repeatable)',
      collectMount,
    )
    .option(
      '--fastcgi-app <prefix=address>',
      'pass every request on to a FastCGI application that has no scripts (repeatable)',
      collectMount,
    )
    .optionsGroup('Scripts (--cgi, --fastcgi):')
    .option(
      '--cgi-max <n>',
      'CGI scripts that run at a time (default: 32); more wait, then 503',
      parseAtLeastOne,
    )
    .option('--fastcgi-root <folder>', 'the target folder as the FastCGI server sees it, in a container')
    .option(
      '--fastcgi-ext <.ext[,.ext]>',
      'which files are its scripts, the first also as index (default: .php)',
      parseExtensions,
    )
    .optionsGroup('Upstreams (--proxy):')
    .option(
      '--upstream-host [name]',
      "send upstreams their own name, or this one, instead of the client's Host",
    )
    .option('--upstream-cacert <file>', 'trust the certificates in this PEM file, and no others')
    .option('--upstream-insecure', "do not check upstreams' certificates")
    .addOption(
      new Option('--balance <how>', 'how an upstream is chosen (default: round-robin)').choices([
        'round-robin',
        'least-connections',
        'hash',
      ]),
    )
    .option(
      '--hash-key <what>',
      'of a request, for hash: address (default), path, header:NAME or cookie:NAME',
      parseHashKey,
    )
    .option(
      '--health-check <url-path>',
      'ask upstreams for this path now and then, and leave out those that fail',
    )
    .option('--health-interval <time>', 'how often (default: 10s)', parseInterval)
    .option('--upstream-connect-timeout <time>', 'for a connection to one (default: 10s)', parseInterval)
    .option(
      '--upstream-retries <n>',
      'how many others are tried for a request that one failed (default: 2)',
      parseCount,
    )
    .option(
      '--rewrite <regex=>path>',
      'change the path for the upstream; $1 is a group (repeatable)',
      collectRewrite,
    )
    .optionsGroup('Applications:')
    .option('--wsgi', 'the Python application speaks WSGI (else it is found out)')
    .option('--asgi', 'the Python application speaks ASGI')
    .option('--factory', 'the callable makes the application')
    .option('--python <path>', 'the interpreter or virtual environment')
    .option('--root-path <prefix>', 'what a proxy in front has taken off the path, like /api', parseRootPath)
    .option(
      '--env <name[=value]>',
      'a variable for Python applications and scripts; without a value the one it has here (repeatable)',
      parseEnv,
    )
    .option('--workers <n>', "worker processes, or 'auto' for one per core (default: 1)", parseWorkers)
    .option('--threads <n>', 'requests a WSGI worker answers at a time (default: 1)', parseAtLeastOne)
    .option(
      '--request-timeout <time>',
      'how long an application may take to answer (default: 60s; 504)',
      parseDuration,
    )
    .option('--boot-timeout <time>', 'how long it may take to start (default: 30s)', parseDuration)
    .option('--max-requests <n>', 'replace a worker after so many', parseAtLeastOne)
    .option('--reload', 'load the application anew when its files change')
    .option('--debug', 'show failures of applications on the page');
}

/** `/api=app:app` as prefix and value; the prefix starts with a slash and does not end with one. */
function parseMount(text: string): MountFlag {
  const equals = text.indexOf('=');
  const prefix = text.slice(0, equals).replace(/\/+$/, '');
  const value = text.slice(equals + 1);
  if (equals === -1 || value === '')
    throw new InvalidArgumentError(`'${text}' is not prefix=value (like /api=…).`);
  if (!isPrefix(prefix)) throw new InvalidArgumentError(`in '${text}' the prefix '${prefix}' ${NO_PREFIX}.`);
  return { prefix, value };
}

/** `/api` and `/api/` alike; `/` is nothing. */
function parseRootPath(text: string): string {
  const prefix = text.replace(/\/+$/, '');
  if (!isPrefix(prefix)) throw new InvalidArgumentError(`'${prefix}' ${NO_PREFIX}.`);
  return prefix;
}

const NO_PREFIX = 'does not start with a slash, or has a space, ?, # or % in it';

function isPrefix(text: string): boolean {
  return text === '' || /^\/[^?#%\s]+$/.test(text);
}

function collectMount(text: string, previous: readonly MountFlag[] = []): MountFlag[] {
  return [...previous, parseMount(text)];
}

/** Without `=` the word is not for the flag: it is the target that follows it. */
function collectStatic(
  text: string,
  previous: NonNullable<AppFlags['static']> = [],
): NonNullable<AppFlags['static']> {
  return [...previous, text.startsWith('/') && text.includes('=') ? parseMount(text) : text];
}

function collectRewrite(text: string, previous: readonly RewriteFlag[] = []): RewriteFlag[] {
  const arrow = text.indexOf('=>');
  if (arrow < 1) throw new InvalidArgumentError(`'${text}' is not regex=>path.`);
  try {
    return [...previous, { from: new RegExp(text.slice(0, arrow)), to: text.slice(arrow + 2) }];
  } catch {
    throw new InvalidArgumentError(`'${text.slice(0, arrow)}' is not a regular expression.`);
  }
}

function parseHashKey(text: string): string {
  if (/^(?:address|path|(?:header|cookie):[\w!#$%&'*+.^`|~-]+)$/.test(text)) return text;
  throw new InvalidArgumentError(`'${text}' is not address, path, header:NAME or cookie:NAME.`);
}

function parseEnv(text: string, previous: readonly string[] = []): string[] {
  if (!/^[A-Za-z_]\w*(?:=|$)/.test(text))
    throw new InvalidArgumentError(`'${text}' is not NAME or NAME=value.`);
  return [...previous, text];
}

function parseExtensions(text: string): string[] {
  const extensions = text.split(',').map((extension) => extension.toLowerCase());
  if (!extensions.every((extension) => /^\.[\w.-]+$/.test(extension))) {
    throw new InvalidArgumentError(`'${text}' is not a list like .php,.cgi.`);
  }
  return extensions;
}

function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms < 1) throw new InvalidArgumentError('it has to be more than nothing.');
  return ms;
}

function parseWorkers(text: string): number | 'auto' {
  return text === 'auto' ? 'auto' : parseAtLeastOne(text);
}

function parseAtLeastOne(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new InvalidArgumentError('it has to be at least 1.');
  return count;
}
