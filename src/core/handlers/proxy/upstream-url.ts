import { NettoolError } from '../../errors.js';
import type { StreamAddress } from '../../net/stream-dial.js';

/** An upstream as the user wrote it, taken apart. */
export interface UpstreamUrl {
  /** As written: how messages name it. */
  readonly text: string;
  readonly address: StreamAddress;
  readonly isTls: boolean;
  /** What `Host` is when it is not the client's. */
  readonly authority: string;
  /** The path that stands for the prefix, without the slash at its end; undefined when none was written. */
  readonly basePath: string | undefined;
}

/** What may stand in a path as written. */
const PATH = /^(?:\/[\w.~!$&'()*+,;=:@%/-]*)?$/;

/** Reads `http://host[:port][/path]`, `https://…` or `unix:/socket[:/path]`. */
export function parseUpstreamUrl(text: string): UpstreamUrl {
  return text.startsWith('unix:') ? parseUnix(text) : parseTcp(text);
}

function parseTcp(text: string): UpstreamUrl {
  const match = /^(https?):\/\/(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?(\/.*)?$/i.exec(text);
  if (match === null)
    throw malformed(text, text.includes('@') ? 'a user name or password is not sent' : undefined);
  const [, scheme = '', name = '', digits, path] = match;
  const isTls = scheme.toLowerCase() === 'https';
  const port = digits === undefined ? (isTls ? 443 : 80) : Number(digits);
  if (port === 0 || port > 65_535) throw malformed(text, 'the port is out of range');
  const host = name.replace(/^\[|\]$/g, '');
  return {
    text,
    address: { host, port },
    isTls,
    authority: digits === undefined ? name : `${name}:${port}`,
    basePath: toBasePath(text, path),
  };
}

function parseUnix(text: string): UpstreamUrl {
  const [, path = '', base] = /^unix:([^:]*)(?::(.*))?$/.exec(text) ?? [];
  if (path === '') throw malformed(text, undefined);
  return {
    text,
    address: { path },
    isTls: false,
    authority: 'localhost',
    basePath: toBasePath(text, base),
  };
}

function toBasePath(text: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (!PATH.test(path)) throw malformed(text, 'its path holds what no path may hold');
  return path.replace(/\/+$/, '');
}

function malformed(text: string, why: string | undefined): NettoolError {
  return new NettoolError('USAGE', `'${text}' is no upstream${why === undefined ? '' : ` (${why})`}`, {
    hint: 'write http://host:port, https://host or unix:/path; several are separated by commas',
  });
}
