import { getHeader } from '../../http/headers.js';
import type { HeaderList } from '../../http/messages.js';

/**
 * Whether a browser sent this from a page of another site. Any page can post a form to an address of this machine;
 * browsers tell, in `Sec-Fetch-Site` or in `Origin`, and programs send neither.
 */
export function isFromAnotherSite(headers: HeaderList): boolean {
  const relation = getHeader(headers, 'sec-fetch-site');
  if (relation !== undefined) return relation !== 'same-origin' && relation !== 'none';
  const origin = getHeader(headers, 'origin');
  if (origin === undefined) return false;
  const host = getHeader(headers, 'host')?.toLowerCase();
  return !URL.canParse(origin) || new URL(origin).host !== withoutDefaultPort(host, origin);
}

function withoutDefaultPort(host: string | undefined, origin: string): string | undefined {
  return host?.replace(origin.startsWith('https:') ? /:443$/ : /:80$/, '');
}
