import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { errorResponse } from '../../http/error-response.js';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { respondWithFile } from './file.js';
import { respondWithListing } from './listing.js';
import { contentTypeOf } from './mime.js';
import { isHidden, isPortable, type Opened, openWithin, type Root, resolveRoot } from './path.js';

/** A folder or a file to serve as it is. */
export interface StaticTarget {
  readonly kind: 'static';
  /** The folder, or one file, which then answers at `/` and at its name. */
  readonly root: string;
  /** Serves and lists what starts with a dot. */
  readonly showHidden?: boolean;
  /** Serves what symbolic links lead to outside the folder. */
  readonly followLinks?: boolean;
  /** Lists folders without an `index.html`; on unless said otherwise. */
  readonly listing?: boolean;
}

const ALLOW = 'GET, HEAD, OPTIONS';
const INDEX = 'index.html';

/** Answers GET and HEAD with files below a folder (or one file), and never with anything outside it. */
export async function createStaticHandler(target: StaticTarget): Promise<Handler> {
  const root = resolveRoot(target.root, target.followLinks ?? false);
  const names = new Set(['/', `/${basename(target.root)}`]);
  return {
    handle(request) {
      const { method, path, headers } = request;
      if (method === 'OPTIONS') return { status: 204, headers: [['Allow', ALLOW]] };
      if (method !== 'GET' && method !== 'HEAD') return errorResponse(405, headers, [['Allow', ALLOW]]);
      if (root.isFile) {
        return names.has(path) ? respondAt(root, '', request, target.root) : errorResponse(404, headers);
      }
      if (!isPortable(path) || (!target.showHidden && isHidden(path))) return errorResponse(404, headers);
      return path.endsWith('/') ? respondInFolder(root, request, target) : respondAt(root, path, request);
    },
  };
}

/** The file of a path; a folder is sent to where its relative links work, with a slash at the end. */
function respondAt(root: Root, path: string, request: IncomingRequest, name = path): HttpResponse {
  const opened = openWithin(root, path);
  if (typeof opened === 'number') return errorResponse(opened, request.headers);
  if (opened.stat.isFile()) return respondWithFile(request, opened, contentTypeOf(name));
  closeSync(opened.fd);
  return redirectToFolder(request);
}

async function respondInFolder(
  root: Root,
  request: IncomingRequest,
  target: StaticTarget,
): Promise<HttpResponse> {
  const { path, headers } = request;
  const index = openWithin(root, path + INDEX);
  if (index === 403) return errorResponse(403, headers);
  if (typeof index !== 'number') {
    if (index.stat.isFile()) return respondWithFile(request, index, contentTypeOf(INDEX));
    closeSync(index.fd);
  }
  if (target.listing === false) return errorResponse(404, headers);
  const folder = openWithin(root, path);
  if (typeof folder === 'number') return errorResponse(folder, headers);
  return listAndClose(root, folder, request, target);
}

async function listAndClose(
  root: Root,
  folder: Opened,
  request: IncomingRequest,
  { showHidden = false }: StaticTarget,
): Promise<HttpResponse> {
  try {
    if (!folder.stat.isDirectory()) return errorResponse(404, request.headers);
    return await respondWithListing(request, folder, { root, showHidden });
  } finally {
    closeSync(folder.fd);
  }
}

/** From the canonical path, encoded anew: it has one slash in front, so it cannot name another site (`//evil.com`). */
function redirectToFolder({ path, query }: IncomingRequest): HttpResponse {
  const location = `${path.split('/').map(encodeURIComponent).join('/')}/${query === '' ? '' : `?${query}`}`;
  return {
    status: 301,
    headers: [
      ['Location', location],
      // What is a folder today may be a file tomorrow.
      ['Cache-Control', 'no-cache'],
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['X-Content-Type-Options', 'nosniff'],
    ],
    body: '301 Moved Permanently\n',
  };
}
