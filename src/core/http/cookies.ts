import { Cookie, CookieJar } from 'tough-cookie';
import { getAllHeaders, getHeader, withHeader } from './headers.js';
import type { HeaderList } from './messages.js';

/** A Set-Cookie field, and the URL of the answer it came with. */
export interface CookieChange {
  readonly url: string;
  readonly field: string;
}

/** Cookies of one run or session, by the rules of RFC 6265 and the public suffix list. */
export interface CookieStore {
  /** The request's fields with the cookies that belong to its URL added to those the user gave. */
  addTo(headers: HeaderList, url: URL): Promise<HeaderList>;
  /** Takes the cookies of an answer. */
  take(headers: HeaderList, url: URL): Promise<void>;
  /** What the answers have set since the store was made, in order. */
  readonly changes: readonly CookieChange[];
}

/** Cookies as they are kept in a file. */
export type SavedCookies = ReturnType<CookieJar['serializeSync']>;

/** A {@link CookieStore} that begins with the cookies of a session, or none. */
export function createCookieStore(saved?: SavedCookies): CookieStore {
  const jar = toJar(saved);
  const changes: CookieChange[] = [];
  const setByAnswers = new Set<string>();
  return {
    changes,
    async addTo(headers, url) {
      const given = (getHeader(headers, 'cookie') ?? '').split(/;\s*/).filter((pair) => pair !== '');
      const toName = (pair: string): string => pair.split('=', 1)[0] as string;
      const named = new Set(given.map(toName));
      // What the user gives is for this run, newer than what a session remembers and older than what an answer sets.
      const cookies = (await jar.getCookies(url.href)).filter(
        ({ key }) => !named.has(key) || setByAnswers.has(key),
      );
      if (cookies.length === 0) return headers;
      const newer = new Set(cookies.map(({ key }) => key));
      const kept = given.filter((pair) => !newer.has(toName(pair)));
      const pairs = [...kept, ...cookies.map((cookie) => cookie.cookieString())];
      return withHeader(headers, 'Cookie', pairs.join('; '));
    },
    async take(headers, url) {
      for (const field of getAllHeaders(headers, 'set-cookie')) {
        if (!(await apply(jar, { url: url.href, field }))) continue;
        changes.push({ url: url.href, field });
        setByAnswers.add((field.split('=', 1)[0] as string).trim());
      }
    },
  };
}

/** Saved cookies with changes made to them. */
export async function applyChanges(
  saved: SavedCookies | undefined,
  changes: readonly CookieChange[],
): Promise<SavedCookies> {
  const jar = toJar(saved);
  for (const change of changes) await apply(jar, change);
  return jar.serializeSync();
}

function toJar(saved: SavedCookies | undefined): CookieJar {
  // localhost and names without a dot are hosts like others here.
  const options = { rejectPublicSuffixes: true, allowSpecialUseDomain: true } as const;
  if (saved === undefined) return new CookieJar(undefined, options);
  return CookieJar.deserializeSync(saved);
}

/** A cookie that breaks the rules is no failure of the transfer: it is not kept. */
async function apply(jar: CookieJar, { url, field }: CookieChange): Promise<boolean> {
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(field)) return false;
  const cookie = Cookie.parse(field);
  if (cookie === undefined) return false;
  return (await jar.setCookie(cookie, url, { ignoreError: true })) !== undefined;
}
