/** A URL without its userinfo, and what that is as an Authorization field (RFC 7617). */
export function takeUserinfo(url: URL): { url: URL; authorization: string | undefined } {
  if (url.username === '' && url.password === '') return { url, authorization: undefined };
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return { url: bare, authorization: toBasicAuth(decode(url.username), decode(url.password)) };
}

/** The Authorization value of a user and a password, both as UTF-8. */
export function toBasicAuth(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

/** A lone percent sign is one. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
