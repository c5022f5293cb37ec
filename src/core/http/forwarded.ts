import { getAllHeaders, getHeader } from './headers.js';
import type { HeaderList, HeaderPair, IncomingRequest } from './messages.js';

/** Whether what an address says about those before it is to be believed. */
export type IsTrusted = (address: string) => boolean;

/** Nobody is, unless the user says so. */
export const trustNobody: IsTrusted = () => false;

const FAMILY = /^(?:forwarded|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip|x-forwarded)$/;

/**
 * Whether a field tells who stands before us, also when it is spelled so that a CGI-like application behind could
 * take it for one that does (`X_Forwarded_For`, `X.Forwarded.For`).
 */
export function isForwardedField(lowerCaseName: string): boolean {
  const initial = lowerCaseName.charCodeAt(0);
  // `f`, `x`, `t`: the only ones they begin with.
  if (initial !== 0x66 && initial !== 0x78 && initial !== 0x74) return false;
  return FAMILY.test(lowerCaseName.replace(/[_.]/g, '-'));
}

/**
 * `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239) as the next hop is to see them: what a trusted
 * peer said, with the peer added; what anybody else said is replaced.
 */
export function forwardedHeaders(request: IncomingRequest, isTrusted: IsTrusted): HeaderPair[] {
  const { peerAddress, scheme } = request;
  const host = getHeader(request.headers, 'host') ?? '';
  const before = isTrusted(peerAddress) ? request.headers : [];
  const element = `for=${formatNode(peerAddress)};host=${quote(host)};proto=${scheme}`;
  const list: HeaderPair[] = [
    ['X-Forwarded-For', append(before, 'x-forwarded-for', peerAddress || 'unknown')],
    ['X-Forwarded-Proto', getHeader(before, 'x-forwarded-proto') ?? scheme],
  ];
  const forwardedHost = getHeader(before, 'x-forwarded-host') ?? host;
  if (forwardedHost !== '') list.push(['X-Forwarded-Host', forwardedHost]);
  list.push(['Forwarded', append(before, 'forwarded', element)]);
  for (const name of before.length === 0 ? [] : KEPT) {
    const value = getHeader(before, name);
    if (value !== undefined) list.push([name, value]);
  }
  return list;
}

/** What only the first proxy knows. */
const KEPT = ['X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Real-IP'];

function append(headers: HeaderList, name: string, value: string): string {
  return headers.length === 0 ? value : [...getAllHeaders(headers, name), value].join(', ');
}

function formatNode(address: string): string {
  if (address === '') return 'unknown';
  return address.includes(':') ? `"[${address}]"` : address;
}

/** A token as it is, anything else quoted (RFC 7239, section 4). */
function quote(value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
