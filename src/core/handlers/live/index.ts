import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { deriveRequest } from '../../http/derived-request.js';
import type { Handler } from '../../http/handler.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderPair, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { passOn } from '../../http/wrappers/wrap.js';
import { isHidden, resolveRoot } from '../static/path.js';
import { LIVE_SCRIPT } from './client-script.js';
import { EventStreams } from './event-stream.js';
import { injectInto } from './inject.js';
import type { Wanted } from './policy.js';
import { watchTree } from './watch.js';

/** What is watched for the pages of a handler. */
export interface LiveReloadOptions {
  /** The folder or file whose changes count. */
  readonly root: string;
  /** Changes of what starts with a dot count too. */
  readonly showHidden: boolean;
  /** Ends the event streams, so that a server that stops need not wait for them. */
  readonly signal: AbortSignal;
  /** Looks every so often instead of being told by the system. */
  readonly pollMs?: number;
}

/** Reserved: nothing a folder holds is reached below it while pages are kept up to date. */
const SCRIPT_PATH = '/.nettool/live.js';
const EVENTS_PATH = '/.nettool/events';

/**
 * Puts a script into every HTML answer of a handler that reloads it, or swaps its style sheets, when a file below the
 * root changes. Works on whatever answers, since it asks for the plain representation and never for a part of a page.
 */
export function createLiveReload(inner: Handler, options: LiveReloadOptions): Handler {
  const root = resolveRoot(options.root, false);
  const states = new States();
  const streams = new EventStreams();
  const watch = watchTree({
    path: root.path,
    isFile: root.isFile,
    ignores: (path) => isBoring(path, options.showHidden),
    onChange(paths) {
      const { version } = states.advance();
      const changed = root.isFile ? ['/', `/${basename(root.path)}`] : paths.map((path) => `/${path}`);
      streams.broadcast('change', JSON.stringify({ version, paths: changed }));
    },
    ...(options.pollMs !== undefined && { pollMs: options.pollMs }),
  });
  options.signal.addEventListener('abort', () => streams.close(), { once: true });
  return {
    ...passOn(inner),
    handle(request) {
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead && request.path === EVENTS_PATH) return streams.open('hello', states.now.version);
      if (isRead && request.path === SCRIPT_PATH) return respondWithScript();
      return answerLive(inner, request, states.now);
    },
    async close() {
      watch.close();
      streams.close();
      await inner.close?.();
    },
  };
}

/** Which state of the files a page shows. */
interface State {
  /** Of this run and this state: what comes from another server or from before a change is told by it. */
  readonly version: string;
  readonly nonce: string;
  readonly snippet: string;
  /** The end of every entity tag: a page changes with its snippet. */
  readonly tagEnd: string;
}

/** Counts the states of the files. */
class States {
  readonly #run: string = randomBytes(4).toString('hex');
  readonly #nonce: string = randomBytes(12).toString('base64url');
  #count = 0;
  #now = this.#make();

  /** An answer is made with the state it began in: what changes while it is made is news to its page. */
  get now(): State {
    return this.#now;
  }

  advance(): State {
    this.#count += 1;
    this.#now = this.#make();
    return this.#now;
  }

  #make(): State {
    const version = `${this.#run}.${this.#count}`;
    const attributes = `src="${SCRIPT_PATH}" data-version="${version}" nonce="${this.#nonce}" async`;
    return {
      version,
      nonce: this.#nonce,
      snippet: `\n<script ${attributes}></script>\n`,
      tagEnd: `-${version}"`,
    };
  }
}

async function answerLive(inner: Handler, request: IncomingRequest, state: State): Promise<HttpResponse> {
  const headers = toPlainHeaders(request, state);
  let response = await inner.handle(deriveRequest(request, { headers }));
  if (response.status === 206 && /^text\/html/i.test(getHeader(response.headers, 'content-type') ?? '')) {
    release(response);
    const whole = headers.filter(([name]) => !/^(?:if-)?range$/i.test(name));
    response = await inner.handle(deriveRequest(request, { headers: whole }));
  }
  const injected = await injectInto(response, state.snippet, wantedOn(request, state));
  return { ...injected, headers: injected.headers.map((field) => toLiveHeader(field, state)) };
}

/** What the inner handler is asked: uncompressed, and with its own tags, as far as they are of this state. */
function toPlainHeaders({ headers }: IncomingRequest, { tagEnd }: State): HeaderPair[] {
  const hasForeignRange = headers.some(
    ([name, value]) => /^if-range$/i.test(name) && !value.endsWith(tagEnd),
  );
  return headers.flatMap(([name, value]): HeaderPair[] => {
    const key = name.toLowerCase();
    if (key === 'accept-encoding' || key === 'if-modified-since') return [];
    if (hasForeignRange && (key === 'range' || key === 'if-range')) return [];
    if (key === 'if-none-match' && value.trim() !== '*') {
      const tags = value.match(/(?:W\/)?"[^"]*"/g) ?? [];
      const current = tags.filter((tag) => tag.endsWith(tagEnd)).map((tag) => tag.replace(tagEnd, '"'));
      return current.length === 0 ? [] : [[name, current.join(', ')]];
    }
    return key === 'if-match' || key === 'if-range'
      ? [[name, value.replaceAll(tagEnd, '"')]]
      : [[name, value]];
  });
}

/** Every tag says the state; and nothing is kept without asking, however long it may be kept otherwise. */
function toLiveHeader([name, value]: HeaderPair, { tagEnd }: State): HeaderPair {
  const key = name.toLowerCase();
  if (key === 'etag') return [name, value.replace(/"$/, tagEnd)];
  return key === 'cache-control' && !/no-store/i.test(value) ? [name, 'no-cache'] : [name, value];
}

function wantedOn({ headers, scheme }: IncomingRequest, { nonce }: State): Wanted {
  const host = getHeader(headers, 'host') ?? '';
  // Only what can be a host and nothing but one gets into a policy.
  const origin = /^[\w.:[\]-]+$/.test(host) ? `${scheme}://${host}` : '';
  const source = (path: string): string => (origin === '' ? "'self'" : origin + path);
  return { nonce, script: source(SCRIPT_PATH), events: source(EVENTS_PATH) };
}

function respondWithScript(): HttpResponse {
  return {
    status: 200,
    headers: [
      ['Content-Type', 'text/javascript; charset=utf-8'],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
    ],
    body: LIVE_SCRIPT,
  };
}

/** What changes all the time and is no page: hidden files, unfinished uploads, other people's packages. */
function isBoring(path: string, showHidden: boolean): boolean {
  return (
    /(?:^|\/)(?:(?:node_modules|\.git)(?:\/|$)|\.nettool-)/.test(path) ||
    (!showHidden && isHidden(`/${path}`))
  );
}

/** Lets go of a body that is not sent. */
function release({ body }: HttpResponse): void {
  if (typeof body !== 'object' || body instanceof Uint8Array) return;
  if ('fd' in body && 'offset' in body) closeSync(body.fd);
  else body.destroy();
}
