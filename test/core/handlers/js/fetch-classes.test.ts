import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostJs, needsPackage, startJs } from '../../../helpers/js-application.js';

/** Expressions that must come out the same with the `Response` of an application as with the platform's own. */
const RESPONSES = [
  `new Response('text')`,
  `new Response()`,
  `new Response(null, { status: 204 })`,
  `new Response('', { statusText: 'Fine' })`,
  `new Response('x', { headers: { 'Content-Type': 'text/html', 'X-A': 'one' } })`,
  `new Response('x', { headers: { 'x-a': ' spaced ', 'X-A': 'two' } })`,
  `new Response('x', { headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] })`,
  `new Response('x', { headers: new Headers({ 'x-a': '1' }) })`,
  `new Response(new Uint8Array([104, 105]))`,
  `new Response(new Uint8Array([1, 104, 105, 2]).subarray(1, 3))`,
  `new Response(new Uint8Array([104, 105]).buffer)`,
  `new Response(new URLSearchParams({ a: '1 2' }))`,
  `new Response(new Blob(['blob'], { type: 'text/css' }))`,
  `new Response(new Response('inner').body, { status: 201 })`,
  `Response.json({ a: 1 })`,
  `Response.json([1], { status: 422, headers: { 'content-type': 'application/problem+json' } })`,
  `Response.redirect('http://h.test/x', 303)`,
  `Response.error()`,
  `new Response('x').clone()`,
  `(() => { const r = new Response('x'); r.headers.append('set-cookie', 'a=1'); r.headers.append('set-cookie', 'b=2'); return r; })()`,
  `(() => { const r = new Response('x'); r.headers.delete('content-type'); return r.clone(); })()`,
  `(() => { const r = new Response('x'); const { headers } = r; r.clone(); headers.set('x-late', '1'); return r; })()`,
  `(() => { const bytes = new Uint8Array([104]); const r = new Response(bytes); bytes[0] = 0; return r; })()`,
  `new Response('x', { status: 204 })`,
  `new Response('x', { status: 99 })`,
  `new Response('x', { status: 200.5 })`,
  `new Response('x', { headers: { 'x-a': 'a\\nb' } })`,
  `new Response('x', { headers: { 'x a': 'b' } })`,
  `new Response('x', { headers: { 'x-a': '\\u0142' } })`,
  `new Response('x', { statusText: 'a\\nb' })`,
  `Response.json(undefined)`,
  `Response.json(10n)`,
  `(() => { const r = new Response('x'); r.text(); return r.clone(); })()`,
];

test('the Response of an application is the platform’s in everything but its speed', async (t) => {
  const { origin } = await startJs(
    t,
    `const Platform = Object.getPrototypeOf(Response);
    const all = (Response) => [${RESPONSES.map((text) => `() => ${text}`).join(',')}];
    const look = async (make) => { try { const r = make(); return { status: r.status, statusText: r.statusText, ok: r.ok, type: r.type, url: r.url,
      redirected: r.redirected, used: r.bodyUsed, isNull: r.body === null, headers: [...r.headers], is: [r instanceof Response, r instanceof Platform],
      text: await r.text(), after: r.bodyUsed, tag: String(r) }; } catch (error) { return { name: error.name }; } };
    export default { async fetch() {
      const [ours, theirs] = await Promise.all([all(Response), all(Platform)].map((list) => Promise.all(list.map(look))));
      return Response.json({ ours, theirs });
    } };`,
  );
  const { ours, theirs } = (await (await fetch(origin)).json()) as Record<'ours' | 'theirs', unknown[]>;
  for (const [at, expression] of RESPONSES.entries()) assert.deepEqual(ours[at], theirs[at], expression);
});

test('heirs of Response and Request are instances of themselves alone', async (t) => {
  const { origin } = await startJs(
    t,
    `class Page extends Response { constructor(text) { super(text, { headers: { 'content-type': 'text/html' } }); } }
    class Own extends Request {}
    export default { fetch(request) {
      const page = new Page('page'); const is = [page instanceof Page, page instanceof Response, new Response() instanceof Page,
        request instanceof Request, request instanceof Own, new Own(request) instanceof Own];
      page.headers.set('x-is', is.join()); return page; } };`,
  );
  const answer = await fetch(origin);
  assert.equal(answer.headers.get('x-is'), 'true,true,false,true,false,true');
  assert.equal(answer.headers.get('content-type'), 'text/html');
  assert.equal(await answer.text(), 'page');
});

const READ = `const use = {
  text: async (r) => [await r.text(), r.bodyUsed],
  json: async (r) => await r.json(),
  bytes: async (r) => [...await r.bytes()].length,
  arrayBuffer: async (r) => (await r.arrayBuffer()).byteLength,
  blob: async (r) => { const b = await r.blob(); return [b.size, b.type]; },
  form: async (r) => { const f = await r.formData(); return [f.get('a'), f.get('file').name, f.get('file').size]; },
  clone: async (r) => [await r.clone().text(), await r.text()],
  stream: async (r) => { let size = 0; for await (const chunk of r.body) size += chunk.length; return [size, r.bodyUsed]; },
  copy: async (r) => { const c = new Request(r, { headers: { 'x-b': '2' } }); return [c.headers.get('x-b'), c.method, await c.text(), r.bodyUsed]; },
  twice: async (r) => { await r.text(); return r.json().catch((e) => e.name); },
  late: async (r) => { await r.text(); try { r.clone(); } catch (e) { return e.name; } },
  signal: async (r) => [r.signal.aborted, r.signal instanceof AbortSignal, r.signal === r.signal],
  headers: async (r) => [r.headers instanceof Headers, r.headers.get('X-A'), r.headers.has('x-none'), r.headers.get('x-none'), new Headers(r.headers).get('x-a'),
    [...r.headers.keys()].includes('x-a'), (r.headers.set('x-a', 'new'), r.headers.get('x-a')), (() => { try { r.headers.get('no good'); } catch (e) { return e.name; } })()],
};
export default { fetch: async (request) => Response.json((await use[new URL(request.url).pathname.slice(1)](request)) ?? null) };`;

test('a request can be read in every way there is', async (t) => {
  const { origin } = await startJs(t, READ);
  const headers = [
    ['X-A', 'one'],
    ['X-A', 'two'],
    ['Content-Type', 'application/json'],
  ] as [string, string][];
  const post = async (
    path: string,
    body: RequestInit['body'] = '{"a":"é"}',
    fields: RequestInit['headers'] = headers,
  ) => (await fetch(`${origin}/${path}`, { method: 'POST', body, headers: fields })).json();
  const form = new FormData();
  form.set('a', '1');
  form.set('file', new File(['x'.repeat(200_000)], 'name.txt'));
  assert.deepEqual(await post('text', '\ufeffé'), ['é', true]);
  assert.deepEqual(await post('json'), { a: 'é' });
  assert.equal(await post('bytes'), 10);
  assert.equal(await post('arrayBuffer'), 10);
  assert.deepEqual(await post('blob'), [10, 'application/json']);
  assert.deepEqual(await post('form', form, {}), ['1', 'name.txt', 200_000]);
  assert.deepEqual(await post('clone', 'twice'), ['twice', 'twice']);
  assert.deepEqual(await post('stream', 'x'.repeat(1_000_000)), [1_000_000, true]);
  assert.deepEqual(await post('copy', 'body'), ['2', 'POST', 'body', true]);
  assert.equal(await post('twice'), 'TypeError');
  assert.equal(await post('late'), 'TypeError');
  assert.deepEqual(await post('signal'), [false, true, true]);
  assert.deepEqual(await post('headers'), [
    true,
    'one, two',
    false,
    null,
    'one, two',
    true,
    'new',
    'TypeError',
  ]);
  assert.deepEqual(await (await fetch(`${origin}/text`)).json(), ['', false]);
});

test('a body is read no faster than it is wanted, and sent back as it comes', async (t) => {
  const { origin } = await startJs(t, 'export default { fetch: (request) => new Response(request.body) };');
  let pulled = 0;
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(65_536));
      pulled += 1;
      if (pulled === 100) controller.close();
    },
  });
  const answer = await fetch(origin, { method: 'POST', body, duplex: 'half' } as RequestInit);
  assert.equal((await answer.bytes()).length, 6_553_600);
});

test('work that goes on after the answer is waited for, and its failure logged', async (t) => {
  const { origin, handler, events } = await startJs(
    t,
    `export default { fetch(request, env, context) {
      context.waitUntil(new Promise((resolve) => setTimeout(() => { globalThis.worked = true; resolve(); }, 30)));
      request.waitUntil(Promise.reject(new Error('failed later'))); return new Response('now'); } };`,
  );
  assert.equal(await (await fetch(origin)).text(), 'now');
  await handler.close?.();
  assert.equal((globalThis as { worked?: boolean }).worked, true);
  await events.find('application-log', ({ text }) => /failed later/.test(text));
});

test('who asks is told in the words of other hosts, too', async (t) => {
  const { origin } = await startJs(
    t,
    `export default { fetch: (request, env) => Response.json([request.ip, env.incoming.socket.remoteAddress, env.requestIP(request).family, env.remoteAddr.hostname]) };`,
  );
  assert.deepEqual(await (await fetch(origin)).json(), ['127.0.0.1', '127.0.0.1', 'IPv4', '127.0.0.1']);
});

test('h3 answers with everything it can', needsPackage('h3'), async (t) => {
  const { origin } = await startJs(
    t,
    `import { H3 } from 'h3'; import { Readable } from 'node:stream';
    export default new H3().get('/object', () => ({ a: 1 })).get('/bytes', () => new Uint8Array([104, 105])).get('/null', () => null)
      .get('/web', () => new Response('web', { status: 201 })).get('/blob', () => new Blob(['blob']))
      .get('/stream', () => new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('stream')); c.close(); } }))
      .get('/readable', () => Readable.from([Buffer.from('read'), Buffer.from('able')])).get('/ip', (event) => event.req.ip);`,
  );
  for (const [path, expected] of Object.entries({
    object: '{\n  "a": 1\n}',
    bytes: 'hi',
    null: '',
    web: 'web',
    blob: 'blob',
    stream: 'stream',
    readable: 'readable',
    ip: '127.0.0.1',
  })) {
    const text = await (await fetch(`${origin}/${path}`)).text();
    assert.equal(
      path === 'object' ? JSON.stringify(JSON.parse(text)) : text,
      path === 'object' ? '{"a":1}' : expected,
    );
  }
});

for (const [what, text, found] of [
  [
    'a default export',
    'export default { fetch: () => new Response("x") }',
    ['fetch', null, 'its default export', 'app.mjs'],
  ],
  ['a named one', 'export const app = (req, res) => res.end("x")', ['node', null, 'exports app', 'app.mjs']],
  [
    'a function that makes one',
    'export default async function createApp() { return { fetch: () => new Response("x") }; }',
    ['fetch', null, 'made by its default export', 'app.mjs --factory'],
  ],
  [
    'a server of its own',
    'import { createServer } from "node:http"; createServer((q, s) => s.end("x")).listen(1);',
    ['node', null, 'its own server, caught when it was to listen', 'app.mjs'],
  ],
] as const) {
  test(`${what} is found, and it is said how to ask for it`, async (t) => {
    const { events } = await hostJs(t, text, 'app.mjs', { name: 'app.mjs' });
    const { kind, framework, reason, equivalent } = await events.find('application');
    assert.deepEqual([kind, framework, reason, equivalent], [...found]);
  });
}
