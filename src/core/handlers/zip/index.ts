import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isHidden, isPortable, openWithin, type Root, resolveRoot } from '../static/path.js';
import type { Withheld } from '../static/withheld.js';
import { zipFiles } from './archive.js';
import { walk } from './walk.js';

/** Which folder can be had as a ZIP, and what of it. */
export interface ZipOptions {
  readonly root: string;
  readonly showHidden: boolean;
  readonly followLinks: boolean;
  readonly withheld?: Withheld | undefined;
}

/** The top folder has no name that is anyone's business. */
const TOP_NAME = 'files';

/** Answers `GET /folder/?zip` with the folder as a ZIP that is made while it is sent; all else is the inner handler's. */
export function createZipHandler(inner: Handler, options: ZipOptions): Handler {
  const root = resolveRoot(options.root, options.followLinks, options.withheld);
  const { showHidden } = options;
  return {
    ...(inner.upgrade && { upgrade: inner.upgrade.bind(inner) }),
    handle(request) {
      return asksForZip(request) && isFolder(root, request.path, showHidden)
        ? respondWithZip(request, root, showHidden)
        : inner.handle(request);
    },
    async close() {
      await inner.close?.();
    },
  };
}

function asksForZip({ method, path, query }: IncomingRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && path.endsWith('/') && /^zip(?:=|$)/.test(query);
}

function isFolder(root: Root, path: string, showHidden: boolean): boolean {
  if (!isPortable(path) || (!showHidden && isHidden(path))) return false;
  const opened = openWithin(root, path);
  if (typeof opened === 'number') return false;
  closeSync(opened.fd);
  return opened.stat.isDirectory();
}

function respondWithZip(request: IncomingRequest, root: Root, showHidden: boolean): HttpResponse {
  const { method, path } = request;
  const name = path.split('/').at(-2) || TOP_NAME;
  const head: HttpResponse = {
    status: 200,
    headers: [
      ['Content-Type', 'application/zip'],
      ['Content-Disposition', attachment(`${name}.zip`)],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
    ],
  };
  if (method === 'HEAD') return head;
  const files = walk(path, { root, showHidden });
  return { ...head, body: Readable.from(zipFiles(files, `${name}/`), { objectMode: false }) };
}

/** RFC 6266: a plain name for old clients, and the real one; neither can hold a quote or a control. */
function attachment(name: string): string {
  const plain = name.replace(/[^\w .()-]/g, '_');
  const real = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${real}`;
}
