import packageJson from '../../package.json' with { type: 'json' };
import { NettoolError } from '../core/errors.js';
import type { BodySource, HeaderPair } from '../core/http/messages.js';
import { looksSecret } from '../core/secrets.js';
import type { AllFlags } from './all-flags.js';
import { type Login, readLogin, readNetrc } from './authorization.js';
import type { Context } from './context.js';
import { parseHeader, parseItem, type RequestItem } from './items.js';
import { buildBody } from './request-body.js';
import { parseRequestUrl, withParams } from './request-url.js';
import { readInput, readSecret } from './secret-values.js';

/** What every URL of a command line is sent: nothing has been sent yet, every file it needs has been looked at. */
export interface RequestPlan {
  readonly method: string;
  readonly urls: readonly URL[];
  /** Without the login, which depends on the URL. */
  readonly headers: readonly HeaderPair[];
  /** Those the user gave, for a session. */
  readonly givenHeaders: readonly HeaderPair[];
  readonly body: string | Uint8Array | BodySource | undefined;
  /** Names, in lower case, of the fields whose values came from a file or the environment. */
  readonly secretHeaders: ReadonlySet<string>;
  readonly login: Login | undefined;
  /** The environment variable that holds a secret, by the secret. */
  readonly variables: ReadonlyMap<string, string>;
  /** The body as flags of curl. */
  readonly curlBody: readonly string[];
}

/** A plan for one of its URLs. */
export interface AddressedPlan extends RequestPlan {
  readonly url: URL;
  readonly digest: Login['digest'];
}

/** Turns URLs, items and flags into requests; whatever is wrong with them is told before anything is sent. */
export async function planRequest(
  context: Context,
  method: string,
  [typedUrls, words]: readonly [readonly string[], readonly string[]],
  flags: AllFlags,
): Promise<RequestPlan> {
  const items = words.map(parseItem);
  const secrets = { names: new Set<string>(), variables: new Map<string, string>() };
  const fromFlags = await readHeaderFlags(context, flags.header ?? [], secrets.names);
  const params = await readParams(context, items, flags);
  const urls = typedUrls.map((typed) => withParams(parseRequestUrl(typed), params));
  const content = await buildBody(context, items, flags);
  const cookie = await readCookies(context, flags.cookie ?? []);
  const given = joinCookies(await resolveValues(context, [...fromFlags, ...items], secrets), cookie);
  const { ACCEPT_ENCODING } = await import('../core/http/body.js');
  const defaults: HeaderPair[] = [
    ['User-Agent', `${packageJson.name}/${packageJson.version}`],
    ['Accept', '*/*'],
    ['Accept-Encoding', flags.continue === true || splits(flags) ? 'identity' : ACCEPT_ENCODING],
    ...(content === undefined ? [] : [['Content-Type', content.type] as const]),
    ...(content?.encoding === undefined ? [] : [['Content-Encoding', content.encoding] as const]),
    ...(cookie === undefined ? [] : [['Cookie', cookie] as const]),
  ];
  const headers = mergeHeaders(defaults, given);
  for (const [name, value] of headers) {
    if (looksSecret(name) || secrets.names.has(name.toLowerCase())) rememberSecret(context, value);
  }
  const login = await readLogin(context, flags);
  if (login?.variable !== undefined && login.header !== undefined) {
    secrets.variables.set(login.header.replace(/^\S+ /, ''), login.variable);
  }
  return {
    method: flags.method ?? method,
    urls,
    headers,
    givenHeaders: given.flatMap((item) => (item.kind === 'header' ? [[item.name, item.value] as const] : [])),
    body: content?.body,
    secretHeaders: secrets.names,
    login,
    variables: secrets.variables,
    curlBody: content?.curl ?? [],
  };
}

function splits({ parallel, output, download }: AllFlags): boolean {
  return (parallel ?? 1) > 1 && (output !== undefined || download === true);
}

/** The plan for one URL: a given Authorization field wins over flags, those over the URL's userinfo, that over netrc. */
export async function addressPlan(
  context: Context,
  plan: RequestPlan,
  typed: URL,
  flags: AllFlags,
): Promise<AddressedPlan> {
  const { takeUserinfo } = await import('../core/http/basic-auth.js');
  const { url, authorization } = takeUserinfo(typed);
  const isGiven = plan.headers.some(([name]) => name.toLowerCase() === 'authorization');
  const fromUrl = authorization === undefined ? undefined : toLogin(typed, authorization, flags);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const login = isGiven ? undefined : (plan.login ?? fromUrl ?? (await readNetrc(context, flags, host)));
  if (login?.header !== undefined) rememberSecret(context, login.header);
  const headers: HeaderPair[] =
    login?.header === undefined ? [...plan.headers] : [...plan.headers, ['Authorization', login.header]];
  return { ...plan, url, headers, digest: login?.digest };
}

function toLogin({ username, password }: URL, header: string, flags: AllFlags): Login {
  if (flags.authType !== 'digest') return { header };
  return { digest: { user: decodeURIComponent(username), password: decodeURIComponent(password) } };
}

/** `Bearer abc` is a secret, and so is `abc`. */
function rememberSecret(context: Context, value: string): void {
  context.addSecret(value);
  context.addSecret(value.replace(/^\S+\s+/, ''));
}

/** Given fields replace the default of their name, and stand where the user put them; `Name:` takes one out. */
function mergeHeaders(defaults: readonly HeaderPair[], items: readonly RequestItem[]): HeaderPair[] {
  const given = items.filter((item) => item.kind === 'header' || item.kind === 'no-header');
  const named = new Set(given.map(({ name }) => name.toLowerCase()));
  const kept = defaults.filter(([name]) => !named.has(name.toLowerCase()));
  const added = given.flatMap((item) => (item.kind === 'header' ? [[item.name, item.value] as const] : []));
  return [...kept, ...added];
}

/** One Cookie field with what the user's fields and `--cookie` say: a request has no second one (RFC 6265, section 5.4). */
function joinCookies(items: readonly RequestItem[], flag: string | undefined): readonly RequestItem[] {
  const values = items.flatMap((item) => (isCookie(item) ? [item.value] : []));
  if (values.length === 0) return items;
  const value = [...values, ...(flag === undefined ? [] : [flag])].join('; ');
  return [...items.filter((item) => !isCookie(item)), { kind: 'header', name: 'Cookie', value }];
}

function isCookie(item: RequestItem): item is RequestItem & { kind: 'header' } {
  return item.kind === 'header' && item.name.toLowerCase() === 'cookie';
}

async function readHeaderFlags(
  context: Context,
  flags: readonly string[],
  secret: Set<string>,
): Promise<RequestItem[]> {
  const items: RequestItem[] = [];
  for (const flag of flags) {
    if (!flag.startsWith('@')) {
      items.push(parseHeader(flag));
      continue;
    }
    const lines = (await readInput(context, flag.slice(1))).toString().split(/\r?\n/);
    const fields = lines.filter((line) => line.trim() !== '').map(parseHeader);
    for (const { name } of fields) secret.add(name.toLowerCase());
    items.push(...fields);
  }
  return items;
}

/** `Name:env:VARIABLE`, `Authorization:Bearer env:VARIABLE` and `Name:@file` as the fields they stand for. */
async function resolveValues(
  context: Context,
  items: readonly RequestItem[],
  secrets: { names: Set<string>; variables: Map<string, string> },
): Promise<RequestItem[]> {
  const resolved: RequestItem[] = [];
  for (const item of items) {
    const [, scheme = '', reference] =
      (item.kind === 'header' && /^([A-Za-z][\w-]* )?(env:[A-Za-z_]\w*|@[^@]+)$/.exec(item.value)) || [];
    if (item.kind !== 'header' || reference === undefined) {
      resolved.push(item);
      continue;
    }
    const { value, variable } = await readSecret(context, reference);
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
      throw new NettoolError('USAGE', `the value of ${item.name} (${reference}) holds control characters`);
    }
    secrets.names.add(item.name.toLowerCase());
    if (variable !== undefined) secrets.variables.set(value, variable);
    resolved.push({ ...item, value: `${scheme}${value}` });
  }
  return resolved;
}

async function readParams(
  context: Context,
  items: readonly RequestItem[],
  flags: AllFlags,
): Promise<Array<readonly [string, string]>> {
  const params = [
    ...(flags.param ?? []).map(parseParam),
    ...items.filter((item) => item.kind === 'param').map(({ name, value }) => [name, value] as const),
  ];
  const resolved: Array<readonly [string, string]> = [];
  for (const [name, value] of params) {
    resolved.push([name, looksSecret(name) ? (await readSecret(context, value)).value : value]);
  }
  return resolved;
}

function parseParam(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new NettoolError('USAGE', `bad parameter '${text}': it is 'name=value'`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

async function readCookies(context: Context, flags: readonly string[]): Promise<string | undefined> {
  const pairs: string[] = [];
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    const name = flag.slice(0, equals).trim();
    if (equals < 1 || !/^[^\0-\x20\x7f;,=]+$/.test(name)) {
      throw new NettoolError('USAGE', "bad cookie: it is 'name=value'");
    }
    const { value } = await readSecret(context, flag.slice(equals + 1));
    if (/[\0-\x1f\x7f;]/.test(value))
      throw new NettoolError('USAGE', `the value of the cookie ${name} cannot be sent`);
    context.addSecret(value);
    pairs.push(`${name}=${value}`);
  }
  return pairs.length === 0 ? undefined : pairs.join('; ');
}
