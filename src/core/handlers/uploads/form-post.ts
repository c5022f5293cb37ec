import { chooseType } from '../../http/accept.js';
import { getHeader } from '../../http/headers.js';
import { escapeHtml, htmlPage } from '../../http/html.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isHidden } from '../static/path.js';
import { FORM_OVERHEAD_BYTES, type FormFile, receiveForm } from './form.js';
import type { UploadContext } from './index.js';
import { openPlace } from './place.js';
import { encodePath } from './put.js';
import { answerHeaders, Refusal } from './refusal.js';

/** Stores the files of a posted form in the folder of its path; browsers are sent back to the listing. */
export async function receiveFormPost(
  request: IncomingRequest,
  { root, rules, showHidden, sweeper }: UploadContext,
): Promise<HttpResponse> {
  const { path, headers, body } = request;
  if (!showHidden && isHidden(path)) throw new Refusal(404, 'there is no such folder');
  const announcedBytes = Number(getHeader(headers, 'content-length') ?? 0);
  if (announcedBytes > rules.maxBytes + FORM_OVERHEAD_BYTES) throw new Refusal(413, 'the form is too large');
  const place = await openPlace(root, path, false);
  try {
    await sweeper.sweep(place);
    const files = await receiveForm(body, getHeader(headers, 'content-type') ?? '', place, rules);
    if (files.length === 0) throw new Refusal(400, "the form has no file (its field must be named 'file')");
    return report(request, files);
  } finally {
    place.close();
  }
}

function report({ path, headers }: IncomingRequest, files: readonly FormFile[]): HttpResponse {
  const worst = Math.max(0, ...files.map(({ refusal }) => refusal?.status ?? 0));
  const status = worst || 201;
  const offers = ['application/json', 'text/html', 'text/plain'] as const;
  const type = chooseType(getHeader(headers, 'accept'), offers);
  const location = (name: string): string => encodePath(path + name);
  if (type === 'text/html' && status === 201) {
    // The listing again, and by GET: reloading it does not send the files anew.
    return {
      status: 303,
      headers: [['Location', encodePath(path)], ...answerHeaders('text/plain')],
      body: '',
    };
  }
  const only = files.length === 1 && status === 201 ? files[0] : undefined;
  const bodies = {
    'application/json': () => `${JSON.stringify({ files: files.map((file) => toJson(file, location)) })}\n`,
    'text/html': () => toPage(files),
    'text/plain': () => files.map((file) => `${describe(file)}\n`).join(''),
  };
  return {
    status,
    headers: [...answerHeaders(type), ...(only ? [['Location', location(only.name)] as const] : [])],
    body: bodies[type](),
  };
}

function toJson({ name, sizeBytes, refusal }: FormFile, location: (name: string) => string): object {
  if (refusal === undefined) return { name, path: location(name), sizeBytes, status: 201 };
  return { name, status: refusal.status, reason: refusal.message };
}

function describe({ name, sizeBytes, refusal }: FormFile): string {
  return refusal === undefined ? `${name}: ${sizeBytes} bytes` : `${name}: ${refusal.message}`;
}

function toPage(files: readonly FormFile[]): string {
  const items = files.map((file) => `<li>${escapeHtml(describe(file))}</li>`).join('\n');
  const title = 'Not every file was uploaded';
  return htmlPage(title, `<h1>${title}</h1>\n<ul>\n${items}\n</ul>\n<p><a href="./">Back</a></p>`);
}
