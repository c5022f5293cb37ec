/** A login of a netrc file. */
export interface NetrcLogin {
  readonly login: string;
  readonly password: string;
}

/** The login a netrc file has for exactly this host, else its `default`; macros are passed over. */
export function findNetrcLogin(text: string, host: string): NetrcLogin | undefined {
  const words = tokenize(text.replace(/^\s*macdef\s[\s\S]*?(\n[ \t]*\r?\n|$(?![\s\S]))/gm, ''));
  const entries: Array<{ host: string | undefined; login: string; password: string }> = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    const current = entries.at(-1);
    if (word === 'machine') {
      index += 1;
      entries.push({ host: words[index]?.toLowerCase() ?? '', login: '', password: '' });
    } else if (word === 'default') entries.push({ host: undefined, login: '', password: '' });
    else if (current !== undefined && (word === 'login' || word === 'password' || word === 'account')) {
      index += 1;
      if (word !== 'account') current[word] = words[index] ?? '';
    }
  }
  const wanted = host.toLowerCase();
  return entries.find((entry) => entry.host === wanted) ?? entries.find((entry) => entry.host === undefined);
}

/** Words, or strings in double quotes in which a backslash escapes; `#` begins a comment at the start of a word. */
function tokenize(text: string): string[] {
  const found: string[] = [];
  for (const [, comment, quoted, word] of text.matchAll(/(#[^\n]*)|"((?:[^"\\]|\\[\s\S])*)"|(\S+)/g)) {
    if (comment !== undefined && !isValue(found.at(-1))) continue;
    found.push(
      quoted?.replace(/\\([\s\S])/g, '$1') ?? word ?? ((comment as string).split(/\s/, 1)[0] as string),
    );
  }
  return found;
}

function isValue(before: string | undefined): boolean {
  return before === 'password' || before === 'login';
}
