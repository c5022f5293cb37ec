import { errorResponse } from '../../http/error-response.js';
import type { Body, HeaderList, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { type Asked, readAsked } from './asked.js';
import { joinParts, layOutParts, streamParts } from './byteranges.js';
import { preferenceOf } from './coding.js';
import { checkConditions, rangeApplies } from './conditional.js';
import { type ByteRange, parseRanges } from './range.js';
import type { Representation } from './representation.js';
import { describeEncoded, type Resource } from './resource.js';
import type { Site } from './site.js';

/** A request for a file, as far as it matters how the file is answered. */
interface FileRequest {
  readonly isHead: boolean;
  readonly asked: Asked;
  readonly headers: HeaderList;
  /** How often a file that is replaced between looking and opening may still be looked for again. */
  readonly attemptsLeft: number;
}

/** An answer, or that the file is no longer the one that was found. */
type FileAnswer = HttpResponse | 'changed';

/** Below this the heads of a few parts may outweigh the file. */
const SMALL_BYTES = 2048;

const ATTEMPTS = 3;

/** Answers a request with a resource of a site: whole, in part, unchanged, or not as the client's conditions want it. */
export function respondFrom(
  site: Site,
  resource: Resource,
  { method, headers }: IncomingRequest,
  asked: Asked = readAsked(headers),
): HttpResponse | Promise<HttpResponse> {
  return attempt(site, resource, { isHead: method === 'HEAD', asked, headers, attemptsLeft: ATTEMPTS });
}

function attempt(site: Site, resource: Resource, request: FileRequest): HttpResponse | Promise<HttpResponse> {
  const chosen = choose(site, resource, request);
  if (chosen instanceof Promise) return chosen.then((form) => settle(site, resource, request, form));
  return settle(site, resource, request, chosen);
}

function settle(
  site: Site,
  resource: Resource,
  request: FileRequest,
  form: Representation | undefined,
): HttpResponse | Promise<HttpResponse> {
  const response = answer(site, resource, request, form);
  if (response !== 'changed') return response;
  const { attemptsLeft, headers } = request;
  if (attemptsLeft === 0) throw new Error('the file is replaced faster than it can be opened');
  site.forget(resource.key);
  const found = site.find(resource.key);
  if (found.kind !== 'resource') return errorResponse(404, headers);
  return attempt(site, found, { ...request, attemptsLeft: attemptsLeft - 1 });
}

/** Goes on with an answer that may be there already. */
export function andThen<Input, Output>(
  value: Input | Promise<Input>,
  next: (value: Input) => Output,
): Output | Promise<Output> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The form of a file a client takes and likes best; `undefined` when it takes none there is. */
function choose(
  { compressor }: Site,
  resource: Resource,
  { asked, isHead }: FileRequest,
): Representation | undefined | Promise<Representation | undefined> {
  const { codings, identity } = preferenceOf(asked.acceptEncoding);
  const plain = identity ? resource.identity : undefined;
  // What is compressed here may be other bytes the next time: no part of it would fit to another.
  const wantsPart = asked.range !== undefined && !isHead && identity;
  for (const coding of codings) {
    const ready = resource.encoded[coding];
    if (ready !== undefined && (ready.isFile || !wantsPart)) {
      compressor.used(resource, ready);
      return ready;
    }
    if (wantsPart) continue;
    if (asked.ifNoneMatch !== undefined && resource.canCompress) {
      const promised = describeEncoded(resource, coding);
      // The client has it already: no need to make it again.
      if (checkConditions(asked, promised.validators) === 304) return promised;
    }
    const soon = compressor.obtain(resource, coding, !identity);
    if (soon !== undefined) return soon.then((form) => form ?? plain);
  }
  return plain;
}

function answer(
  site: Site,
  resource: Resource,
  request: FileRequest,
  form: Representation | undefined,
): FileAnswer {
  if (form === undefined) return errorResponse(406, request.headers, [['Vary', 'Accept-Encoding']]);
  const { asked, isHead, headers } = request;
  if (!asked.isPlain) {
    const outcome = checkConditions(asked, form.validators);
    if (outcome === 412) return errorResponse(412, headers);
    if (outcome === 304) return form.unchanged;
    const ranges = isHead ? undefined : rangesOf(asked, form);
    if (ranges === 'unsatisfiable') {
      return errorResponse(416, headers, [['Content-Range', `bytes */${form.sizeBytes}`]]);
    }
    if (ranges !== undefined) return answerInPart(site, resource, form, ranges);
  }
  if (isHead) return form.head;
  if (form.bytes !== undefined) return form.whole;
  const opened = site.open(resource, form);
  if (opened === undefined) return 'changed';
  return { ...form.whole, body: { fd: opened.fd, offset: 0, length: form.sizeBytes } };
}

function rangesOf(asked: Asked, form: Representation): ReturnType<typeof parseRanges> {
  if (asked.range === undefined || !form.isFile || !rangeApplies(asked, form.validators)) return undefined;
  return parseRanges(asked.range, form.sizeBytes);
}

function answerInPart(
  site: Site,
  resource: Resource,
  form: Representation,
  ranges: readonly ByteRange[],
): FileAnswer {
  const [range] = ranges;
  if (ranges.length === 1 && range !== undefined) return answerWithRange(site, resource, form, range);
  const parts = layOutParts(ranges, form.sizeBytes, form.contentType);
  // Asking for parts must not bring more than asking for the whole.
  const isMore = parts.lengthBytes > Math.max(form.sizeBytes, SMALL_BYTES);
  const body = readParts(site, resource, form, (bytes, fd) => {
    if (isMore) return bytes ?? { fd, offset: 0, length: form.sizeBytes };
    return bytes === undefined ? streamParts(parts, fd) : joinParts(parts, bytes);
  });
  if (body === undefined) return 'changed';
  if (isMore) return { ...form.whole, body };
  const { contentType, lengthBytes } = parts;
  return {
    status: 206,
    headers: alter(form, { 'Content-Type': contentType, 'Content-Length': String(lengthBytes) }),
    body,
  };
}

function answerWithRange(
  site: Site,
  resource: Resource,
  form: Representation,
  { first, last }: ByteRange,
): FileAnswer {
  const length = last - first + 1;
  const body = readParts(site, resource, form, (bytes, fd) =>
    bytes === undefined ? { fd, offset: first, length } : bytes.subarray(first, last + 1),
  );
  if (body === undefined) return 'changed';
  const contentRange: HeaderList = [['Content-Range', `bytes ${first}-${last}/${form.sizeBytes}`]];
  return {
    status: 206,
    headers: [...alter(form, { 'Content-Length': String(length) }), ...contentRange],
    body,
  };
}

/** Takes a body from the bytes in memory, else from the file, whose descriptor it then owns. */
function readParts(
  site: Site,
  resource: Resource,
  form: Representation,
  take: (bytes: Buffer | undefined, fd: number) => Body,
): Body | undefined {
  if (form.bytes !== undefined) return take(form.bytes, -1);
  const opened = site.open(resource, form);
  return opened === undefined ? undefined : take(undefined, opened.fd);
}

function alter(form: Representation, values: Readonly<Record<string, string>>): HeaderList {
  return form.head.headers.map(([name, value]) => [name, values[name] ?? value]);
}
