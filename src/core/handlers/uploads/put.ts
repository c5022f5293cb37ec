import { getHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { parseContentRange } from './content-range.js';
import type { UploadContext } from './index.js';
import { type Destination, openPlace, type Place, requireCleanName } from './place.js';
import { answerHeaders, Refusal } from './refusal.js';
import { offsetFields } from './resume.js';
import { storeFile } from './store.js';

/**
 * Stores the content of a PUT under its path: 201 with `Location` for a new file, 204 for one that took another's
 * place. With `Content-Range` it is a part of a file (308 until it is whole).
 */
export async function receivePut(
  request: IncomingRequest,
  destination: Destination,
  context: UploadContext,
): Promise<HttpResponse> {
  const { rules, root } = context;
  requireCleanName(destination.name);
  const announcedBytes = lengthOf(request);
  const encoding = getHeader(request.headers, 'content-encoding');
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Refusal(415, 'files are taken as they are, without a content encoding');
  }
  if (announcedBytes !== undefined && announcedBytes > rules.maxBytes) throw tooLarge();
  const place = await openPlace(root, destination.folder, rules.makeFolders);
  try {
    await context.sweeper.sweep(place);
    const range = getHeader(request.headers, 'content-range');
    if (range !== undefined) return await receivePart(request, destination, place, context);
    // The iterator leaves the connection alone when the body is refused halfway: the answer needs it.
    const bytes = request.body.iterator({ destroyOnReturn: false });
    const { maxBytes, overwrite } = rules;
    const stored = { maxBytes, overwrite, expectedBytes: announcedBytes };
    const { created } = await storeFile(place, destination.name, bytes, stored);
    return toStored(destination, created);
  } finally {
    place.close();
  }
}

async function receivePart(
  request: IncomingRequest,
  destination: Destination,
  place: Place,
  { rules, resumer }: UploadContext,
): Promise<HttpResponse> {
  const content = parseContentRange(getHeader(request.headers, 'content-range') ?? '');
  const announcedBytes = lengthOf(request);
  if (content === undefined) throw new Refusal(400, 'Content-Range has to be like bytes 0-99/1000');
  if (content.totalBytes > rules.maxBytes) throw tooLarge();
  if (content.part !== undefined && announcedBytes !== undefined && announcedBytes !== content.part.length) {
    throw new Refusal(400, 'Content-Range and Content-Length disagree');
  }
  const outcome = await resumer.receive(
    place,
    destination.name,
    request.body.iterator({ destroyOnReturn: false }),
    {
      content,
      overwrite: rules.overwrite,
      abandon: () => request.body.destroy(new Error('a later request took the upload over')),
    },
  );
  if (outcome.state === 'complete') return toStored(destination, outcome.created);
  return {
    status: 308,
    // Not the redirect the number came to mean: there is no Location.
    reason: 'Resume Incomplete',
    headers: [...answerHeaders('text/plain'), ...offsetFields(outcome.offsetBytes)],
    body: `${outcome.offsetBytes} of ${content.totalBytes} bytes\n`,
  };
}

function toStored({ folder, name }: Destination, created: boolean): HttpResponse {
  const location = encodePath(folder + name);
  if (!created) return { status: 204, headers: [['Content-Location', location]] };
  return { status: 201, headers: [['Location', location]], body: '' };
}

/** A canonical path as it stands in a URL. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function lengthOf({ headers }: IncomingRequest): number | undefined {
  const length = getHeader(headers, 'content-length');
  return length === undefined ? undefined : Number(length);
}

function tooLarge(): Refusal {
  return new Refusal(413, 'the file is too large');
}
