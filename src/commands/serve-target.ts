import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { HandlerTarget, MountTarget } from '../core/handlers/index.js';
import type { Context } from './context.js';
import { parsePort } from './options.js';
import type { AppFlags, MountFlag } from './serve-app-flags.js';
import { type FolderFlags, toFolderFeatures } from './serve-folder-flags.js';
import { refuseMissing } from './serve-missing.js';
import { toCgi, toFastcgi } from './serve-scripts.js';
import type { ServerFlags } from './serve-server-flags.js';
import { type StaticFlags, toStaticOptions } from './serve-static-flags.js';

/** What events of applications and upstreams look like from here. */
export type OnSiteEvent = (event: { readonly type: string }) => void;

/** What decides about targets. */
export interface TargetOptions {
  readonly context: Context;
  readonly flags: AppFlags & FolderFlags & ServerFlags & StaticFlags;
  readonly onEvent: OnSiteEvent;
  /** Whose forwarded headers are believed. */
  readonly isTrusted: (address: string) => boolean;
}

/** What the arguments come to. */
export interface ServePlan {
  /** The target as it was named. */
  readonly name: string;
  readonly port: number;
  readonly mounts: readonly MountTarget[];
  /** The servers requests are passed on to. */
  readonly upstreams: readonly string[];
  /** The folders the code of JavaScript applications is in. */
  readonly codeFolders: readonly string[];
}

const DEFAULT_PORT = 8000;
const PROGRAM = /\.(?:[cm]?[jt]s|py)$/;
const HEALTH_CHECK = { intervalMs: 10_000, timeoutMs: 5000 };

/** Finds out what is to be served where. */
export async function planServe(args: readonly unknown[], options: TargetOptions): Promise<ServePlan> {
  const { context, flags } = options;
  const { name, port } = readArguments(context, args as [string | undefined, string | undefined], flags);
  const isPlain = flags.static?.some((value) => typeof value !== 'object') === true;
  const target = await toTarget(name, '', isPlain, options);
  const folder = target.kind === 'static' ? target : undefined;
  const mounts: MountTarget[] = [{ prefix: '', target }];
  for (const value of flags.static ?? []) {
    if (typeof value === 'object') mounts.push(toStaticMount(value, options));
  }
  for (const { prefix, value } of flags.app ?? [])
    mounts.push({ prefix, target: await toTarget(value, prefix, false, options) });
  for (const flag of flags.proxy ?? []) mounts.push({ prefix: flag.prefix, target: toProxy(flag, options) });
  for (const flag of flags.cgi ?? [])
    mounts.push({ prefix: flag.prefix, target: toCgi(flag, folder, options) });
  for (const flag of flags.fastcgi ?? [])
    mounts.push({ prefix: flag.prefix, target: toFastcgi(flag, folder, options) });
  const codeFolders = mounts.flatMap((mount) =>
    mount.target.kind === 'js' ? dirname(mount.target.options.file) : [],
  );
  const upstreams = mounts.flatMap((mount) =>
    mount.target.kind === 'proxy' ? mount.target.options.upstreams : [],
  );
  return { name, port, mounts: withoutShadowed(mounts), upstreams, codeFolders };
}

/** A lone number that names nothing is the port; `--static` may have taken the target for its value. */
function readArguments(
  { io }: Context,
  args: [string | undefined, string | undefined],
  { static: statics = [] }: AppFlags,
): { name: string; port: number } {
  const strays = statics.filter((value) => typeof value === 'string');
  const words = [...strays, ...args.filter((word) => word !== undefined)];
  if (words.length > 2) throw new NettoolError('USAGE', `too many arguments: ${words.slice(2).join(' ')}`);
  const [first = '.', second] = words;
  const isPort = second === undefined && /^\d{1,5}$/.test(first) && !existsSync(resolve(io.cwd, first));
  if (isPort) return { name: '.', port: parsePort(first) };
  return { name: first, port: second === undefined ? DEFAULT_PORT : parsePort(second) };
}

async function toTarget(
  name: string,
  prefix: string,
  isPlain: boolean,
  options: TargetOptions,
): Promise<HandlerTarget> {
  const { context, flags } = options;
  if (/^(https?:\/\/|unix:)/i.test(name)) return toProxy({ prefix, value: name }, options);
  const path = resolve(context.io.cwd, name);
  const stat = statSync(path, { throwIfNoEntry: false });
  const isApplication =
    flags.wsgi === true || flags.asgi === true || (PROGRAM.test(name) && !stat?.isDirectory());
  const { isPythonTarget } = await import('../core/handlers/python/target.js');
  const isModule = isPythonTarget(name) && !name.includes('.py');
  if (!isModule && flags.wsgi !== true && flags.asgi !== true) refuseMissing(name, context.io.cwd);
  if (
    !isPlain &&
    (flags.wsgi === true || flags.asgi === true || (isPythonTarget(name) && !stat?.isDirectory()))
  ) {
    return toPython(name, prefix, options);
  }
  if (!isPlain && isApplication) return toJs(path, options);
  return {
    kind: 'static',
    root: path,
    ...toStaticOptions(flags),
    features: toFolderFeatures(context, path, flags),
  };
}

function toPython(target: string, prefix: string, options: TargetOptions): HandlerTarget {
  const { context, flags, onEvent, isTrusted } = options;
  if (flags.wsgi === true && flags.asgi === true) {
    throw new NettoolError('USAGE', '--wsgi and --asgi exclude each other');
  }
  const kind = flags.wsgi === true ? 'wsgi' : flags.asgi === true ? 'asgi' : undefined;
  return {
    kind: 'python',
    options: {
      target,
      prefix,
      cwd: context.io.cwd,
      env: context.io.env,
      ...(kind !== undefined && { kind }),
      ...(flags.factory === true && { factory: true }),
      ...(flags.python !== undefined && { python: flags.python }),
      ...(flags.workers !== undefined && {
        workers: flags.workers === 'auto' ? availableParallelism() : flags.workers,
      }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
      ...(flags.requestTimeout !== undefined && { requestTimeoutMs: flags.requestTimeout }),
      ...(flags.bootTimeout !== undefined && { bootTimeoutMs: flags.bootTimeout }),
      ...(flags.gracefulTimeout !== undefined && { graceMs: flags.gracefulTimeout }),
      ...(flags.maxRequests !== undefined && { maxRequests: flags.maxRequests }),
      ...(flags.reload === true && { reload: true }),
      ...(flags.debug === true && { debug: true }),
      isTrusted,
      onEvent,
    },
  };
}

function toJs(file: string, { context, flags, onEvent, isTrusted }: TargetOptions): HandlerTarget {
  return {
    kind: 'js',
    options: {
      file,
      output: context.io.stderr,
      isTrusted,
      onEvent,
      ...(flags.requestTimeout !== undefined && { requestTimeoutMs: flags.requestTimeout }),
      ...(flags.bootTimeout !== undefined && { bootTimeoutMs: flags.bootTimeout }),
    },
  };
}

function toStaticMount({ prefix, value }: MountFlag, { context, flags }: TargetOptions): MountTarget {
  const root = resolve(context.io.cwd, value);
  return { prefix, target: { kind: 'static', root, ...toStaticOptions(flags) } };
}

function toProxy({ prefix, value }: MountFlag, { flags, onEvent, isTrusted }: TargetOptions): HandlerTarget {
  return {
    kind: 'proxy',
    options: {
      upstreams: value.split(','),
      prefix,
      isTrusted,
      onEvent,
      ...(flags.upstreamHost !== undefined && { upstreamHost: flags.upstreamHost }),
      ...(flags.balance !== undefined && { balance: flags.balance }),
      ...(flags.rewrite !== undefined && { rewrite: flags.rewrite }),
      ...(flags.healthCheck !== undefined && { healthCheck: { ...HEALTH_CHECK, path: flags.healthCheck } }),
      ...(flags.requestTimeout !== undefined && { responseTimeoutMs: flags.requestTimeout }),
    },
  };
}

/** Of two mounts at one path the one given by a flag counts; the target's is then shown by nobody. */
function withoutShadowed(mounts: readonly MountTarget[]): MountTarget[] {
  const last = new Map(mounts.map((mount) => [mount.prefix, mount]));
  for (const [index, { prefix }] of mounts.entries()) {
    const twin = mounts.findIndex((mount, other) => other > index && mount.prefix === prefix);
    if (index > 0 && twin !== -1) {
      throw new NettoolError('USAGE', `two things are mounted at ${prefix === '' ? '/' : prefix}`);
    }
  }
  return [...last.values()];
}
