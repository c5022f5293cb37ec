import type { DnsSettings } from '../types.js';

/** `nameserver` and `search` lines of resolv.conf(5); the last `search` or `domain` counts. */
export function parseResolvConf(text: string): DnsSettings {
  const servers: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const [first] = values;
    if (keyword === 'nameserver' && first !== undefined) servers.push(first);
    if (keyword === 'search' || keyword === 'domain') search = values;
  }
  return { servers, search };
}
