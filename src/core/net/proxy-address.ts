import { NettoolError } from '../errors.js';

/** How a proxy is spoken to; the `h` of socks5h and the `a` of socks4a mean that it looks names up. */
export type ProxyScheme = 'http' | 'https' | 'socks4' | 'socks4a' | 'socks5' | 'socks5h';

/** Where a proxy is, and who we are to it. */
export interface ProxyAddress {
  readonly scheme: ProxyScheme;
  readonly host: string;
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

const DEFAULT_PORTS: Readonly<Record<ProxyScheme, number>> = {
  http: 3128,
  https: 443,
  socks4: 1080,
  socks4a: 1080,
  socks5: 1080,
  socks5h: 1080,
};

const ALIASES: Readonly<Record<string, ProxyScheme>> = { socks: 'socks5', socks4h: 'socks4a' };

/** `http://[user:pass@]host:port`, `https`, `socks4a`, `socks5`, `socks5h`; a bare `host:port` means http. */
export function parseProxyAddress(text: string): ProxyAddress {
  const [, typed = 'http', rest = text] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? [];
  const scheme = ALIASES[typed.toLowerCase()] ?? (typed.toLowerCase() as ProxyScheme);
  // As an unknown scheme, so that no port is hidden because it is a scheme's default.
  const url = URL.parse(`proxy://${rest}`);
  if (!Object.hasOwn(DEFAULT_PORTS, scheme) || url === null || url.hostname === '') {
    throw new NettoolError('USAGE', `bad proxy '${text.replace(/[^/]*@/, '***@')}'`, {
      hint: 'like http://127.0.0.1:3128, https://…, socks4a://…, socks5://… or socks5h://…',
    });
  }
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORTS[scheme] : Number(url.port),
    ...(url.username === '' ? {} : { username: decode(url.username), password: decode(url.password) }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
