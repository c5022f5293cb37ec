import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Received, startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { listen, startFixedStub, startStub } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

const exec = promisify(execFile);

const answer = (type: string, body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('--dry-run prints the request and sends nothing', async () => {
  const result = await run(['post', 'x.example/a', 'q==1', 'k=v', '--auth', 'ada:hunter22', '--dry-run']);
  assert.equal(result.code, 0);
  assert.match(result.stdout, /^POST \/a\?q=1 HTTP\/1\.1\nHost: x\.example\n/);
  assert.match(result.stdout, /\nAuthorization: \*\*\*\n/);
  assert.match(result.stdout, /\n\n\{"k":"v"\}\n$/);
  const shown = await run(['post', 'x.example', '--auth', 'ada:hunter22', '--dry-run', '--show-secrets']);
  assert.match(shown.stdout, /Authorization: Basic YWRh/);
});

test('--as-curl is a command that sends the same request, run by sh', async (t) => {
  const cwd = tempDir(t, {
    'a b.txt': 'file content',
    'data.bin': 'x'.repeat(2 ** 20 + 5),
    bytes: Buffer.from([0x80, 0xff, 0x0a]),
    at: '@x',
  });
  const { url, received } = await startHttp(t, (res) => res.end());
  for (const argv of [
    ['get', url, "q==it's $HOME `x` \\", 'X-Quote:a\'b"c$d\\e', 'Accept:', 'X-Empty;'],
    ['post', url, "a=it's", 'b[c]:=[1, 2]'],
    ['put', url, '--form', 'a=1 2', 'b=@a b.txt'],
    ['delete', url],
    ['options', url],
    ['post', url, '-d', '@data.bin', 'Content-Type:'],
    ['post', url],
    ['patch', url, '-d', '{"x":1}', '--cookie', 'a=b'],
    ['get', url, '--bearer', 'env:TOKEN', 'User-Agent:'],
    ['get', url, '-X', 'REPORT', 'X-Utf8:é'],
    ['get', `${url}/a[1-3]?q={a,b}`],
    ['put', url, '-d', '@bytes', 'Content-Type:text/x'],
    ['post', url, '-d', '@at', '-d', 'b'],
    ['head', url],
  ]) {
    received.length = 0;
    const env = { TOKEN: 'se$cret' };
    const ours = await run(argv, { cwd, env });
    assert.equal(ours.code, 0, ours.stderr);
    const { stdout } = await run([...argv, '--as-curl', '--show-secrets'], { cwd, env });
    await exec('sh', ['-c', `${stdout.trim()} -s`], { env: { ...process.env, ...env } });
    const [first, second] = received.map(normalize);
    assert.deepEqual(second, first, stdout);
  }
});

/** Without what belongs to the connection and not to the request. */
function normalize({ method, target, headers, body }: Received) {
  const { connection: _connection, 'content-length': length, ...rest } = headers;
  return {
    method,
    target,
    headers: { ...rest, ...(length === undefined || length === '0' ? {} : { length }) },
    body,
  };
}

test('--as-curl sends the same form of parts, and names the variable of a secret', async (t) => {
  const cwd = tempDir(t, { 'a b.txt': 'file content', 'c";\\d': 'more' });
  const { url, received } = await startHttp(t, (res) => res.end());
  const argv = ['post', url, 'a=1', 'f@a b.txt', 'g@c";\\d', 'X-Api-Key:env:KEY'];
  const env = { KEY: 'top-secret' };
  await run(argv, { cwd, env });
  const { stdout } = await run([...argv, '--as-curl'], { cwd, env });
  assert.match(stdout, /-H 'X-Api-Key: '"\$KEY"/);
  assert.doesNotMatch(stdout, /top-secret/);
  await exec('sh', ['-c', `${stdout.trim()} -s`], { env: { ...process.env, ...env } });
  const bare = received.map(({ body, headers }) =>
    body
      .replaceAll(/boundary=(.*)/.exec(headers['content-type'] ?? '')?.[1] ?? '', 'B')
      .replaceAll(/-+B/g, 'B'),
  );
  assert.deepEqual(bare[1], bare[0]);
  assert.equal(received[1]?.headers['x-api-key'], 'top-secret');
});

test('--as-curl does not call content compressed that curl sends as it is', async () => {
  const { stdout, stderr } = await run(['post', ':9', '-d', 'x'.repeat(99), '--compress', '--as-curl']);
  assert.doesNotMatch(stdout, /Content-Encoding/i);
  assert.match(stderr, /note: curl cannot compress/);
});

test('--print shows the parts that are asked for, --headers and --body the usual ones', async (t) => {
  const { url } = await startHttp(t, (res) => {
    res.sendDate = false;
    res.writeHead(201, 'Made', { 'X-A': 'b' }).end('body');
  });
  const print = async (...flags: string[]): Promise<string> =>
    (await run(['post', url, 'a=1', ...flags])).stdout;
  const head = /^HTTP\/1\.1 201 Made\nX-A: b\n(.*\n)*/;
  assert.match(await print('--headers'), head);
  assert.doesNotMatch(await print('--headers'), /body/);
  assert.equal(await print('--body'), 'body');
  assert.match(await print('--print', 'HB'), /^POST \/ HTTP\/1\.1\n[\s\S]*\n\n\{"a":"1"\}\n\n$/);
  assert.match(await print('--print', 'Hh'), /^POST [\s\S]*\n\nHTTP\/1\.1 201 Made\n/);
  assert.match(await print('--print', 'hb'), /^HTTP[\s\S]*\n\nbody$/);
  assert.match(await print('--print', 'bm'), /^body\s+dns +tcp +tls +wait +transfer +total/);
});

test('--timing tells the steps of every request on the way', async (t) => {
  const { url } = await startHttp(t, (res, { target }) => {
    if (target === '/') res.writeHead(302, { location: '/there' });
    setTimeout(() => res.end('x'), 30);
  });
  const { stderr, stdout } = await run(['get', url, '--timing']);
  assert.equal(stdout, 'x');
  const [titles, first, second] = stderr.trim().split('\n');
  assert.match(titles ?? '', /dns +tcp +tls +wait +transfer +total +request/);
  assert.match(first ?? '', /302 GET http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.match(second ?? '', /200 GET http:\/\/127\.0\.0\.1:\d+\/there$/);
});

test('--har writes what was sent and answered, secrets masked, readable by its owner only', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res, { target }) => {
    if (target === '/?key=abcdef') res.writeHead(302, { location: '/there' });
    res.end('x');
  });
  const argv = ['post', url, 'a=1', '-p', 'key=abcdef', '--bearer', 'sssecret', '--har', 'out.har'];
  assert.equal((await run(argv, { cwd })).code, 0);
  const text = readFileSync(join(cwd, 'out.har'), 'utf8');
  assert.doesNotMatch(text, /sssecret|abcdef/);
  assert.equal(statSync(join(cwd, 'out.har')).mode & 0o777, 0o600);
  const { log } = JSON.parse(text);
  assert.equal(log.version, '1.2');
  assert.equal(log.entries.length, 2);
  const [entry] = log.entries;
  assert.deepEqual(
    [entry.request.method, entry.response.status, entry.response.redirectURL],
    ['POST', 302, '/there'],
  );
  assert.equal(entry.request.postData.text, '{"a":"1"}');
  assert.ok(Object.values(entry.timings).every((ms) => typeof ms === 'number'));
  assert.equal((await run([...argv.slice(0, -1), 'missing/x.har'], { cwd })).code, 23);
  const dash = await run([...argv.slice(0, -1), '-', '-o', 'body'], { cwd });
  assert.equal(JSON.parse(dash.stdout).log.version, '1.2');
  // What is not a regular file is written to, not replaced.
  symlinkSync('real.har', join(cwd, 'link.har'));
  assert.equal((await run([...argv.slice(0, -1), 'link.har'], { cwd })).code, 0);
  assert.deepEqual(
    [lstatSync(join(cwd, 'link.har')).isSymbolicLink(), existsSync(join(cwd, 'real.har'))],
    [true, true],
  );
});

test('--har holds bodies: text, base64, none that is large, and no secret of ours', async (t) => {
  const cwd = tempDir(t);
  const bodies: Record<string, string | Buffer> = {
    '/text': gzipSync('grün, and hunter22'),
    '/binary': Buffer.from([0, 255, 1]),
    '/large': 'x'.repeat(5 * 2 ** 20),
  };
  const { url } = await startHttp(t, (res, { target }) => {
    res.setHeader('content-type', 'text/plain; charset=utf-8');
    if (target === '/text') res.setHeader('content-encoding', 'gzip');
    res.end(bodies[target ?? '']);
  });
  const more = ['--url', `${url}/binary`, '--url', `${url}/large`];
  const sent = '{"password": "hunter22", "n": 1}';
  assert.equal((await run(['post', `${url}/text`, ...more, '-d', sent, '--har', 'a.har'], { cwd })).code, 0);
  const { log } = JSON.parse(readFileSync(join(cwd, 'a.har'), 'utf8'));
  const [text, binary, large] = log.entries.map(
    (entry: { response: { content: unknown } }) => entry.response.content,
  );
  assert.deepEqual([text.text, text.size, text.encoding], ['grün, and ***', 19, undefined]);
  assert.deepEqual([binary.text, binary.encoding], ['AP8B', 'base64']);
  assert.deepEqual([large.size, large.text, /^left out/.test(large.comment)], [5 * 2 ** 20, undefined, true]);
  const { request } = log.entries[0];
  assert.deepEqual([request.postData.text, request.bodySize], ['{"password": "***", "n": 1}', sent.length]);
  writeFileSync(join(cwd, 'body'), 'a=1&api_key=abc%20def&b=2');
  assert.equal((await run(['post', url, '-d', '@body', '--har', 'b.har'], { cwd })).code, 0);
  const [form] = JSON.parse(readFileSync(join(cwd, 'b.har'), 'utf8')).log.entries;
  assert.equal(form.request.postData.text, 'a=1&api_key=***&b=2');
});

test('events and lines are shown as they come', async (t) => {
  let release = (): void => {};
  const { url } = await startStub(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"a": 1}\n\n');
    release = () => void socket.end('data: \x1b[2J\n\n');
  });
  const shown: string[] = [];
  const result = await run(['get', url, '--color=never'], {
    stdoutTTY: true,
    onWrite: (stream, text) => {
      if (stream !== 'stdout') return;
      shown.push(text);
      release();
    },
  });
  assert.equal(shown[0], 'data: { "a": 1 }\n');
  assert.equal(result.stdout, 'data: { "a": 1 }\n\ndata: \\x1b[2J\n\n');
  const lines = await startFixedStub(t, answer('application/x-ndjson', '{"a":1}\n[2]\nplain'));
  const colored = await run(['get', lines.url], { stdoutTTY: true });
  assert.match(colored.stdout, /^\{ \x1b\[34m"a"\x1b\[39m: \x1b\[36m1\x1b\[39m \}\n\[ .*2.* \]\nplain\n$/);
  const forced = await startFixedStub(t, answer('application/json', '{"a":\n1}'));
  assert.equal(
    (await run(['get', forced.url, '--stream', '--color=never'], { stdoutTTY: true })).stdout,
    '{"a":\n1}\n',
  );
});

test('XML is laid out when it is one line, and coloured; HTML is coloured as it is', async (t) => {
  const xml = '<?xml version="1.0"?><a x="1"><b>text</b><c/><d><e>1</e></d></a>';
  const { url } = await startFixedStub(t, answer('application/xml', xml));
  assert.equal(
    (await run(['get', url, '--color=never'], { stdoutTTY: true })).stdout,
    '<?xml version="1.0"?>\n<a x="1">\n  <b>text</b>\n  <c/>\n  <d>\n    <e>1</e>\n  </d>\n</a>\n',
  );
  const html = '<!doctype html><p class="x">1 &lt; 2 <b>b</b>\x1b[31m</p>';
  const page = await startFixedStub(t, answer('text/html', html));
  const { stdout } = await run(['get', page.url], { stdoutTTY: true });
  assert.match(
    stdout,
    /\x1b\[34m<p\x1b\[39m \x1b\[36mclass\x1b\[39m=\x1b\[32m"x"\x1b\[39m\x1b\[34m>\x1b\[39m/,
  );
  assert.equal(stdout.replaceAll(/\x1b\[\d+m/g, ''), `${html.replace('\x1b', '\\x1b')}\n`);
  assert.equal((await run(['get', page.url])).stdout, html);
});

test('a summary of a download is one line, and none when quiet or in JSON', async (t) => {
  const cwd = tempDir(t);
  const server = createServer((_req, res) => res.end('x'.repeat(5000)));
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const result = await run(['get', url, '-o', 'f'], { cwd, env: { CI: 'true' }, stderrTTY: true });
  assert.match(result.stderr, /^saved f \(4\.9 KiB in \d\.\d s, [^)]+\)\n$/);
  assert.equal((await run(['get', url, '-o', 'f', '-q'], { cwd })).stderr, '');
  const json = await run(['get', url, '-o', 'f', '--json'], { cwd });
  assert.equal(json.stderr, '');
  assert.equal(parseLines(json.stdout)[0].bodySizeBytes, 5000);
});
