import { deriveRequest } from '../../http/derived-request.js';
import type { Handler } from '../../http/handler.js';
import { getHeader, hasHeader, withHeader } from '../../http/headers.js';
import { isWrite } from '../../http/is-write.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { takesUploads, type UploadRules } from '../static/features.js';
import { isPortable, type Root, resolveRoot } from '../static/path.js';
import type { Withheld } from '../static/withheld.js';
import { makeFolder, remove } from './changes.js';
import { receiveFormPost } from './form-post.js';
import { parseDestination } from './place.js';
import { receivePut } from './put.js';
import { Refusal, refuse, toRefusal } from './refusal.js';
import { Resumer } from './resume.js';
import { isFromAnotherSite } from './same-site.js';
import { Sweeper } from './sweep.js';

/** What may be written, and below which folder. */
export interface UploadOptions {
  readonly root: string;
  readonly rules: UploadRules;
  /** Folders that start with a dot may be written to. */
  readonly showHidden: boolean;
  /** What nobody may write, since it would be run. */
  readonly withheld?: Withheld | undefined;
}

/** What the answer to a change needs. */
export interface UploadContext {
  readonly root: Root;
  readonly rules: UploadRules;
  readonly showHidden: boolean;
  readonly resumer: Resumer;
  readonly sweeper: Sweeper;
}

const CONDITIONS = /^if-(?:match|none-match|unmodified-since)$/i;

/** Takes files into a folder (PUT, POST of a form) and, where allowed, makes folders and deletes; all else is the inner handler's. */
export function createUploadHandler(inner: Handler, options: UploadOptions): Handler {
  const { rules, showHidden } = options;
  // Whatever may be read through links: nothing is written through one that leaves the folder.
  const root = resolveRoot(options.root, false, options.withheld);
  const context: UploadContext = { root, rules, showHidden, resumer: new Resumer(), sweeper: new Sweeper() };
  return {
    ...(inner.upgrade && { upgrade: inner.upgrade.bind(inner) }),
    async handle(request) {
      const { method, path, headers } = request;
      if (method === 'OPTIONS') return describeUploads(await inner.handle(request), path, rules);
      if (!isWrite(request) || !allowedMethods(path, rules).includes(method)) {
        return withAllow(await inner.handle(request), path, rules);
      }
      try {
        if (isFromAnotherSite(headers)) throw new Refusal(403, 'pages of other sites may not write here');
        await requireConditions(inner, request);
        return await change(request, context);
      } catch (error) {
        return refuse(toRefusal(error), headers);
      }
    },
    async close() {
      await inner.close?.();
    },
  };
}

function change(request: IncomingRequest, context: UploadContext): Promise<HttpResponse> {
  const { method, path } = request;
  if (method === 'POST') return receiveFormPost(request, context);
  const destination = parseDestination(path, context.showHidden);
  if (method === 'PUT') return receivePut(request, destination, context);
  if (method === 'MKCOL') return makeFolder(destination, context);
  return remove(destination, path, context);
}

/** Beside what the inner handler answers. */
function allowedMethods(path: string, rules: UploadRules): string[] {
  if (!takesUploads(path, rules) || !isPortable(path)) return [];
  const { makeFolders, allowDelete } = rules;
  const methods = path.endsWith('/') ? ['POST'] : ['PUT'];
  if (makeFolders) methods.push('MKCOL');
  if (allowDelete && path !== '/') methods.push('DELETE');
  return methods;
}

/** Says what may be sent: `Allow`, and the limit in the words of draft-ietf-httpbis-resumable-upload. */
function describeUploads(response: HttpResponse, path: string, rules: UploadRules): HttpResponse {
  const described = withAllow(response, path, rules);
  if (!takesUploads(path, rules)) return described;
  return { ...described, headers: [...described.headers, ['Upload-Limit', `max-size=${rules.maxBytes}`]] };
}

function withAllow(response: HttpResponse, path: string, rules: UploadRules): HttpResponse {
  const allow = getHeader(response.headers, 'allow');
  const more = allowedMethods(path, rules);
  if (allow === undefined || more.length === 0) return response;
  return { ...response, headers: withHeader(response.headers, 'Allow', [allow, ...more].join(', ')) };
}

/** Preconditions are the reader's to judge: it knows which tag it tells of each file (RFC 9110, section 13.1). */
async function requireConditions(inner: Handler, request: IncomingRequest): Promise<void> {
  const conditions = request.headers.filter(([name]) => CONDITIONS.test(name));
  if (conditions.length === 0) return;
  const { status } = await inner.handle(
    deriveRequest(request, { method: 'HEAD', headers: conditions, query: '' }),
  );
  // 304 is how a reader says that If-None-Match does not hold.
  const isMissing = status >= 400 && status !== 412;
  if (status === 412 || status === 304 || (isMissing && hasHeader(conditions, 'if-match'))) {
    throw new Refusal(412, 'the file is not what the request takes it for');
  }
}
