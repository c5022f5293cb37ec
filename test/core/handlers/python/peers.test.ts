import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { needs } from '../../../helpers/programs.js';
import { hostPython } from '../../../helpers/python.js';
import { askPlainly, differingKeys, startPeer } from '../../../helpers/python-peers.js';

/** A request, and for each peer that answers something else the reason why we do not. */
type Case = readonly [
  name: string,
  request: string,
  different?: Readonly<Record<string, string>> & { readonly all?: string },
];

const ask = (path: string, { method = 'GET', fields = '', body = '', version = '1.1' } = {}): string =>
  `${method} ${path} HTTP/${version}\r\nHost: x\r\nConnection: close\r\n${fields}\r\n${body}`;
const head = (path: string): string => ask(path, { method: 'HEAD' });
const old = (path: string): string => ask(path, { version: '1.0' });

/** Runs every case against us and a peer: the same, or different where the table says so and only there. */
async function compare(
  t: TestContext,
  cases: readonly Case[],
  ports: Readonly<Record<string, number>>,
): Promise<void> {
  const { ours = 0, ...peers } = ports;
  for (const [name, request, different = {}] of cases) {
    const own = await askPlainly(ours, request);
    for (const [peer, port] of Object.entries(peers)) {
      const theirs = await askPlainly(port, request);
      const reason = different[peer] ?? different.all;
      if (reason === undefined) assert.equal(own, theirs, `${name}: as ${peer}`);
      else assert.notEqual(own, theirs, `${name}: ${peer} has learned (${reason})`);
    }
  }
  t.diagnostic(`${cases.length} requests, beside ${Object.keys(peers).join(' and ')}`);
}

const BARE = 'RFC 9110: HEAD, 204 and 304 have no content';
const OFFSET = 'a file is sent from where it stands';

const WSGI: readonly Case[] = [
  ['write()', ask('/write')],
  ['start_response at the first part', ask('/late-start'), { gunicorn: 'it sends no status line' }],
  ['exc_info replaces headers', ask('/replaced'), { gunicorn: 'it keeps the old ones too' }],
  ['exc_info replaces the status', ask('/replaced-bare')],
  ['one part', ask('/no-length')],
  ['parts', ask('/two-parts')],
  ['a generator', ask('/generator')],
  ['a generator for HTTP/1.0', old('/generator')],
  ['one part for HTTP/1.0', old('/no-length')],
  ['nothing', ask('/empty')],
  ['a status of its own', ask('/teapot')],
  ['more than Content-Length', ask('/too-long')],
  ['a header beyond ASCII', ask('/latin1')],
  ['204', ask('/204'), { gunicorn: BARE }],
  ['304', ask('/304'), { gunicorn: BARE }],
  ['a file', ask('/file'), { gunicorn: OFFSET }],
  ['a part of a file', ask('/file-length'), { gunicorn: OFFSET }],
  ['a file, wrapped', ask('/file-wrapped')],
  ['a file in memory', ask('/file-bytesio')],
  ['a temporary file', ask('/file-temp'), { gunicorn: OFFSET }],
  ['cookies', ask('/cookies')],
  ['not found', ask('/none')],
  ['start_response twice', ask('/twice')],
  ['no start_response', ask('/no-start'), { gunicorn: 'it sends no status line' }],
  ['text for bytes', ask('/str-body')],
  ['bytes for a list', ask('/bytes-itself')],
  ['hop-by-hop headers', ask('/hop'), { waitress: 'an error, as PEP 3333 has it' }],
  ['a line end in a value', ask('/crlf'), { gunicorn: 'it blames the client: 400' }],
  ['a line end in the status', ask('/crlf-status'), { gunicorn: 'it lets headers be injected' }],
  ['a line end in a name', ask('/crlf-name'), { gunicorn: 'it blames the client: 400' }],
  ['NUL in a value', ask('/nul'), { all: 'RFC 9110, 5.5: NUL is dangerous' }],
  ['a header beyond Latin-1', ask('/beyond-latin1'), { gunicorn: 'it answers nothing' }],
  ['an int for a status', ask('/int-status')],
  ['status 100', ask('/status-100'), { all: 'an interim status would leave the client waiting' }],
  ['less than Content-Length', ask('/too-short')],
  ['less than Content-Length in parts', ask('/too-short-stream')],
  ['a failure', ask('/raise')],
  ['a failure before the first part', ask('/raise-iter')],
  ['a failure after the first part', ask('/raise-middle')],
  ['exc_info after the first part', ask('/too-late')],
  ['HEAD', head('/no-length'), { all: BARE }],
  ['HEAD of a generator', head('/generator'), { all: BARE }],
  ['HEAD of a file', head('/file'), { all: BARE }],
  ['a body', ask('/echo', { method: 'POST', fields: 'Content-Length: 5\r\n', body: 'hello' })],
  [
    'reads',
    ask('/reads', {
      method: 'POST',
      fields: 'Content-Length: 28\r\n',
      body: 'abcdef\nghij\nkl\nmn\nrest of it',
    }),
    { gunicorn: 'its readlines(1) reads all; StopIteration ends it' },
  ],
  [
    'a chunked body',
    ask('/echo', {
      method: 'POST',
      fields: 'Transfer-Encoding: chunked\r\n',
      body: '5\r\nhello\r\n0\r\n\r\n',
    }),
    { gunicorn: 'the length is known once it was read, and told' },
  ],
  ['a path beyond ASCII', ask('/caf%C3%A9')],
  ['a coded slash', ask('/a%2Fb')],
  ['a plus, a semicolon', ask('/a+b;c=d')],
  ['empty segments', ask('//x//'), { waitress: 'paths are not tidied for applications' }],
  ['dot segments', ask('/x/../y')],
  ['a coded percent', ask('/%25')],
  ['a byte that is no UTF-8', ask('/%FF')],
  ['a coded NUL', ask('/%00'), { all: 'no path of any use has one: 400' }],
  // It takes gunicorn's worker along.
  ['SystemExit', ask('/system-exit'), { all: 'it ends the request, not the worker' }],
];

const HOP = 'what belongs to the connection is settled before the application';
const ENVIRONS: readonly Case[] = [
  ['a query', ask('/environ?a=%2F+b&c')],
  ['an empty query', ask('/environ?')],
  ['an absolute target', ask('http://x/environ?a')],
  ['HTTP/1.0', old('/environ')],
  [
    'content',
    ask('/environ', { method: 'POST', fields: 'Content-Type: text/x\r\nContent-Length: 3\r\n', body: 'abc' }),
  ],
  ['no content', ask('/environ', { method: 'POST', fields: 'Content-Length: 0\r\n' })],
  [
    'chunked content',
    ask('/environ', {
      method: 'POST',
      fields: 'Transfer-Encoding: chunked\r\n',
      body: '3\r\nabc\r\n0\r\n\r\n',
    }),
    { gunicorn: HOP },
  ],
  [
    'a field twice',
    ask('/environ', { fields: 'X-A: 1\r\nx-a: 2\r\n' }),
    { gunicorn: 'RFC 9110 joins with ", "' },
  ],
  [
    'cookies',
    ask('/environ', { fields: 'Cookie: a=1\r\nCookie: b=2\r\n' }),
    { all: 'RFC 6265 joins with "; "' },
  ],
  ['an empty field', ask('/environ', { fields: 'X-A:\r\n' })],
  ['a field beyond ASCII', ask('/environ', { fields: 'X-A: \xe9\xff\r\n' })],
  ['an underscore', ask('/environ', { fields: 'X_A: 1\r\n' }), { gunicorn: 'X_A could pose as X-A' }],
  ['Proxy', ask('/environ', { fields: 'Proxy: http://evil\r\n' }), { all: 'httpoxy, CVE-2016-5385' }],
  [
    'SCRIPT_NAME',
    ask('/environ', { fields: 'SCRIPT_NAME: /x\r\n' }),
    { gunicorn: 'clients do not say where we are' },
  ],
  [
    'fields of the connection',
    ask('/environ', { fields: 'TE: trailers\r\nKeep-Alive: 1\r\n' }),
    { all: HOP },
  ],
  [
    'X-Forwarded-Proto',
    ask('/environ', { fields: 'X-Forwarded-Proto: https\r\n' }),
    { all: 'nobody is trusted unasked' },
  ],
  ['credentials', ask('/environ', { fields: 'Authorization: Basic eDp5\r\n' })],
];
/** What is about the server and the moment, or known to one of them only. */
const OWN_KEYS =
  /PORT|SERVER_NAME|SERVER_SOFTWARE|REMOTE_|_URI$|HTTP_CONNECTION|wsgi\.multithread|^(?:gunicorn|waitress)\./;

test('a WSGI application sees and sends the same as under gunicorn and waitress, but for the reasons named', {
  ...needs('gunicorn', 'waitress-serve', 'python3'),
}, async (t) => {
  const app = 'wsgi_traps:application';
  const [gunicorn, waitress, { port: ours }] = await Promise.all([
    startPeer(t, { program: 'gunicorn', args: ['-b', '127.0.0.1:0', app] }),
    startPeer(t, { program: 'waitress-serve', args: ['--listen=127.0.0.1:0', app] }),
    hostPython(t, app),
  ]);
  const environ = async (port: number, request: string): Promise<Record<string, unknown>> => {
    const text = await askPlainly(port, request);
    return text.includes('{') ? JSON.parse(text.slice(text.indexOf('{'))).values : { text };
  };
  for (const [name, request, different = {}] of ENVIRONS) {
    const own = await environ(ours, request);
    for (const [peer, port] of Object.entries({ gunicorn, waitress })) {
      const keys = differingKeys(own, await environ(port, request), OWN_KEYS);
      const reason = different[peer] ?? different.all;
      if (reason === undefined) assert.deepEqual(keys, [], `${name}: as ${peer}`);
      else assert.notEqual(keys.length, 0, `${name}: ${peer} has learned (${reason})`);
    }
  }
  await compare(t, WSGI, { ours, gunicorn, waitress });
});

const TYPED = 'a TypeError in the application is a 500, not a lost connection';
const COUNTED = 'HEAD tells the length GET would';

const ASGI: readonly Case[] = [
  ['a whole answer', ask('/ok')],
  ['a whole answer for HTTP/1.0', old('/ok')],
  ['a stream', ask('/stream')],
  ['a stream for HTTP/1.0', old('/stream')],
  ['a large answer', ask('/big?70000')],
  ['names in capitals', ask('/upper')],
  ['headers from a generator', ask('/generator')],
  ['cookies', ask('/cookies')],
  ['204', ask('/204')],
  ['Transfer-Encoding of its own', ask('/te')],
  ['a body', ask('/echo', { method: 'POST', fields: 'Content-Length: 5\r\n', body: 'hello' })],
  [
    'a chunked body',
    ask('/echo', {
      method: 'POST',
      fields: 'Transfer-Encoding: chunked\r\n',
      body: '5\r\nhello\r\n0\r\n\r\n',
    }),
  ],
  ['receive() after the body', ask('/receive-twice')],
  ['a failure', ask('/boom')],
  ['no answer', ask('/nothing')],
  ['HEAD', head('/ok'), { uvicorn: COUNTED }],
  ['HEAD of a stream', head('/stream')],
  ['a path in UTF-8', ask('/caf%C3%A9%2F//x')],
  ['a path that is no UTF-8', ask('/%FF')],
  ['dot segments', ask('/x/../y')],
  ['an absolute target', ask('http://x/nowhere')],
  ['more than Content-Length', ask('/too-long')],
  ['less than Content-Length', ask('/too-short')],
  ['text for the body', ask('/str-body')],
  ['text for a name', ask('/str-header'), { uvicorn: TYPED }],
  ['text for a value', ask('/str-value'), { uvicorn: TYPED }],
  ['a line end in a value', ask('/crlf'), { uvicorn: TYPED }],
  ['a second start', ask('/twice')],
  ['an answer without end', ask('/unfinished')],
  ['a failure after the first part', ask('/fail-late')],
];

const SCOPES: readonly Case[] = [
  ['a scope', ask('/scope')],
  ['a query', ask('/scope?a=%2F+b&c')],
  ['HTTP/1.0', old('/scope')],
  ['an absolute target', ask('http://x/scope?a')],
  ['fields in order', ask('/scope', { fields: 'X-B: 1\r\nX-A: 2\r\nx-b: 3\r\nX-C:\r\n' })],
  ['fields beyond ASCII', ask('/scope', { fields: 'X-A: \xe9\xff\r\n' })],
  ['an underscore', ask('/scope', { fields: 'X_A: 1\r\n' }), { uvicorn: 'X_A could pose as X-A' }],
  ['Proxy', ask('/scope', { fields: 'Proxy: http://evil\r\n' }), { uvicorn: 'httpoxy, CVE-2016-5385' }],
  [
    'X-Forwarded-For',
    ask('/scope', { fields: 'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n' }),
    { uvicorn: 'nobody is trusted unasked, this machine included' },
  ],
];

test('an ASGI application sees and sends the same as under uvicorn, but for the reasons named', {
  ...needs('uvicorn', 'python3'),
}, async (t) => {
  const [uvicorn, { port: ours }] = await Promise.all([
    startPeer(t, { program: 'uvicorn', args: ['--port', '0', 'asgi_traps:app'] }),
    hostPython(t, 'asgi_traps:app'),
  ]);
  const scope = async (port: number, request: string): Promise<Record<string, unknown>> => {
    const text = await askPlainly(port, request);
    const { client, server, ...rest } = JSON.parse(text.slice(text.indexOf('{')));
    assert.deepEqual([typeof client[1], server], ['number', ['127.0.0.1', port]]);
    return { ...rest, address: client[0] };
  };
  for (const [name, request, { uvicorn: reason } = {}] of SCOPES) {
    // Debian's speaks an older version of the specification, without state.
    const keys = differingKeys(
      await scope(ours, request),
      await scope(uvicorn, request),
      /^(?:asgi|extensions|state)$/,
    );
    if (reason === undefined) assert.deepEqual(keys, [], name);
    else assert.notEqual(keys.length, 0, `${name}: uvicorn has learned (${reason})`);
  }
  await compare(t, ASGI, { ours, uvicorn });
});
