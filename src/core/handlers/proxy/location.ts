import type { ProxySettings } from './options.js';
import type { UpstreamUrl } from './upstream-url.js';

/**
 * Makes the function that turns an upstream's `Location` into one the client can follow: the upstream's own address
 * becomes ours, and a path below the upstream's base becomes one below the prefix. Others stay as they are.
 */
export function createLocationMapper(
  { address, basePath, isTls }: UpstreamUrl,
  { prefix }: ProxySettings,
): (location: string) => string {
  return (location) => {
    const path = 'path' in address ? location : withoutOrigin(location, address, isTls);
    if (!path.startsWith('/') || path.startsWith('//') || basePath === undefined) return path;
    // An application that was told of the prefix has used it already.
    if (prefix !== '' && (path === prefix || path.startsWith(`${prefix}/`))) return path;
    const isBelow = basePath === '' || path === basePath || path.startsWith(`${basePath}/`);
    return isBelow ? `${prefix}${path.slice(basePath.length)}` || '/' : path;
  };
}

function withoutOrigin(location: string, address: { host: string; port: number }, isTls: boolean): string {
  const match = /^(https?):\/\/(\[[^\]]*\]|[^/:?#]+)(?::(\d+))?(?=[/?#]|$)(.*)$/i.exec(location);
  if (match === null) return location;
  const [, scheme = '', name = '', digits, rest = ''] = match;
  const port = digits === undefined ? (scheme.toLowerCase() === 'https' ? 443 : 80) : Number(digits);
  const isSame =
    (scheme.toLowerCase() === 'https') === isTls &&
    name.replace(/^\[|\]$/g, '').toLowerCase() === address.host.toLowerCase() &&
    port === address.port;
  if (!isSame) return location;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * The `Destination` of a WebDAV request (RFC 4918, section 10.3) as the upstream has to see it: what is on the site is
 * at the upstream, by its scheme and the `Host` that it is sent; servers like Apache's mod_dav refuse any other.
 */
export function upstreamDestination(
  destination: string,
  { site, host, isTls, prefix, basePath }: DestinationRules,
): string {
  const [, authority, path = '/'] = /^https?:\/\/([^/?#]+)(\/.*)?$/i.exec(destination) ?? [];
  if (authority === undefined || authority.toLowerCase() !== site?.toLowerCase()) return destination;
  const isReplaced = basePath !== undefined && path.startsWith(`${prefix}/`);
  return `http${isTls ? 's' : ''}://${host}${isReplaced ? basePath + path.slice(prefix.length) : path}`;
}

/** The site as clients see it, and what it is at the upstream. */
export interface DestinationRules extends Pick<UpstreamUrl, 'isTls' | 'basePath'> {
  /** The `Host` of the client, and the one for the upstream. */
  readonly site: string | undefined;
  readonly host: string;
  readonly prefix: string;
}
