/** What a page's script needs to be let through by a Content-Security-Policy. */
export interface Wanted {
  /** The script, as a source of its own: no wider than that one file. */
  readonly script: string;
  readonly nonce: string;
  /** What it connects to. */
  readonly events: string;
}

/**
 * A Content-Security-Policy that also allows our script and its connection, and nothing else besides. A source by
 * address leaves `'unsafe-inline'` as it was, which a nonce would switch off; where `'strict-dynamic'` makes addresses
 * void, a nonce does it.
 */
export function widenPolicy(policy: string, wanted: Wanted): string {
  // Fields of one name are joined by commas, and each policy has to let us through.
  return policy
    .split(',')
    .map((one) => widenOne(one, wanted))
    .join(',');
}

type Directive = readonly [name: string, sources: readonly string[]];

function widenOne(policy: string, { script, nonce, events }: Wanted): string {
  const directives = policy.split(';').flatMap((text): Directive[] => {
    const [name, ...sources] = text.trim().split(/\s+/);
    return name === undefined || name === '' ? [] : [[name.toLowerCase(), sources]];
  });
  const find = (...names: string[]): Directive | undefined =>
    names.map((name) => directives.find(([own]) => own === name)).find((found) => found !== undefined);
  const changed = new Map<string, readonly string[]>();
  const allow = (name: string, from: Directive | undefined, source: string): void => {
    // What no directive speaks of is allowed.
    if (from !== undefined) changed.set(name, [...from[1].filter((own) => own !== "'none'"), source]);
  };
  const scripts = find('script-src-elem', 'script-src', 'default-src');
  const isStrict = scripts?.[1].includes("'strict-dynamic'");
  const name = scripts?.[0] === 'default-src' ? 'script-src' : (scripts?.[0] ?? 'script-src');
  allow(name, scripts, isStrict ? `'nonce-${nonce}'` : script);
  allow('connect-src', find('connect-src', 'default-src'), events);
  const kept = directives.map(([own, sources]) => [own, ...(changed.get(own) ?? sources)].join(' '));
  const known = new Set(directives.map(([own]) => own));
  const added = [...changed].filter(([own]) => !known.has(own));
  return [...kept, ...added.map(([own, sources]) => [own, ...sources].join(' '))].join('; ');
}
