import type { HeaderList } from './messages.js';

const MAX_KNOWN = 500;
const MAX_LENGTH = 300;

/**
 * Parses the heads of an application's answers, and remembers: most applications send few different ones, and a list
 * of fields that is frozen is checked and serialised once. What `isPersonal` finds is meant for one client: not kept.
 */
export function rememberHeads<Head extends object>(
  parse: (head: string) => Head & { readonly headers?: HeaderList },
  isPersonal: RegExp,
): (head: string) => Head {
  let known = new Map<string, Head>();
  return (head) => {
    const found = known.get(head);
    if (found !== undefined) return found;
    const parsed = parse(head);
    if (head.length > MAX_LENGTH || isPersonal.test(head)) return parsed;
    Object.freeze(parsed.headers);
    // Anew rather than cleared: so its memory is given back.
    if (known.size >= MAX_KNOWN) known = new Map();
    known.set(head, parsed);
    return parsed;
  };
}
