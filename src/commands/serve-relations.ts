import { NettoolError } from '../core/errors.js';
import type { HandlerTarget } from '../core/handlers/index.js';
import type { AppFlags } from './serve-app-flags.js';
import type { FolderFlags } from './serve-folder-flags.js';
import type { ServerFlags } from './serve-server-flags.js';
import type { StaticFlags } from './serve-static-flags.js';
import type { ServePlan } from './serve-target.js';

type Flags = ServerFlags & StaticFlags & FolderFlags & AppFlags;

/** What a run is to serve, and how. */
interface Given {
  readonly flags: Flags;
  readonly kinds: ReadonlySet<HandlerTarget['kind']>;
  /** The target is a folder or file, or a folder with scripts. */
  readonly hasFolder: boolean;
}

/** Flags that do something only beside something else; alone they would be a wish that nobody hears. */
interface Relation {
  readonly flags: ReadonlyArray<keyof Flags>;
  readonly holds: (given: Given) => boolean;
  /** What follows the flag's name. */
  readonly about: string;
  readonly hint?: string;
}

const isTls = ({ flags: { tls, cert } }: Given): boolean => tls === true || cert !== undefined;
const isAnyOf =
  (...wanted: HandlerTarget['kind'][]) =>
  ({ kinds }: Given): boolean =>
    wanted.some((kind) => kinds.has(kind));

const RELATIONS: readonly Relation[] = [
  {
    flags: ['wsgi', 'asgi', 'python', 'rootPath', 'maxRequests'],
    holds: isAnyOf('python'),
    about: 'is for Python applications',
  },
  {
    flags: ['threads'],
    holds: ({ flags, kinds }) => kinds.has('python') && flags.asgi !== true,
    about: 'is for WSGI applications',
    hint: '--workers is for all of them',
  },
  {
    flags: ['factory', 'bootTimeout', 'reload', 'debug'],
    holds: isAnyOf('python', 'js'),
    about: 'is for applications in Python or JavaScript',
  },
  {
    flags: ['requestTimeout'],
    holds: isAnyOf('python', 'js', 'cgi', 'fastcgi', 'proxy'),
    about: 'is for applications, scripts and upstreams',
    hint: '--header-timeout and --body-timeout are for clients',
  },
  {
    flags: ['env'],
    holds: isAnyOf('python', 'cgi', 'fastcgi'),
    about: 'is for Python applications, CGI and FastCGI scripts',
    hint: 'set it before the command: NAME=value nettool serve …',
  },
  {
    flags: ['fastcgiRoot', 'fastcgiExt'],
    holds: ({ flags }) => flags.fastcgi !== undefined,
    about: 'is for FastCGI scripts',
    hint: 'add --fastcgi /=ADDRESS',
  },
  {
    flags: ['cgiMax'],
    holds: isAnyOf('cgi'),
    about: 'is for CGI scripts',
    hint: 'add --cgi /cgi-bin=FOLDER',
  },
  {
    flags: [
      'upstreamHost',
      'upstreamCacert',
      'upstreamInsecure',
      'upstreamConnectTimeout',
      'upstreamRetries',
      'balance',
      'healthCheck',
      'rewrite',
    ],
    holds: isAnyOf('proxy'),
    about: 'is for upstreams',
    hint: 'add --proxy /=URL, or name a URL as the target',
  },
  {
    flags: ['hashKey'],
    holds: ({ flags }) => flags.balance === 'hash',
    about: 'is for --balance hash',
  },
  {
    flags: ['healthInterval'],
    holds: ({ flags }) => flags.healthCheck !== undefined,
    about: 'is for --health-check',
    hint: 'add --health-check PATH',
  },
  {
    flags: ['followSymlinks', 'index'],
    holds: ({ kinds, hasFolder }) => hasFolder || kinds.has('static') || kinds.has('cgi'),
    about: 'is for folders',
    hint: 'add --static /path=FOLDER',
  },
  {
    flags: ['hidden', 'listing', 'cleanUrls', 'spa', 404, 'cache'],
    holds: ({ kinds, hasFolder }) => hasFolder || kinds.has('static'),
    about: 'is for folders',
    hint: 'add --static /path=FOLDER',
  },
  {
    flags: ['sort', 'zip', 'upload', 'watch'],
    holds: ({ hasFolder }) => hasFolder,
    about: 'is for a folder that is the target',
  },
  {
    flags: ['uploadDir', 'overwrite', 'maxUpload', 'mkdir', 'delete'],
    holds: ({ flags }) => flags.upload === true,
    about: 'is about uploads',
    hint: 'add --upload to take them',
  },
  { flags: ['key'], holds: ({ flags }) => flags.cert !== undefined, about: 'needs --cert' },
  {
    flags: ['hsts', 'redirectHttp'],
    holds: isTls,
    about: 'is for HTTPS',
    hint: 'add --tls, or --cert FILE',
  },
  {
    flags: ['authWrites'],
    holds: ({ flags }) => flags.auth !== undefined,
    about: 'needs a user',
    hint: 'add --auth name:password',
  },
  {
    flags: ['socketMode'],
    holds: ({ flags }) => flags.host.includes('/'),
    about: 'is for a Unix socket',
    hint: 'add --host /path',
  },
];

/** Refuses flags that would do nothing in this run. */
export function checkRelations({ mounts }: ServePlan, flags: Flags): void {
  const given: Given = {
    flags,
    kinds: new Set(mounts.map(({ target }) => target.kind)),
    hasFolder: mounts.some(({ target }) => 'features' in target || 'files' in target),
  };
  for (const { flags: names, holds, about, hint } of RELATIONS) {
    const name = names.find((key) => isGiven(key, flags));
    if (name !== undefined && !holds(given)) {
      throw new NettoolError('USAGE', `${nameOf(name)} ${about}`, hint === undefined ? {} : { hint });
    }
  }
}

/** What is known of an application only when it has started: a flag that it has no use for. */
export function findIgnored(event: { readonly type: string }, { threads = 1 }: Flags): string | undefined {
  if (threads === 1 || event.type !== 'application' || !('kind' in event) || event.kind !== 'asgi') return;
  return '--threads is for WSGI applications, and has no effect: this one is ASGI, and answers all requests side by side';
}

/** `--no-listing` is there as its opposite. */
function isGiven(key: keyof Flags, flags: Flags): boolean {
  return key === 'listing' ? !flags.listing : flags[key] !== undefined;
}

function nameOf(key: keyof Flags): string {
  if (key === 'listing') return '--no-listing';
  return `--${String(key).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
