import { type IsTrusted, isForwardedField } from '../../http/forwarded.js';
import { connectionNames, HOP_BY_HOP } from '../../http/hop-by-hop.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';

type Kind = 'plain' | 'hop' | 'forwarded';

/** What names stand for, as they were written; bounded, as clients choose them. */
const kinds = new Map<string, Kind>();

function kindOf(name: string): Kind {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const key = name.toLowerCase();
  const kind = HOP_BY_HOP.has(key) ? 'hop' : isForwardedField(key) ? 'forwarded' : 'plain';
  if (kinds.size < 1000) kinds.set(name, kind);
  return kind;
}

/** Whether a field speaks of one connection only, whatever its name's case. */
export function isHopByHop(name: string): boolean {
  return kindOf(name) === 'hop';
}

/** The fields of a request that an application sees: who stands before us is told by trusted peers only. */
export function applicationHeaders(
  { headers, peerAddress }: IncomingRequest,
  { isTrusted }: { readonly isTrusted: IsTrusted },
): HeaderPair[] {
  const named = connectionNames(headers);
  return headers.filter(([name]) => {
    const kind = kindOf(name);
    if (kind === 'hop' || (named.size > 0 && named.has(name.toLowerCase()))) return false;
    return kind === 'plain' || isTrusted(peerAddress);
  });
}
