import { existsSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { HandlerTarget, MountTarget } from '../core/handlers/index.js';
import type { StaticTarget } from '../core/handlers/static/index.js';
import type { Context } from './context.js';
import { parsePort } from './options.js';
import type { AppFlags, MountFlag } from './serve-app-flags.js';
import { type FolderFlags, toFolderFeatures } from './serve-folder-flags.js';
import { refuseMissing } from './serve-missing.js';
import {
  givenVariables,
  isSentAsItIs,
  refuseScriptFolder,
  shared,
  toCgi,
  toFastcgi,
  toWithheld,
} from './serve-scripts.js';
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
const JS_PROGRAM = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const CHECK_EVERY_MS = 10_000;
const CHECK_TIMEOUT_MS = 5000;
/** How long an answer that has begun may stand still, unless it may take even longer to begin. */
const STALL_MS = 60_000;

/** Finds out what is to be served where. */
export async function planServe(args: readonly unknown[], options: TargetOptions): Promise<ServePlan> {
  const { context, flags } = options;
  const { name, port } = readArguments(context, args as [string | undefined, string | undefined], flags);
  const isPlain = isSentAsItIs(flags);
  const target = await toTarget(name, '', isPlain, options);
  const folder = target.kind === 'static' ? target : undefined;
  const mounts: MountTarget[] = [{ prefix: '', target }];
  for (const value of flags.static ?? []) {
    if (typeof value !== 'object') continue;
    refuseScriptFolder(value, options);
    mounts.push({ prefix: value.prefix, target: toFiles(resolve(context.io.cwd, value.value), options) });
  }
  for (const { prefix, value } of flags.app ?? [])
    mounts.push({ prefix, target: await toTarget(await entryOf(value, context), prefix, false, options) });
  for (const flag of flags.proxy ?? [])
    mounts.push({ prefix: flag.prefix, target: await toProxy(flag, options) });
  for (const flag of flags.cgi ?? [])
    mounts.push({ prefix: flag.prefix, target: toCgi(flag, folder, options) });
  for (const flag of flags.fastcgi ?? [])
    mounts.push({ prefix: flag.prefix, target: toFastcgi(flag, folder, options) });
  for (const { prefix, value } of flags.fastcgiApp ?? []) {
    const target = { address: value, prefix, ...shared(options) };
    mounts.push({ prefix, target: { kind: 'fastcgi', options: target } });
  }
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
  if (/^([a-z][a-z\d+.-]*:\/\/|unix:)/i.test(name)) return toProxy({ prefix, value: name }, options);
  const path = resolve(context.io.cwd, name);
  const stat = statSync(path, { throwIfNoEntry: false });
  const wantsPython = (flags.wsgi === true || flags.asgi === true) && !JS_PROGRAM.test(name);
  const { isPythonModule, isPythonTarget } = await import('../core/handlers/python/target.js');
  if (!isPythonModule(name) && !wantsPython) refuseMissing(name, context.io.cwd);
  if (!isPlain && (wantsPython || (isPythonTarget(name) && !stat?.isDirectory()))) {
    return toPython(name, prefix, options);
  }
  if (!isPlain && JS_PROGRAM.test(name) && !stat?.isDirectory()) return toJs(name, path, prefix, options);
  return { ...toFiles(path, options), features: toFolderFeatures(context, path, flags) };
}

/** `--app` names an application, so a folder stands for the module in it. */
async function entryOf(name: string, { io }: Context): Promise<string> {
  const path = resolve(io.cwd, name);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return name;
  const { findEntry } = await import('../core/handlers/js/entry.js');
  const entry = findEntry(path);
  return entry === undefined ? name : join(name, relative(path, entry));
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
      signal: context.io.signal,
      env: { ...context.io.env, ...givenVariables(context, flags.env) },
      ...(kind !== undefined && { kind }),
      ...(flags.factory === true && { factory: true }),
      ...(flags.python !== undefined && { python: flags.python }),
      ...(flags.rootPath !== undefined && { rootPath: flags.rootPath }),
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

function toJs(
  name: string,
  file: string,
  prefix: string,
  { context, flags, onEvent, isTrusted }: TargetOptions,
): HandlerTarget {
  return {
    kind: 'js',
    options: {
      file,
      name,
      prefix,
      ...(flags.factory === true && { factory: true }),
      ...(flags.debug === true && { debug: true }),
      ...(context.verbose >= 2 && { wholeStacks: true }),
      output: context.io.stderr,
      isTrusted,
      onEvent,
      ...(flags.requestTimeout !== undefined && { requestTimeoutMs: flags.requestTimeout }),
      ...(flags.bootTimeout !== undefined && { bootTimeoutMs: flags.bootTimeout }),
      ...(flags.gracefulTimeout !== undefined && { graceMs: flags.gracefulTimeout }),
    },
  };
}

function toFiles(root: string, options: TargetOptions): StaticTarget {
  const withheld = toWithheld(options);
  return { kind: 'static', root, ...toStaticOptions(options.flags), ...(withheld && { withheld }) };
}

async function toProxy(
  { prefix, value }: MountFlag,
  { context, flags, onEvent, isTrusted }: TargetOptions,
): Promise<HandlerTarget> {
  return {
    kind: 'proxy',
    options: {
      upstreams: value.split(','),
      prefix,
      isTrusted,
      onEvent,
      ...(flags.upstreamHost !== undefined && { upstreamHost: flags.upstreamHost }),
      ...(flags.upstreamCacert !== undefined && { ca: await readAuthorities(context, flags.upstreamCacert) }),
      ...(flags.upstreamInsecure !== undefined && { insecure: flags.upstreamInsecure }),
      ...(flags.balance !== undefined && { balance: flags.balance }),
      ...(flags.hashKey !== undefined && { hashKey: flags.hashKey }),
      ...(flags.rewrite !== undefined && { rewrite: flags.rewrite }),
      ...(flags.healthCheck !== undefined && { healthCheck: toHealthCheck(flags.healthCheck, flags) }),
      ...(flags.upstreamRetries !== undefined && { retries: flags.upstreamRetries }),
      ...(flags.upstreamConnectTimeout !== undefined && { connectTimeoutMs: flags.upstreamConnectTimeout }),
      ...(flags.requestTimeout !== undefined && {
        responseTimeoutMs: flags.requestTimeout,
        stallTimeoutMs: Math.max(flags.requestTimeout, STALL_MS),
      }),
    },
  };
}

function toHealthCheck(path: string, { healthInterval: intervalMs = CHECK_EVERY_MS }: AppFlags) {
  return { path, intervalMs, timeoutMs: Math.min(intervalMs, CHECK_TIMEOUT_MS) };
}

async function readAuthorities({ io }: Context, file: string): Promise<string> {
  const { readAuthorities: read } = await import('../core/net/tls.js');
  return read(resolve(io.cwd, file));
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
