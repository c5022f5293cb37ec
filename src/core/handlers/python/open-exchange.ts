import { errorResponse } from '../../http/error-response.js';
import { hasHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { type EncodedScope, encodeScope, type ScopePlace } from './asgi-scope.js';
import type { Dispatcher } from './dispatcher.js';
import { FLAG, FRAME } from './frames.js';
import { type ExchangeOwner, HttpExchange } from './http-exchange.js';
import type { OpeningFrame } from './lane.js';
import { announcedLength, ContentPump, readContent } from './request-content.js';
import { encodeEnviron } from './wsgi-environ.js';

/** Content of a known length up to this is read before the application is called (ASGI). */
const INLINE_BYTES = 65_536;
/** How far streamed content may be ahead of the application that reads it. */
const WINDOW_BYTES = 262_144;

/** What is needed to send a request to a worker. */
export interface ExchangePlace extends ScopePlace {
  readonly owner: ExchangeOwner;
  readonly dispatcher: Dispatcher;
  readonly kind: 'wsgi' | 'asgi';
}

/** Sends a request to a worker and resolves with its answer. */
export function openExchange(request: IncomingRequest, place: ExchangePlace): Promise<HttpResponse> {
  const isBare = !mayHaveBody(request);
  if (place.kind === 'asgi') {
    const scope = encodeScope(request, place);
    if (scope === undefined) return Promise.resolve(errorResponse(400, request.headers));
    if (isBare) return submit(request, place, toOpening(scope, FLAG.END));
    const length = announcedLength(request);
    return length !== undefined && length <= INLINE_BYTES && !hasHeader(request.headers, 'expect')
      ? openInline(request, place, scope)
      : openStreamed(request, place, scope);
  }
  if (!isBare) return openSpooled(request, place);
  // One that is said to be 0 is passed on: applications that read content rely on it.
  const length = request.method === 'GET' ? undefined : announcedLength(request);
  return openWsgi(request, place, length === undefined ? {} : { length });
}

function toOpening({ lead, head }: EncodedScope, flags: number, body?: Uint8Array): OpeningFrame {
  return { kind: FRAME.REQUEST, id: 0, flags, lead, head, body };
}

function submit(
  request: IncomingRequest,
  place: ExchangePlace,
  opening: OpeningFrame,
): Promise<HttpResponse> {
  const exchange = new HttpExchange(place.owner, request, opening);
  place.dispatcher.submit(exchange);
  return exchange.response;
}

async function openInline(
  request: IncomingRequest,
  place: ExchangePlace,
  scope: EncodedScope,
): Promise<HttpResponse> {
  const { bytes } = await readContent(request);
  return submit(request, place, toOpening(scope, FLAG.END, bytes));
}

/** The application is called at once; content follows as it comes and as it is taken. */
function openStreamed(
  request: IncomingRequest,
  place: ExchangePlace,
  scope: EncodedScope,
): Promise<HttpResponse> {
  const exchange = new HttpExchange(place.owner, request, toOpening(scope, 0));
  exchange.startPump(new ContentPump(request.body, WINDOW_BYTES, hasHeader(request.headers, 'expect')));
  place.dispatcher.submit(exchange);
  return exchange.response;
}

/** A thread is not bothered before all content is here: a slow uploader holds none. */
async function openSpooled(request: IncomingRequest, place: ExchangePlace): Promise<HttpResponse> {
  const { length, bytes, path, remove } = await readContent(request);
  if (path === undefined) return openWsgi(request, place, { length, body: bytes });
  try {
    return await openWsgi(request, place, { length, body: Buffer.from(path), flags: FLAG.SPOOLED });
  } finally {
    // Opened by now; whoever reads it has it still.
    await remove?.();
  }
}

interface WsgiContent {
  readonly length?: number;
  readonly body?: Uint8Array | undefined;
  readonly flags?: number;
}

function openWsgi(
  request: IncomingRequest,
  place: ExchangePlace,
  { length, body, flags = 0 }: WsgiContent,
): Promise<HttpResponse> {
  const { prefix, rootPath, isTrusted } = place;
  const head = encodeEnviron(request, { prefix, rootPath, isTrusted, contentLength: length });
  if (head === undefined) return Promise.resolve(errorResponse(400, request.headers));
  return submit(request, place, { kind: FRAME.REQUEST, id: 0, flags, lead: '', head, body });
}
