import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startHttp } from '../../helpers/http-server.js';
import { run } from '../../helpers/run.js';

/** A server's side of RFC 7616, written apart from ours. */
function check(
  authorization: string | undefined,
  method: string,
  challenge: Record<string, string>,
): boolean {
  if (authorization === undefined) return false;
  const fields = Object.fromEntries(
    [...authorization.matchAll(/(\w+)=(?:"([^"]*)"|([^,\s]+))/g)].map((match) => [
      match[1],
      match[2] ?? match[3],
    ]),
  );
  const name = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' }[
    (challenge.algorithm ?? 'MD5').replace('-sess', '')
  ] as string;
  const hash = (text: string): string => createHash(name).update(text).digest('hex');
  let a1 = hash(`ada:${challenge.realm}:s3cret`);
  if (challenge.algorithm?.endsWith('-sess')) a1 = hash(`${a1}:${fields.nonce}:${fields.cnonce}`);
  const a2 = hash(`${method}:${fields.uri}`);
  const middle = challenge.qop === undefined ? '' : `${fields.nc}:${fields.cnonce}:auth:`;
  return fields.nonce === challenge.nonce && fields.response === hash(`${a1}:${fields.nonce}:${middle}${a2}`);
}

const toField = (challenge: Record<string, string>): string =>
  `Digest ${Object.entries(challenge)
    .map(([key, value]) => (key === 'algorithm' || key === 'stale' ? `${key}=${value}` : `${key}="${value}"`))
    .join(', ')}`;

const login = ['--auth', 'ada:s3cret', '--auth-type', 'digest'];

for (const algorithm of [
  undefined,
  'MD5',
  'MD5-sess',
  'SHA-256',
  'SHA-256-sess',
  'SHA-512-256',
  'SHA-512-256-sess',
]) {
  for (const qop of ['auth', 'auth,auth-int', undefined]) {
    test(`Digest with algorithm ${algorithm} and qop ${qop} logs in`, async (t) => {
      const challenge = {
        realm: 'a "b" c'.replaceAll('"', ''),
        nonce: 'n0',
        opaque: 'o',
        ...(algorithm && { algorithm }),
        ...(qop && { qop }),
      };
      const { url, received } = await startHttp(t, (res, { headers, method }) => {
        if (check(headers.authorization, method ?? '', challenge)) return void res.end('in');
        return void res.writeHead(401, { 'www-authenticate': toField(challenge) }).end('out');
      });
      const result = await run(['post', `${url}/p?q=1`, 'a=1', ...login]);
      assert.deepEqual([result.code, result.stdout], [0, 'in']);
      assert.equal(received.length, 2);
      assert.equal(received[1]?.body, '{"a":"1"}');
      assert.match(received[1]?.headers.authorization ?? '', /opaque="o"/);
    });
  }
}

test('the strongest of several challenges is taken, and Basic among them does no harm', async (t) => {
  const md5 = { realm: 'r', nonce: '1', qop: 'auth', algorithm: 'MD5' };
  const sha = { realm: 'r', nonce: '2', qop: 'auth', algorithm: 'SHA-256' };
  const { url } = await startHttp(t, (res, { headers, method }) => {
    if (check(headers.authorization, method ?? '', sha)) return void res.end('in');
    return void res
      .writeHead(401, { 'www-authenticate': `Basic realm="x", ${toField(md5)}, ${toField(sha)}` })
      .end();
  });
  assert.equal((await run(['get', url, ...login])).code, 0);
});

test('the name of a scheme in a quoted value begins no challenge', async (t) => {
  const challenge = { realm: 'Digest, or Basic', nonce: 'n0', qop: 'auth' };
  const { url } = await startHttp(t, (res, { headers, method }) => {
    if (check(headers.authorization, method ?? '', challenge)) return void res.end('in');
    const field = `Basic realm="x", Digest realm="${challenge.realm}", nonce="n0", domain="/digest", qop="auth"`;
    return void res.writeHead(401, { 'www-authenticate': field }).end('out');
  });
  assert.equal((await run(['get', `${url}/digest/`, ...login])).stdout, 'in');
});

test('a stale nonce is replaced once, a wrong password is a 401', async (t) => {
  let nonce = 1;
  const { url, received } = await startHttp(t, (res, { headers, method, target }) => {
    const challenge = { realm: 'r', nonce: String(nonce), qop: 'auth' };
    const good = check(headers.authorization, method ?? '', challenge);
    if (good && nonce > 1) return void res.end('in');
    nonce += 1;
    const stale = target === '/stale' && headers.authorization !== undefined;
    const next = { ...challenge, nonce: String(nonce), ...(stale && { stale: 'true' }) };
    return void res.writeHead(401, { 'www-authenticate': toField(next) }).end('out');
  });
  assert.equal((await run(['get', `${url}/stale`, ...login])).code, 0);
  received.length = 0;
  const wrong = await run(['get', `${url}/x`, '--auth', 'ada:wrong', '--auth-type', 'digest']);
  assert.deepEqual([wrong.code, wrong.stdout, received.length], [4, 'out', 2]);
});

test('a redirect to another origin is not logged in to', async (t) => {
  const other = await startHttp(t, (res) =>
    res.writeHead(401, { 'www-authenticate': 'Digest realm="r", nonce="1"' }).end(),
  );
  const { url } = await startHttp(t, (res) => res.writeHead(302, { location: other.url }).end());
  assert.equal((await run(['get', url, ...login])).code, 4);
  assert.equal(other.received.length, 1);
});
