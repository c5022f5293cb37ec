import { isForwardedField } from '../../http/forwarded.js';
import type { HeaderList } from '../../http/messages.js';

/** A header name as an application is to see it, with a number of its own. */
interface KnownName {
  readonly number: number;
  /** The name and what follows it up to the value, or undefined when it is not passed on. */
  readonly field: string | undefined;
}

const MAX_NAMES = 1000;
const MAX_HEADERS_LENGTH = 4096;

/** How header fields are written for one kind of application. */
export interface FieldRules {
  /** The name as it travels; undefined when the field is not passed on. */
  rename(lowerCaseName: string): string | undefined;
  /** How a second value is joined to the first; undefined when each stays on its own. */
  joiner(field: string): string | undefined;
}

/** The encoder for requests of trusted peers, and the one for all others, who cannot say who stands before them. */
export function encodersByTrust(rules: FieldRules): (isTrusted: boolean) => FieldEncoder {
  const trusting = new FieldEncoder(rules);
  const wary = new FieldEncoder({
    ...rules,
    rename: (name) => (isForwardedField(name) ? undefined : rules.rename(name)),
  });
  return (isTrusted) => (isTrusted ? trusting : wary);
}

/**
 * Writes header fields as ` NUL name NUL value` each. Names are looked at once; and a client that sends the same list
 * again (servers hand out the same object then) costs nothing more.
 */
export class FieldEncoder {
  readonly #rules: FieldRules;
  readonly #names = new Map<string, KnownName>();
  readonly #encoded = new WeakMap<HeaderList, string>();
  /** For each name's number the list it was last seen in, so that repeated fields are noticed. */
  readonly #lastSeen: number[] = [];
  #list = 0;

  constructor(rules: FieldRules) {
    this.#rules = rules;
  }

  /** The fields, or undefined when a value cannot be carried. */
  encode(headers: HeaderList): string | undefined {
    const known = this.#encoded.get(headers);
    if (known !== undefined) return known;
    this.#list += 1;
    let text = '';
    let hasRepeated = false;
    for (const [name, value] of headers) {
      const { field, number } = this.#names.get(name) ?? this.#learn(name);
      if (field === undefined) continue;
      // A NUL would shift every field behind it; parsers refuse one, this makes sure.
      if (value.includes('\0')) return undefined;
      if (this.#lastSeen[number] === this.#list) hasRepeated = true;
      this.#lastSeen[number] = this.#list;
      text += `\0${field}\0${value}`;
    }
    if (hasRepeated) text = this.#joinRepeated(headers);
    if (text.length <= MAX_HEADERS_LENGTH) this.#encoded.set(headers, text);
    return text;
  }

  #learn(name: string): KnownName {
    const field = this.#rules.rename(name.toLowerCase());
    // Spellings of one name share its number.
    const same = [...this.#names.values()].find((one) => one.field === field && field !== undefined);
    const known = { field, number: same?.number ?? this.#names.size };
    if (this.#names.size < MAX_NAMES) this.#names.set(name, known);
    else this.#lastSeen[known.number] = this.#list;
    return known;
  }

  #joinRepeated(headers: HeaderList): string {
    const fields: string[] = [];
    const values: string[] = [];
    for (const [name, value] of headers) {
      const { field } = this.#names.get(name) ?? this.#learn(name);
      if (field === undefined) continue;
      const joiner = this.#rules.joiner(field);
      const at = joiner === undefined ? -1 : fields.indexOf(field);
      if (at !== -1) {
        values[at] += joiner + value;
      } else {
        fields.push(field);
        values.push(value);
      }
    }
    return fields.map((field, index) => `\0${field}\0${values[index]}`).join('');
  }
}
