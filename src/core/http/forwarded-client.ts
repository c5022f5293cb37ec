import { isIP, isIPv4 } from 'node:net';
import type { IsTrusted } from './forwarded.js';
import { getAllHeaders } from './headers.js';
import type { HeaderList } from './messages.js';

/** What trusted proxies say of their client; undefined is what they do not say. */
export interface ForwardedClient {
  readonly address: string | undefined;
  /** 0 when it is not told, as usual. */
  readonly port: number;
  readonly scheme: 'http' | 'https' | undefined;
}

/**
 * The client a trusted peer speaks for: the last address of `X-Forwarded-For` that is not a trusted proxy's (each hop
 * appends the one it saw, so what stands before that could have been made up), and its `X-Forwarded-Proto`.
 */
export function forwardedClient(headers: HeaderList, isTrusted: IsTrusted): ForwardedClient {
  const hops = listOf(headers, 'x-forwarded-for');
  let client: { readonly address: string; readonly port: number } | undefined;
  let depth = 0;
  for (const hop of hops.reverse()) {
    const node = parseNode(hop);
    if (node === undefined) break;
    client = node;
    depth += 1;
    if (!isTrusted(node.address)) break;
  }
  // A proxy that appends says of each hop how it was spoken to; most replace, and there is one value.
  const schemes = listOf(headers, 'x-forwarded-proto');
  const scheme = (schemes.at(-Math.max(depth, 1)) ?? schemes[0])?.toLowerCase();
  return {
    address: client?.address,
    port: client?.port ?? 0,
    scheme:
      scheme === 'https' || scheme === 'wss'
        ? 'https'
        : scheme === 'http' || scheme === 'ws'
          ? 'http'
          : undefined,
  };
}

function listOf(headers: HeaderList, name: string): string[] {
  return getAllHeaders(headers, name).flatMap((value) => value.split(',').map((item) => item.trim()));
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; undefined when it is no address. */
function parseNode(text: string): { readonly address: string; readonly port: number } | undefined {
  const bracketed = /^\[(.*)\](?::(\d{1,5}))?$/.exec(text) ?? /^([\d.]+):(\d{1,5})$/.exec(text);
  const address = bracketed?.[1] ?? text;
  if (isIP(address) === 0 || (bracketed !== null && text.startsWith('[') && isIPv4(address)))
    return undefined;
  return { address, port: Number(bracketed?.[2] ?? 0) };
}
