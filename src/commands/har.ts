import { randomBytes } from 'node:crypto';
import { lstat, rename, unlink, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { NettoolError, toNettoolError } from '../core/errors.js';
import { looksSecret } from '../core/secrets.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { findHeader, toContent, toPostData } from './har-bodies.js';
import type { ExchangeRecord } from './transport.js';

/** Writes what was sent and answered as HAR 1.2; secrets that we sent are masked. */
export async function writeHar(
  context: Context,
  flags: AllFlags,
  records: readonly ExchangeRecord[],
): Promise<void> {
  const path = resolve(context.io.cwd, flags.har as string);
  const har = {
    log: {
      version: '1.2',
      creator: { name: packageJson.name, version: packageJson.version },
      entries: await Promise.all(records.map((record) => toEntry(record, context, flags))),
    },
  };
  const text = `${JSON.stringify(har, null, 2)}\n`;
  if (flags.har === '-') {
    context.io.stdout.write(text);
    return;
  }
  const fresh = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    const target = await lstat(path).catch(() => undefined);
    // A device, a FIFO or a link is written to, never replaced.
    if (target !== undefined && !target.isFile()) return await writeFile(path, text);
    // Logins may be in it with --show-secrets, and cookies always.
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await unlink(fresh).catch(() => {});
    const { message } = toNettoolError(error, `cannot write ${path}`);
    throw new NettoolError('OUTPUT_FAILED', message, { cause: error });
  }
}

async function toEntry(record: ExchangeRecord, context: Context, flags: AllFlags) {
  const { startedAt, url, head, request, response, failedAfterMs } = record;
  const show = (name: string, value: string): string =>
    looksSecret(name) && flags.showSecrets !== true ? '***' : context.redact(value);
  const httpVersion = `HTTP/${response?.httpVersion ?? head.httpVersion}`;
  return {
    startedDateTime: startedAt.toISOString(),
    time: response?.timings.totalMs ?? response?.timings.firstByteMs ?? failedAfterMs ?? 0,
    request: {
      method: head.method,
      url: context.redact(url.href),
      httpVersion,
      cookies: [],
      headers: head.headers.map(([name, value]) => ({ name, value: show(name, value) })),
      queryString: [...url.searchParams].map(([name, value]) => ({ name, value: show(name, value) })),
      headersSize: -1,
      ...(await toPostData(request, context)),
    },
    response: await toResponse(record, httpVersion, context.redact),
    cache: {},
    timings: toTimings(response),
    ...(response === undefined ? {} : { serverIPAddress: response.remoteAddress }),
  };
}

async function toResponse(
  { response, body }: ExchangeRecord,
  httpVersion: string,
  redact: (text: string) => string,
) {
  const headers = response?.headers ?? [];
  return {
    status: response?.status ?? 0,
    statusText: response?.reason ?? '',
    httpVersion,
    cookies: [],
    headers: headers.map(([name, value]) => ({ name, value: redact(value) })),
    content: await toContent(response, body, redact),
    redirectURL: redact(findHeader(headers, 'location') ?? ''),
    headersSize: -1,
    bodySize: response?.wireSizeBytes ?? -1,
  };
}

/** The steps of the format; -1 is what does not apply. */
function toTimings(response: ExchangeRecord['response']) {
  if (response === undefined)
    return { blocked: -1, dns: -1, connect: -1, send: 0, wait: 0, receive: 0, ssl: -1 };
  const { dnsMs, connectMs, tlsMs, firstByteMs, totalMs } = response.timings;
  const connected = tlsMs ?? connectMs;
  return {
    blocked: -1,
    dns: dnsMs,
    connect: connected - dnsMs,
    ssl: tlsMs === null ? -1 : tlsMs - connectMs,
    send: 0,
    wait: Math.max(0, firstByteMs - connected),
    receive: Math.max(0, (totalMs ?? firstByteMs) - firstByteMs),
  };
}
