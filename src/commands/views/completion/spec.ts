/** What a value may be completed with; `any` is a value of which nothing is known. */
export interface ValueSpec {
  readonly kind: 'any' | 'words' | 'command' | 'file' | 'folder' | 'host' | 'interface';
  /** The words of kind `words`. */
  readonly words: readonly string[];
  /** Only what stands behind the first of these is completed: `prefix=folder`, `name@path`. */
  readonly after?: '=' | '@';
  /** What help calls it. */
  readonly name: string;
}

/** One flag of a command. */
export interface OptionSpec {
  /** Short name first: `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly repeatable: boolean;
  /** Absent when the flag takes none. */
  readonly value?: ValueSpec;
  /** The value may be left out. */
  readonly optional: boolean;
}

/** One argument of a command; the last one may stand for all that follow. */
export interface ArgumentSpec extends ValueSpec {
  readonly variadic: boolean;
}

/** One command; the program itself is the one without a name. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly args: readonly ArgumentSpec[];
}

/** A command line as the generators of completion scripts see it; the first command is the program itself. */
export type CompletionSpec = readonly CommandSpec[];

/** Everything with a name of its own: what can be typed as a command. */
export function namedCommands(spec: CompletionSpec): CommandSpec[] {
  return spec.filter(({ name }) => name !== '');
}

/** Things that come to the same key, together, in the order of their first. */
export function groupBy<T>(things: Iterable<T>, keyOf: (thing: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return [...groups.values()];
}

/** A text in single quotes as bash and zsh read it. */
export function quotePosix(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
