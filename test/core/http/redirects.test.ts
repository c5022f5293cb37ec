import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { ClientResponse } from '../../../src/core/http/client.js';
import type { HeaderList, OutgoingRequest } from '../../../src/core/http/messages.js';
import {
  type FollowedResponse,
  followRedirects,
  type RedirectEvent,
  type RedirectOptions,
} from '../../../src/core/http/redirects.js';

/** URL → what it answers; anything else answers 200. */
type Site = Readonly<Record<string, readonly [status: number, location?: string]>>;

interface Walk {
  readonly sent: OutgoingRequest[];
  readonly events: RedirectEvent[];
  readonly bodies: Readable[];
  readonly result: FollowedResponse;
}

async function walk(
  site: Site,
  start: Partial<Omit<OutgoingRequest, 'url'>> & { url: string },
  options: Partial<RedirectOptions> = {},
): Promise<Walk> {
  const sent: OutgoingRequest[] = [];
  const events: RedirectEvent[] = [];
  const bodies: Readable[] = [];
  const send = async (request: OutgoingRequest): Promise<ClientResponse> => {
    sent.push(request);
    const [status, location] = site[request.url.href] ?? [200];
    const headers: HeaderList = location === undefined ? [] : [['Location', location]];
    const body = Readable.from(['never read']);
    bodies.push(body);
    return { status, headers, body } as unknown as ClientResponse;
  };
  const request = { method: 'GET', headers: [], signal: new AbortController().signal, ...start };
  const result = await followRedirects(
    { ...request, url: new URL(start.url) },
    {
      send,
      follow: true,
      maxRedirects: 20,
      allowDowngrade: false,
      onRedirect: (e) => events.push(e),
      ...options,
    },
  );
  return { sent, events, bodies, result };
}

const METHODS: ReadonlyArray<readonly [status: number, method: string, then: string, keepsBody: boolean]> = [
  [301, 'POST', 'GET', false],
  [302, 'POST', 'GET', false],
  [303, 'POST', 'GET', false],
  [307, 'POST', 'POST', true],
  [308, 'POST', 'POST', true],
  [301, 'PUT', 'PUT', true],
  [302, 'DELETE', 'DELETE', true],
  [303, 'PUT', 'GET', false],
  [303, 'HEAD', 'HEAD', false],
  [301, 'HEAD', 'HEAD', true],
  [302, 'GET', 'GET', true],
];

for (const [status, method, then, keepsBody] of METHODS) {
  test(`${status} to ${method} goes on with ${then}, ${keepsBody ? 'with' : 'without'} its body`, async () => {
    const headers: HeaderList = [
      ['Content-Type', 'text/plain'],
      ['X-Keep', '1'],
    ];
    const { sent } = await walk(
      { 'http://a/': [status, '/b'] },
      { url: 'http://a/', method, headers, body: 'x' },
    );
    assert.equal(sent[1]?.method, then);
    assert.equal(sent[1]?.body, keepsBody ? 'x' : undefined);
    assert.deepEqual(
      sent[1]?.headers.map(([name]) => name),
      keepsBody ? ['Content-Type', 'X-Keep'] : ['X-Keep'],
    );
  });
}

test('a body that came from a stream cannot be sent again', async () => {
  const body = Readable.from(['x']);
  await assert.rejects(walk({ 'http://a/': [307, '/b'] }, { url: 'http://a/', method: 'POST', body }), {
    code: 'REDIRECT_REFUSED',
  });
});

const LOCATIONS: ReadonlyArray<readonly [location: string, target: string]> = [
  ['/x', 'http://a.test/x'],
  ['x', 'http://a.test/dir/x'],
  ['?q', 'http://a.test/dir/page?q'],
  ['//b.test/x', 'http://b.test/x'],
  ['/é', 'http://a.test/%C3%A9'],
  ['/x#other', 'http://a.test/x#other'],
  ['https://b.test', 'https://b.test/'],
];

for (const [location, target] of LOCATIONS) {
  test(`Location ${location} leads to ${target}`, async () => {
    const { result } = await walk(
      { 'http://a.test/dir/page': [302, location] },
      { url: 'http://a.test/dir/page' },
    );
    assert.equal(result.request.url.href, target);
    assert.deepEqual(result.hops, [{ status: 302, url: 'http://a.test/dir/page', location }]);
  });
}

test('the fragment is kept when the Location has none', async () => {
  const { result } = await walk({ 'http://a/#part': [302, '/x'] }, { url: 'http://a/#part' });
  assert.equal(result.request.url.href, 'http://a/x#part');
});

test('redirects without a Location, other 3xx and 304 are final', async () => {
  for (const answer of [[302], [300, '/x'], [304, '/x'], [305, '/x']] as const) {
    const { sent, result } = await walk({ 'http://a/': answer }, { url: 'http://a/' });
    assert.equal(sent.length, 1);
    assert.equal(result.response.status, answer[0]);
  }
});

test('without following, the first answer is the final one', async () => {
  const { sent, result } = await walk({ 'http://a/': [302, '/b'] }, { url: 'http://a/' }, { follow: false });
  assert.equal(sent.length, 1);
  assert.equal(result.response.body.destroyed, false);
});

test('the limit ends a circle', async () => {
  await assert.rejects(walk({ 'http://a/': [302, '/'] }, { url: 'http://a/' }, { maxRedirects: 3 }), {
    code: 'TOO_MANY_REDIRECTS',
    message: /more than 3 redirects/,
  });
  const { sent } = await walk({ 'http://a/': [302, '/b'] }, { url: 'http://a/' }, { maxRedirects: 1 });
  assert.equal(sent.length, 2);
  await assert.rejects(walk({ 'http://a/': [302, '/b'] }, { url: 'http://a/' }, { maxRedirects: 0 }), {
    code: 'TOO_MANY_REDIRECTS',
  });
});

test("a redirect's own body is let go, the last one is not", async () => {
  const { bodies } = await walk({ 'http://a/': [302, '/b'] }, { url: 'http://a/' });
  assert.deepEqual(
    bodies.map(({ destroyed }) => destroyed),
    [true, false],
  );
});

const SECRETS: HeaderList = [
  ['Authorization', 'Bearer t'],
  ['Cookie', 'a=b'],
  ['Proxy-Authorization', 'Basic x'],
  ['X-Api-Key', 'k'],
  ['X-Auth-Token', 't'],
  ['X-From-File', 'f'],
  ['Host', 'virtual.test'],
  ['Accept', 'text/plain'],
  ['X-Trace', '1'],
];

for (const [to, why] of [
  ['http://b.test/', 'another host'],
  ['http://a.test:81/', 'another port'],
  ['https://a.test/', 'another scheme'],
] as const) {
  test(`secrets stay behind on the way to ${why}, everything else goes along`, async () => {
    const { sent, events } = await walk(
      { 'http://a.test/': [302, to] },
      { url: 'http://a.test/', headers: SECRETS },
      { secretHeaders: new Set(['x-from-file']) },
    );
    assert.deepEqual(sent[1]?.headers, [
      ['Accept', 'text/plain'],
      ['X-Trace', '1'],
    ]);
    assert.deepEqual(
      events[0]?.dropped,
      SECRETS.slice(0, 7).map(([name]) => name),
    );
  });
}

test('secrets go along within an origin, and do not come back after a detour', async () => {
  const { sent } = await walk(
    {
      'http://a.test/': [302, '/in'],
      'http://a.test/in': [302, 'http://b.test/'],
      'http://b.test/': [302, 'http://a.test/back'],
    },
    { url: 'http://a.test/', headers: SECRETS },
  );
  assert.equal(sent[1]?.headers.length, SECRETS.length);
  assert.equal(sent[3]?.url.href, 'http://a.test/back');
  assert.ok(!sent[3]?.headers.some(([name]) => name === 'Authorization'));
});

test('userinfo in a Location is sent as a header field and kept out of the URL', async () => {
  const { sent } = await walk({ 'http://a/': [302, 'http://user:p%40ss@b/'] }, { url: 'http://a/' });
  assert.equal(sent[1]?.url.href, 'http://b/');
  assert.deepEqual(sent[1]?.headers, [['Authorization', `Basic ${btoa('user:p@ss')}`]]);
});

test('https does not lead to http unless that is allowed', async () => {
  const site: Site = { 'https://a/': [302, 'http://a/'] };
  await assert.rejects(walk(site, { url: 'https://a/' }), {
    code: 'REDIRECT_REFUSED',
    hint: /--allow-downgrade/,
  });
  const { sent } = await walk(site, { url: 'https://a/' }, { allowDowngrade: true });
  assert.equal(sent.length, 2);
});

test('only http and https are followed, and only URLs', async () => {
  for (const location of ['file:///etc/passwd', 'ftp://b/', 'javascript:alert(1)']) {
    await assert.rejects(walk({ 'http://a/': [302, location] }, { url: 'http://a/' }), {
      code: 'REDIRECT_REFUSED',
    });
  }
  await assert.rejects(walk({ 'http://a/': [302, 'http://['] }, { url: 'http://a/' }), {
    code: 'MALFORMED_REPLY',
  });
});
