import { NettoolError } from '../errors.js';
import { looksSecret } from '../secrets.js';
import { takeUserinfo } from './basic-auth.js';
import type { ClientResponse } from './client.js';
import { getHeader, hasHeader, withHeader } from './headers.js';
import type { HeaderList, OutgoingRequest } from './messages.js';

/** How redirects are followed. */
export interface RedirectOptions {
  /** Sends one request. */
  readonly send: (request: OutgoingRequest) => Promise<ClientResponse>;
  /** Follow at all; else the first answer is the final one. */
  readonly follow: boolean;
  /** How many redirects are followed before `TOO_MANY_REDIRECTS`. */
  readonly maxRedirects: number;
  /** Follow from https to http, too. */
  readonly allowDowngrade: boolean;
  /** Names (in lower case) of header fields that stay with the first origin, besides those that look secret. */
  readonly secretHeaders?: ReadonlySet<string>;
  /** Hosts (`name` or `name:port`) that may be given what is secret, too. */
  readonly trustedHosts?: ReadonlySet<string>;
  /** Told of each redirect before it is followed. */
  readonly onRedirect?: (event: RedirectEvent) => void;
}

/** One redirect, in the shape of the report's `redirects`. */
export interface Hop {
  readonly status: number;
  readonly url: string;
  /** The Location field as the server sent it. */
  readonly location: string;
}

/** A redirect that is about to be followed. */
export interface RedirectEvent extends Hop {
  readonly target: URL;
  readonly method: string;
  /** Header fields that are not sent to the new origin. */
  readonly dropped: readonly string[];
}

/** The final answer, the request it answers, and what came before. */
export interface FollowedResponse {
  readonly response: ClientResponse;
  readonly request: OutgoingRequest;
  readonly hops: readonly Hop[];
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Fields that speak of the content, and go when it goes (RFC 9110, section 15.4). */
const CONTENT_FIELD = /^(content-.*|transfer-encoding|digest|last-modified)$/i;

/**
 * Sends a request and follows its redirects by RFC 9110, section 15.4: 303 asks with GET, 301 and 302 turn POST into
 * GET as everybody does, everything else keeps its method and body. What is secret stays with its origin
 * (scheme, host and port). A redirect's own body is never read.
 */
export async function followRedirects(
  request: OutgoingRequest,
  options: RedirectOptions,
): Promise<FollowedResponse> {
  const hops: Hop[] = [];
  let current = request;
  for (;;) {
    const response = await options.send(current);
    const location = getHeader(response.headers, 'location');
    // An empty Location leads nowhere: it would be the same place again.
    if (!options.follow || !REDIRECTS.has(response.status) || !location) {
      return { response, request: current, hops };
    }
    // The connection goes with it: cheaper than reading a page nobody wants.
    response.body.destroy();
    const hop: Hop = { status: response.status, url: current.url.href, location };
    if (hops.length >= options.maxRedirects) throw tooMany(hop, options.maxRedirects);
    hops.push(hop);
    const target = toTarget(hop, current.url, options);
    const { next, dropped } = toNextRequest(current, { status: hop.status, target }, options);
    options.onRedirect?.({ ...hop, target: next.url, method: next.method, dropped });
    current = next;
  }
}

function tooMany({ url }: Hop, limit: number): NettoolError {
  return new NettoolError('TOO_MANY_REDIRECTS', `more than ${limit} redirects, the last one from ${url}`, {
    hint: 'the server may redirect in a circle; --max-redirects N allows more, --no-follow shows the first',
  });
}

/** Where a redirect leads: the Location resolved against the URL it came from (RFC 9110, section 10.2.2). */
function toTarget(hop: Hop, from: URL, { allowDowngrade }: RedirectOptions): URL {
  const target = URL.parse(hop.location, from.href);
  if (target === null) {
    throw new NettoolError(
      'MALFORMED_REPLY',
      `${from.host} redirects to '${hop.location}', which is not a URL`,
    );
  }
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    const scheme = target.protocol.slice(0, -1);
    throw new NettoolError(
      'REDIRECT_REFUSED',
      `${from.host} redirects to another kind of address (${scheme})`,
    );
  }
  if (from.protocol === 'https:' && target.protocol === 'http:' && !allowDowngrade) {
    throw new NettoolError('REDIRECT_REFUSED', `${from.host} redirects from https to http (${target.href})`, {
      hint: 'follow it all the same with --allow-downgrade',
    });
  }
  if (target.hash === '') target.hash = from.hash;
  return target;
}

function toNextRequest(
  from: OutgoingRequest,
  { status, target }: { status: number; target: URL },
  { secretHeaders, trustedHosts }: RedirectOptions,
): { next: OutgoingRequest; dropped: string[] } {
  const method = toMethod(status, from.method);
  const keepsBody = method === from.method && status !== 303;
  const sameOrigin = target.origin === from.url.origin;
  // The user's Host names the first origin, whose name it is not to take along.
  const trusted = sameOrigin || trustedHosts?.has(target.host) || trustedHosts?.has(target.hostname);
  const isSecret = (name: string): boolean =>
    looksSecret(name) || secretHeaders?.has(name.toLowerCase()) === true;
  const stays = (name: string): boolean =>
    sameOrigin || (name.toLowerCase() !== 'host' && (trusted === true || !isSecret(name)));
  const fits = (name: string): boolean => keepsBody || !CONTENT_FIELD.test(name);
  const kept = from.headers.filter(([name]) => stays(name) && fits(name));
  const dropped = from.headers.filter(([name]) => !stays(name)).map(([name]) => name);
  const { url, authorization } = takeUserinfo(target);
  const headers = authorization === undefined ? kept : withAuthorization(kept, authorization);
  const { body, ...rest } = from;
  return { next: { ...rest, method, url, headers, ...replay(body, keepsBody) }, dropped };
}

function toMethod(status: number, method: string): string {
  if (status === 303) return method === 'HEAD' ? method : 'GET';
  return method === 'POST' && (status === 301 || status === 302) ? 'GET' : method;
}

function replay(body: OutgoingRequest['body'], keepsBody: boolean): Pick<OutgoingRequest, 'body'> {
  if (body === undefined || !keepsBody) return {};
  if (typeof body === 'string' || body instanceof Uint8Array) return { body };
  if ('open' in body && body.isReplayable) return { body };
  throw new NettoolError(
    'REDIRECT_REFUSED',
    'the redirect asks for the body again, which came from a stream',
  );
}

function withAuthorization(headers: HeaderList, authorization: string): HeaderList {
  return hasHeader(headers, 'authorization') ? headers : withHeader(headers, 'Authorization', authorization);
}
