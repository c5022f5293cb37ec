import { resolve } from 'node:path';
import { looksSecret } from '../core/secrets.js';
import { shellWord as quote } from '../core/shell-word.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { JsonText } from './output/json-text.js';
import { compactJson, isJson } from './output/json-tokens.js';
import { createReporter } from './output/reporter.js';
import type { AddressedPlan } from './request-plan.js';
import { viewSentRequest } from './views/request.js';

/** `--dry-run`: prints the request as it would be sent. */
export async function printRequest(context: Context, plan: AddressedPlan, flags: AllFlags): Promise<void> {
  const { toRequestHead } = await import('../core/http/request-head.js');
  const { method, url, headers, body } = plan;
  const request = {
    method,
    url,
    headers,
    signal: context.io.signal,
    ...(body === undefined ? {} : { body }),
  };
  const head = toRequestHead(request);
  const isSecret = isSecretOf(plan, flags);
  if (!context.json) {
    const text = viewSentRequest({ head, request }, 'HB', context.style.stdout, isSecret);
    context.io.stdout.write(`${context.redact(text)}\n`);
    return;
  }
  const text = typeof body === 'string' || body instanceof Uint8Array ? Buffer.from(body).toString() : null;
  const shown = head.headers.map(([name, value]) => [name, isSecret(name) ? '***' : value] as const);
  const document = {
    type: 'request' as const,
    method,
    url: url.href,
    fields: shown,
    content: text === null ? null : isJson(text) ? new JsonText(compactJson(context.redact(text))) : text,
    contentSizeBytes:
      text === null && body !== undefined
        ? ((body as { sizeBytes?: number }).sizeBytes ?? null)
        : Buffer.byteLength(text ?? ''),
  };
  createReporter<typeof document>(context, () => undefined, 'stdout')(document);
}

function isSecretOf(plan: AddressedPlan, flags: AllFlags): (name: string) => boolean {
  return (name) =>
    flags.showSecrets !== true && (looksSecret(name) || plan.secretHeaders.has(name.toLowerCase()));
}

/** `--as-curl`: prints a command for a POSIX shell that sends the same request with curl. */
export function printCurl(context: Context, plan: AddressedPlan, flags: AllFlags): void {
  const { method, url, headers, body } = plan;
  const isMultipart = plan.curlBody.some((word) => word === '-F' || word === '--form-string');
  const words: string[] = ['curl'];
  if (method === 'HEAD') words.push('-I');
  else if (method !== (body === undefined ? 'GET' : 'POST')) words.push('-X', method);
  // To curl brackets and braces stand for many URLs.
  if (/[[\]{}]/.test(`${url.pathname}${url.search}`)) words.push('-g');
  words.push(quote(url.href));
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  for (const [name, value] of headers) {
    // curl writes the boundary of its own form.
    if (isMultipart && name.toLowerCase() === 'content-type') continue;
    // What curl sends is not compressed.
    if (flags.compress === true && name.toLowerCase() === 'content-encoding') continue;
    words.push('-H', quoteField(name, value, plan));
  }
  // curl asks first before it sends a large body.
  if (body !== undefined) words.push('-H', quote('Expect:'));
  // Those curl adds by itself, where they were taken out here.
  for (const name of ['User-Agent', 'Accept']) {
    if (!names.has(name.toLowerCase())) words.push('-H', quote(`${name}:`));
  }
  if (body !== undefined && !isMultipart && !names.has('content-type'))
    words.push('-H', quote('Content-Type:'));
  for (const word of plan.curlBody)
    words.push(word.startsWith('-') && word.length < 20 && !word.includes(' ') ? word : quote(word));
  words.push(...toCurlFlags(context, plan, flags));
  context.io.stdout.write(`${context.redact(words.join(' '))}\n`);
  if (flags.compress === true && !context.quiet) {
    context.io.stderr.write('note: curl cannot compress what it sends; the body is shown as it is before\n');
  }
}

function toCurlFlags(context: Context, plan: AddressedPlan, flags: AllFlags): string[] {
  const words: string[] = [];
  const add = (flag: string, value?: string | number): void => {
    words.push(flag, ...(value === undefined ? [] : [quote(String(value))]));
  };
  const path = (file: string): string => resolve(context.io.cwd, file);
  if (flags.follow) add('-L');
  if (flags.follow) add('--max-redirs', flags.maxRedirects);
  if (plan.headers.some(([name]) => name.toLowerCase() === 'accept-encoding') && flags.raw !== true)
    add('--compressed');
  if (plan.digest !== undefined) add('--digest');
  if (plan.digest !== undefined) add('-u', `${plan.digest.user}:${plan.digest.password}`);
  add('--connect-timeout', flags.connectTimeout / 1000);
  if (flags.timeout !== undefined) add('-m', flags.timeout / 1000);
  if (flags.retry !== undefined) add('--retry', flags.retry);
  if (flags.insecure === true) add('-k');
  if (flags.cacert !== undefined) add('--cacert', path(flags.cacert));
  if (flags.cert !== undefined) add('--cert', path(flags.cert));
  if (flags.key !== undefined) add('--key', path(flags.key));
  if (flags.tlsMin !== undefined) add(`--tlsv${flags.tlsMin}`);
  if (flags.ciphers !== undefined) add('--ciphers', flags.ciphers);
  for (const pin of flags.pin ?? []) add('--pinnedpubkey', `sha256//${pin}`);
  if (flags.proxy !== undefined) add('-x', flags.proxy);
  if (flags['http1.1'] === true) add('--http1.1');
  if (flags.http2 === true) add(plan.url.protocol === 'http:' ? '--http2-prior-knowledge' : '--http2');
  for (const entry of flags.resolve ?? []) add('--resolve', entry);
  if (flags.unixSocket !== undefined) add('--unix-socket', path(flags.unixSocket));
  if (flags.ipv4 === true) add('-4');
  if (flags.ipv6 === true) add('-6');
  if (flags.interface !== undefined) add('--interface', flags.interface);
  if (flags.limitRate !== undefined) add('--limit-rate', flags.limitRate);
  if (flags.output !== undefined && flags.output !== '-') add('-o', path(flags.output));
  if (flags.include === true) add('-i');
  return words;
}

/** A value that came from the environment is named again, not shown. */
function quoteField(name: string, value: string, plan: AddressedPlan): string {
  if (value === '') return quote(`${name};`);
  for (const [secret, variable] of plan.variables) {
    if (secret === '' || !value.endsWith(secret)) continue;
    const start = `${name}: ${value.slice(0, value.length - secret.length)}`;
    return `${quote(start)}"$${variable}"`;
  }
  return quote(`${name}: ${value}`);
}
