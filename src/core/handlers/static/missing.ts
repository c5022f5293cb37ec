import { basename, isAbsolute } from 'node:path';
import { NettoolError } from '../../errors.js';
import { chooseType } from '../../http/accept.js';
import { getAllHeaders, getHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { askNothing } from './asked.js';
import { type Root, resolveRoot } from './path.js';
import { andThen, respondFrom } from './respond.js';
import { Site } from './site.js';

/** A page for what is not there. */
export interface MissingPage {
  /** The page with status 404; `undefined` when it is not there itself any more. */
  respond(request: IncomingRequest): HttpResponse | Promise<HttpResponse> | undefined;
  close(): Promise<void>;
}

const MEMORY_BYTES = 4 * 1024 * 1024;

/** Of the state of the page, which is not what was asked for. */
const NOT_FOR_ERRORS = new Set(['etag', 'last-modified', 'accept-ranges']);

/**
 * Whether a person wants to go there, so that an application of one page should answer for itself: a page is accepted
 * by name, and the last segment does not look like a file's (a missing script must not come back as HTML).
 */
export function isNavigation({ path, headers }: IncomingRequest): boolean {
  const accept = getHeader(headers, 'accept') ?? '';
  if (!/\btext\/html\b/i.test(accept)) return false;
  if (chooseType(accept, ['application/octet-stream', 'text/html']) !== 'text/html') return false;
  return !path.slice(path.lastIndexOf('/') + 1).includes('.');
}

/** Takes a file below the root, or one named by an absolute path, as the page for what is not there. */
export function openMissingPage(root: Root, file: string): MissingPage {
  const pageRoot = isAbsolute(file) ? resolveRoot(file, true) : root;
  const path = isAbsolute(file) ? '/' : `/${file.replace(/^(?:\.?\/)+/, '')}`;
  const rules = {
    root: pageRoot,
    fileNames: new Set([path]),
    showHidden: true,
    indexNames: [],
    cleanUrls: false,
    listing: false,
  };
  const site = new Site(rules, { cache: 'no-cache', memoryBytes: MEMORY_BYTES, fileName: basename(file) });
  if ((root.isFile && !isAbsolute(file)) || site.find(path).kind !== 'resource') {
    throw new NettoolError(
      'INPUT_FAILED',
      `cannot use ${file} as the page for 404 (no such file in the folder)`,
    );
  }
  return {
    respond(request) {
      const page = site.find(path);
      if (page.kind !== 'resource') return undefined;
      const { headers } = request;
      const asked = askNothing(getAllHeaders(headers, 'accept-encoding').join(', ') || undefined);
      return andThen(respondFrom(site, page, request, asked), toMissing);
    },
    close: () => site.close(),
  };
}

function toMissing(response: HttpResponse): HttpResponse {
  if (response.status !== 200) return { ...response, status: 404 };
  return {
    ...response,
    status: 404,
    headers: response.headers.filter(([name]) => !NOT_FOR_ERRORS.has(name.toLowerCase())),
  };
}

/** The same answer, told to depend on what the client accepts. */
export function varyByAccept(response: HttpResponse): HttpResponse {
  return { ...response, headers: [...response.headers, ['Vary', 'Accept']] };
}
