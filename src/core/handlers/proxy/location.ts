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
