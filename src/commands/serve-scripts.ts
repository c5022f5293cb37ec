import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { CgiOptions } from '../core/handlers/cgi.js';
import type { FastcgiOptions } from '../core/handlers/fastcgi/index.js';
import type { HandlerTarget } from '../core/handlers/index.js';
import type { StaticTarget } from '../core/handlers/static/index.js';
import type { Withheld } from '../core/handlers/static/withheld.js';
import type { Context } from './context.js';
import type { AppFlags, MountFlag } from './serve-app-flags.js';
import type { TargetOptions } from './serve-target.js';

const PHP: readonly string[] = ['.php'];

/** What is at `/`, when that is a folder of files. */
type Site = StaticTarget | undefined;

/** The scripts of a folder, run one by one; or one script for everything below the prefix. */
export function toCgi({ prefix, value }: MountFlag, site: Site, options: TargetOptions): HandlerTarget {
  const scripts = resolve(options.context.io.cwd, value);
  if (!existsSync(scripts)) {
    throw new NettoolError('USAGE', `--cgi ${prefix}=${value}: there is no such folder or script`);
  }
  const { cgiMax, followSymlinks = false, index } = options.flags;
  const folder = isFolder(scripts) ? scripts : dirname(scripts);
  return {
    kind: 'cgi',
    options: {
      scripts,
      prefix,
      documentRoot: site !== undefined && isFolder(site.root) ? site.root : folder,
      followLinks: followSymlinks,
      ...(index !== undefined && { index }),
      ...(cgiMax !== undefined && { maxScripts: cgiMax }),
      ...shared(options),
    },
  };
}

/** The scripts are those of the target folder; where a folder has the prefix's name, those in it, as URLs have it. */
export function toFastcgi({ prefix, value }: MountFlag, site: Site, options: TargetOptions): HandlerTarget {
  const { fastcgiRoot, fastcgiExt: extensions = PHP, index = [] } = options.flags;
  if (site === undefined || !isFolder(site.root)) {
    throw new NettoolError('USAGE', `--fastcgi ${prefix}=${value}: the target is no folder with scripts`);
  }
  const below = join(site.root, prefix);
  const root = isFolder(below) ? below : site.root;
  return {
    kind: 'fastcgi',
    options: {
      address: value,
      root,
      ...(fastcgiRoot !== undefined && { scriptRoot: join(fastcgiRoot, relative(site.root, root)) }),
      extensions,
      index:
        index.find((name) => extensions.some((ending) => name.endsWith(ending))) ?? `index${extensions[0]}`,
      prefix,
      ...(site.followLinks === true && { followLinks: true }),
      ...shared(options),
    },
    // As other servers do beside PHP: what was uploaded is nobody's to leaf through.
    files: { ...site, root, listing: false },
  };
}

/** The programs among the files, unless `--static` asks for everything as it is. */
export function toWithheld({ context, flags }: TargetOptions): Withheld | undefined {
  const { cgi = [], fastcgi = [], fastcgiExt: extensions = PHP } = flags;
  if ((cgi.length === 0 && fastcgi.length === 0) || isSentAsItIs(flags)) return undefined;
  return {
    extensions: fastcgi.length === 0 ? [] : extensions,
    folders: cgi.map(({ value }) => resolve(context.io.cwd, value)),
  };
}

/** Refuses a folder of files that is one of scripts, or in one: nothing of it would be sent, and nobody told. */
export function refuseScriptFolder({ prefix, value }: MountFlag, { context, flags }: TargetOptions): void {
  const folder = resolve(context.io.cwd, value) + sep;
  const around = flags.cgi?.find((cgi) => folder.startsWith(resolve(context.io.cwd, cgi.value) + sep));
  if (around === undefined || isSentAsItIs(flags)) return;
  throw new NettoolError(
    'USAGE',
    `--static ${prefix}=${value}: it is in the folder of --cgi ${around.prefix}, of which no file is sent`,
    { hint: `name the script alone (--cgi ${around.prefix}=FILE), and all other files are sent` },
  );
}

/** Whether `--static` stands alone: what the target holds is to be sent, not run. */
export function isSentAsItIs({ static: statics = [] }: AppFlags): boolean {
  return statics.some((value) => typeof value !== 'object');
}

type Shared = Pick<CgiOptions & FastcgiOptions, 'env' | 'isTrusted' | 'onEvent' | 'timeoutMs'>;

/** What they have in common. */
export function shared({ context, flags, isTrusted, onEvent }: TargetOptions): Shared {
  const { requestTimeout } = flags;
  return {
    env: givenVariables(context, flags.env),
    isTrusted,
    onEvent,
    ...(requestTimeout !== undefined && { timeoutMs: requestTimeout }),
  };
}

/** What `--env` says. */
export function givenVariables({ io }: Context, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(texts.map((text) => readVariable(text, io.env)));
}

/** `NAME=value`, or `NAME` with the value it has here. */
function readVariable(text: string, ours: NodeJS.ProcessEnv): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals !== -1) return [text.slice(0, equals), text.slice(equals + 1)];
  const value = ours[text];
  if (value === undefined) throw new NettoolError('USAGE', `--env ${text}: it is not set here`);
  return [text, value];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
