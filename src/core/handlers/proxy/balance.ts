import { getHeader } from '../../http/headers.js';
import type { IncomingRequest } from '../../http/messages.js';

/** How an upstream is chosen. */
export type Balance = 'round-robin' | 'least-connections' | 'hash';

/** What can be chosen from. */
export interface Candidate {
  readonly name: string;
  /** Requests under way. */
  readonly active: number;
}

/** Picks one of the candidates for a request; there is at least one. */
export type Choose = <C extends Candidate>(candidates: readonly C[], request: IncomingRequest) => C;

/** What of a request decides, for `hash`: `address`, `path`, `header:NAME` or `cookie:NAME`. */
export type HashKey = string;

/** Makes the function that chooses. */
export function createBalancer(balance: Balance, hashKey: HashKey = 'address'): Choose {
  let turn = 0;
  const roundRobin: Choose = (candidates) => {
    turn = (turn + 1) % 0x40000000;
    return candidates[turn % candidates.length] as (typeof candidates)[number];
  };
  if (balance === 'round-robin') return roundRobin;
  if (balance === 'least-connections') {
    return (candidates, request) => {
      const least = Math.min(...candidates.map(({ active }) => active));
      return roundRobin(
        candidates.filter(({ active }) => active === least),
        request,
      );
    };
  }
  return (candidates, request) => {
    const key = keyOf(request, hashKey);
    // The highest of all hashes wins: when one goes, only its requests go elsewhere (rendezvous hashing).
    let best = candidates[0] as (typeof candidates)[number];
    let bestScore = -1;
    for (const candidate of candidates) {
      const score = hash(`${candidate.name}\0${key}`);
      if (score > bestScore) {
        best = candidate;
        bestScore = score;
      }
    }
    return best;
  };
}

function keyOf(request: IncomingRequest, hashKey: HashKey): string {
  if (hashKey === 'path') return request.path;
  if (hashKey.startsWith('header:')) return getHeader(request.headers, hashKey.slice(7)) ?? '';
  if (hashKey.startsWith('cookie:')) {
    const wanted = `${hashKey.slice(7)}=`;
    const cookies = (getHeader(request.headers, 'cookie') ?? '').split(/;\s*/);
    return cookies.find((cookie) => cookie.startsWith(wanted)) ?? request.remoteAddress;
  }
  return request.remoteAddress;
}

/** FNV-1a with the last mixing of MurmurHash3: near names must not give near numbers. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
