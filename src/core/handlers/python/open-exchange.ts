import { errorResponse } from '../../http/error-response.js';
import type { IsTrusted } from '../../http/forwarded.js';
import { hasHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { encodeScope } from './asgi-scope.js';
import type { Dispatcher } from './dispatcher.js';
import { FLAG, FRAME } from './frames.js';
import { type ExchangeOwner, HttpExchange } from './http-exchange.js';
import { announcedLength, ContentPump, hasContent, readContent } from './request-content.js';
import { encodeEnviron } from './wsgi-environ.js';

/** Content of a known length up to this is read before the application is called (ASGI). */
const INLINE_BYTES = 65_536;
/** How far streamed content may be ahead of the application that reads it. */
const WINDOW_BYTES = 262_144;

/** What is needed to send a request to a worker. */
export interface ExchangePlace {
  readonly owner: ExchangeOwner;
  readonly dispatcher: Dispatcher;
  readonly kind: 'wsgi' | 'asgi';
  readonly prefix: string;
  readonly isTrusted: IsTrusted;
  readonly nextId: () => number;
}

/** Sends a request to a worker and resolves with its answer. */
export function openExchange(request: IncomingRequest, place: ExchangePlace): Promise<HttpResponse> {
  const isBare = !hasContent(request);
  if (place.kind === 'asgi') {
    const head = encodeScope(request, place.prefix, place.isTrusted);
    if (head === undefined) return Promise.resolve(errorResponse(400, request.headers));
    if (isBare) return submit(request, place, { head, flags: FLAG.END });
    const length = announcedLength(request);
    return length !== undefined && length <= INLINE_BYTES && !hasHeader(request.headers, 'expect')
      ? openInline(request, place, head)
      : openStreamed(request, place, head);
  }
  if (!isBare) return openSpooled(request, place);
  // One that is said to be 0 is passed on: applications that read content rely on it.
  const length = request.method === 'GET' ? undefined : announcedLength(request);
  return openWsgi(request, place, length, {});
}

interface Opening {
  readonly head: string;
  readonly flags: number;
  readonly body?: Uint8Array;
}

function submit(request: IncomingRequest, place: ExchangePlace, opening: Opening): Promise<HttpResponse> {
  const exchange = createExchange(request, place, opening);
  place.dispatcher.submit(exchange);
  return exchange.response;
}

function createExchange(request: IncomingRequest, place: ExchangePlace, opening: Opening): HttpExchange {
  const { head, flags, body } = opening;
  const frame = { kind: FRAME.REQUEST, id: place.nextId(), head, flags, ...(body !== undefined && { body }) };
  return new HttpExchange(place.owner, request, frame);
}

async function openInline(
  request: IncomingRequest,
  place: ExchangePlace,
  head: string,
): Promise<HttpResponse> {
  const { bytes } = await readContent(request);
  return submit(request, place, { head, flags: FLAG.END, ...(bytes !== undefined && { body: bytes }) });
}

/** The application is called at once; content follows as it comes and as it is taken. */
function openStreamed(request: IncomingRequest, place: ExchangePlace, head: string): Promise<HttpResponse> {
  const exchange = createExchange(request, place, { head, flags: 0 });
  const pump = new ContentPump(request.body, WINDOW_BYTES, hasHeader(request.headers, 'expect'));
  exchange.startPump(pump);
  place.dispatcher.submit(exchange);
  return exchange.response;
}

/** A thread is not bothered before all content is here: a slow uploader holds none. */
async function openSpooled(request: IncomingRequest, place: ExchangePlace): Promise<HttpResponse> {
  const { length, bytes, path, remove } = await readContent(request);
  if (path === undefined) {
    return openWsgi(request, place, length, bytes === undefined ? {} : { body: bytes });
  }
  try {
    const opening = { body: Buffer.from(path), flags: FLAG.SPOOLED };
    return await openWsgi(request, place, length, opening);
  } finally {
    // Opened by now; whoever reads it has it still.
    await remove?.();
  }
}

function openWsgi(
  request: IncomingRequest,
  place: ExchangePlace,
  contentLength: number | undefined,
  content: { readonly body?: Uint8Array; readonly flags?: number },
): Promise<HttpResponse> {
  const { prefix, isTrusted } = place;
  const head = encodeEnviron(request, { prefix, isTrusted, contentLength });
  if (head === undefined) return Promise.resolve(errorResponse(400, request.headers));
  return submit(request, place, { head, flags: FLAG.END | (content.flags ?? 0), ...content });
}
