import { GatewayError, gatewayResponse } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import { getHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isIdempotent } from '../../http/methods.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { spoolBody } from '../../http/spool.js';
import { ConnectFailure } from '../../http/upstream/client.js';
import { Joints, joinUpgrade } from '../../http/upstream/join.js';
import { NoReply } from '../../http/upstream/reply-error.js';
import type { RequestBody } from '../../http/upstream/request-body.js';
import type { UpstreamReply } from '../../http/upstream/types.js';
import { tellFailure } from '../handler-events.js';
import { type ProxyOptions, type ProxySettings, toProxySettings } from './options.js';
import { countHops } from './request-head.js';
import { responseHeaders } from './response.js';
import { upstreamTarget } from './target.js';
import { createUpstreams, type Upstream, type Upstreams } from './upstreams.js';

export type { ProxyOptions } from './options.js';

/** Bodies up to this size are read first: they can be sent again, and go out in one piece with the head. */
const REPLAY_BYTES = 64 * 1024;

/** More often than this through ourselves is a loop. */
const MAX_HOPS = 10;

/** Answers with what other HTTP servers answer (RFC 9110, section 7.6). Throws a usage error for a bad upstream. */
export function createProxyHandler(options: ProxyOptions): Handler {
  const settings = toProxySettings(options);
  const upstreams = createUpstreams(settings, settings.onEvent);
  const forward = (request: IncomingRequest, upgrade?: string): Promise<Forwarded> =>
    forwardRequest(request, { settings, upstreams, upgrade });

  const joints = new Joints();

  return {
    async handle(request) {
      try {
        const { reply, upstream } = await forward(request);
        return upstream.toResponse(reply);
      } catch (error) {
        return failed(request, error, settings);
      }
    },
    async upgrade(request, socket, head) {
      const protocol = getHeader(request.headers, 'upgrade');
      try {
        const { reply, upstream } = await forward(request, protocol);
        if (reply.upgraded === undefined) return upstream.toResponse(reply);
        await joinUpgrade(reply, socket, head, joints);
        return undefined;
      } catch (error) {
        return failed(request, error, settings);
      }
    },
    retire() {
      joints.retire();
    },
    async close() {
      upstreams.close();
    },
  };
}

interface Forwarding {
  readonly settings: ProxySettings;
  readonly upstreams: Upstreams;
  readonly upgrade: string | undefined;
}

interface Forwarded {
  readonly reply: UpstreamReply;
  readonly upstream: Upstream;
}

/** Sends a request to one upstream after the other, until one has answered or no other may be tried. */
async function forwardRequest(request: IncomingRequest, forwarding: Forwarding): Promise<Forwarded> {
  const { settings, upstreams, upgrade } = forwarding;
  if (countHops(request) >= MAX_HOPS) throw new GatewayError(508, 'the request goes in circles');
  const body = mayHaveBody(request) ? await readBody(request) : undefined;
  const isWhole = body === undefined || Buffer.isBuffer(body);
  const isReplayable = isWhole && isIdempotent(request.method);
  const tried = new Set<Upstream>();
  let problem: GatewayError | undefined;
  while (tried.size <= settings.retries) {
    const upstream = upstreams.choose(request, tried);
    if (upstream === undefined) break;
    tried.add(upstream);
    const target = upstreamTarget(request, upstream.url.basePath, settings);
    // Not the upstream's fault: nobody may have one taken for broken by what they ask for.
    if (target === undefined) throw new GatewayError(502, 'the target cannot be sent to an upstream');
    const sentAt = performance.now();
    request.note?.({ upstream: upstream.name });
    try {
      const reply = await sendTo(upstream, request, { target, body, upgrade, isReplayable });
      upstreams.succeeded(upstream);
      request.note?.({ upstreamMs: performance.now() - sentAt });
      return { reply, upstream };
    } catch (error) {
      if (request.signal.aborted || !(error instanceof GatewayError)) throw error;
      problem = new GatewayError(error.status as 502, `${upstream.name}: ${error.message}`, error);
      upstreams.failed(upstream, error.message);
      // Never sent, or never seen and harmless to send again: another one may answer.
      const mayRetry = error instanceof ConnectFailure || (error instanceof NoReply && isReplayable);
      if (!mayRetry) break;
    }
  }
  throw problem ?? new GatewayError(503, 'no upstream is available');
}

/** The content: all of it when it is small, or the stream it is. */
async function readBody(request: IncomingRequest): Promise<RequestBody> {
  const announced = getHeader(request.headers, 'content-length');
  const length = announced === undefined ? undefined : Number(announced);
  if (length !== undefined && length <= REPLAY_BYTES) {
    const { bytes } = await spoolBody(request.body, { memoryBytes: REPLAY_BYTES, signal: request.signal });
    if (bytes?.byteLength !== length) throw new GatewayError(502, 'the client broke off its request');
    return bytes;
  }
  return { source: request.body, length, trailers: () => request.trailers ?? [] };
}

interface SendingOptions {
  readonly target: string;
  readonly body: RequestBody | undefined;
  readonly upgrade: string | undefined;
  readonly isReplayable: boolean;
}

function sendTo(
  { client, writeHead }: Upstream,
  request: IncomingRequest,
  { target, body, upgrade, isReplayable }: SendingOptions,
): Promise<UpstreamReply> {
  const { method, signal } = request;
  return client.send(
    {
      method,
      head: writeHead(request, { target, content: framingOf(body, method), upgrade }),
      body,
      mayUpgrade: upgrade !== undefined,
      isPersonal: logsConnectionIn(request),
      signal,
      onInterim(status, headers) {
        if (status === 103) request.earlyHints?.(responseHeaders(headers, (location) => location));
      },
    },
    isReplayable,
  );
}

/** Logins of a connection, not of a request: who comes next on it would be taken for the same user. */
const CONNECTION_LOGIN = /^\s*(?:ntlm|negotiate)\b/i;

function logsConnectionIn({ headers }: IncomingRequest): boolean {
  return CONNECTION_LOGIN.test(getHeader(headers, 'authorization') ?? '');
}

/** Methods whose content means something: that there is none has to be said (RFC 9110, section 8.6). */
const EXPECTS_CONTENT = /^(?:POST|PUT|PATCH)$/;

function framingOf(body: RequestBody | undefined, method: string): number | 'chunked' | undefined {
  if (body === undefined) return EXPECTS_CONTENT.test(method) ? 0 : undefined;
  return Buffer.isBuffer(body) ? body.byteLength : (body.length ?? 'chunked');
}

function failed(request: IncomingRequest, error: unknown, { onEvent }: ProxySettings): HttpResponse {
  if (!(error instanceof GatewayError)) throw error;
  tellFailure(onEvent, 'proxy', request, error);
  return gatewayResponse(error.status, request.headers);
}
