import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { errorResponse } from '../../http/error-response.js';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { CachePolicy } from './cache-control.js';
import type { FolderFeatures } from './features.js';
import { respondWithListing } from './listing.js';
import { isNavigation, type MissingPage, openMissingPage, varyByAccept } from './missing.js';
import { openWithin, type Root, resolveRoot } from './path.js';
import { redirectTo } from './redirect.js';
import { andThen, respondFrom } from './respond.js';
import { Site } from './site.js';
import type { Withheld } from './withheld.js';

/** A folder or a file to serve as it is. */
export interface StaticTarget {
  readonly kind: 'static';
  /** The folder, or one file, which then answers at `/` and at its name. */
  readonly root: string;
  /** Serves and lists what starts with a dot. */
  readonly showHidden?: boolean;
  /** Serves what symbolic links lead to outside the folder. */
  readonly followLinks?: boolean;
  /** Lists folders without an index file; on unless said otherwise, and off for a single page. */
  readonly listing?: boolean;
  /** The names of files that answer for their folder, the first that is there; `index.html` unless given. */
  readonly indexNames?: readonly string[];
  /** Answers `/about` with `about.html`, and sends `/about.html` there. */
  readonly cleanUrls?: boolean;
  /** Answers what is not there with the index of the root, when a person goes to it. */
  readonly singlePage?: boolean;
  /** A file to send with a 404: below the root, or an absolute path. */
  readonly notFoundPage?: string;
  /** How long clients may keep files; unless given `no-cache`, and a year for names with a hash of the content. */
  readonly cache?: CachePolicy;
  /** Memory for files that are asked for often; 64 MiB unless given. */
  readonly memoryBytes?: number;
  /** What is not there as a file: the site's programs. */
  readonly withheld?: Withheld;
  /** Sorting of listings, downloads as ZIP, uploads, live reload. */
  readonly features?: FolderFeatures;
}

const ALLOW = 'GET, HEAD, OPTIONS';
const INDEX_NAMES = ['index.html'];
const MEMORY_BYTES = 64 * 1024 * 1024;

type Answer = HttpResponse | Promise<HttpResponse>;

/** Answers GET and HEAD with files below a folder (or one file), and never with anything outside it. */
export async function createStaticHandler(target: StaticTarget): Promise<Handler> {
  const root = resolveRoot(target.root, target.followLinks ?? false, target.withheld);
  const missing = target.notFoundPage === undefined ? undefined : openMissingPage(root, target.notFoundPage);
  return new StaticHandler(target, root, missing);
}

class StaticHandler implements Handler {
  readonly #target: StaticTarget;
  readonly #root: Root;
  readonly #site: Site;
  readonly #missing: MissingPage | undefined;

  constructor(target: StaticTarget, root: Root, missing: MissingPage | undefined) {
    this.#target = target;
    this.#root = root;
    this.#missing = missing;
    const fileName = basename(target.root);
    const rules = {
      root,
      fileNames: new Set(['/', `/${fileName}`]),
      showHidden: target.showHidden ?? false,
      indexNames: target.indexNames ?? INDEX_NAMES,
      cleanUrls: target.cleanUrls ?? false,
      // A folder's address may be a page of the application.
      listing: target.listing !== false && target.singlePage !== true,
    };
    const { cache, memoryBytes = MEMORY_BYTES } = target;
    this.#site = new Site(rules, { cache, memoryBytes, fileName });
  }

  handle(request: IncomingRequest): Answer {
    const { method, headers } = request;
    if (method === 'OPTIONS') return { status: 204, headers: [['Allow', ALLOW]] };
    if (method !== 'GET' && method !== 'HEAD') return errorResponse(405, headers, [['Allow', ALLOW]]);
    return this.#answer(request, request.path);
  }

  async close(): Promise<void> {
    await Promise.all([this.#site.close(), this.#missing?.close()]);
  }

  #answer(request: IncomingRequest, path: string): Answer {
    const found = this.#site.find(path);
    switch (found.kind) {
      case 'resource':
        return respondFrom(this.#site, found, request);
      case 'redirect':
        return redirectTo(found.path, request);
      case 'forbidden':
        return errorResponse(403, request.headers);
      case 'folder':
        return this.#list(request);
      case 'missing':
        return this.#answerMissing(request, found.isSecret === true);
    }
  }

  /** What is not there: the application's page for a person on the way, else 404. */
  #answerMissing(request: IncomingRequest, isSecret: boolean): Answer {
    if (this.#target.singlePage === true && !isSecret && isNavigation(request)) {
      const index = this.#site.find('/');
      if (index.kind === 'resource') return andThen(respondFrom(this.#site, index, request), varyByAccept);
    }
    const page = this.#missing?.respond(request);
    if (page === undefined) return errorResponse(404, request.headers);
    return this.#target.singlePage === true ? andThen(page, varyByAccept) : page;
  }

  async #list(request: IncomingRequest): Promise<HttpResponse> {
    const folder = openWithin(this.#root, request.path);
    if (typeof folder === 'number') return errorResponse(folder, request.headers);
    try {
      if (!folder.stat.isDirectory()) return errorResponse(404, request.headers);
      const { showHidden = false, features } = this.#target;
      return await respondWithListing(request, folder, { root: this.#root, showHidden, features });
    } finally {
      closeSync(folder.fd);
    }
  }
}
