import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStyle } from '../../../src/commands/output/style.js';
import { viewAccess } from '../../../src/commands/views/access-log.js';
import type { RequestEvent } from '../../../src/core/http/server-types.js';

const STYLE = createStyle({ isTTY: false, color: 'never', env: {} });

const EVENT: RequestEvent = {
  type: 'request',
  time: '2026-03-01T12:30:01.250Z',
  method: 'GET',
  target: '/a?b',
  scheme: 'http',
  httpVersion: '1.1',
  status: 200,
  bytes: 5120,
  bytesIn: 0,
  durationMs: 1.25,
  queueMs: 0,
  handlerMs: 1,
  sendMs: 0.25,
  remoteAddress: '192.0.2.7',
  remotePort: 5555,
  host: 'a',
  userAgent: 'curl/8',
  referer: null,
};

/** Everything a client could use to forge a line, end a field or drive a terminal. */
const HOSTILE = 'x" 200 1\r\nforged \x1b[31m \x7f \x9b \u202e \\';

test('common and combined are the formats of Apache and nginx', () => {
  const common = '192.0.2.7 - - [01/Mar/2026:12:30:01 +0000] "GET /a?b HTTP/1.1" 200 5120';
  assert.equal(viewAccess(EVENT, 'common', STYLE), common);
  assert.equal(viewAccess(EVENT, 'combined', STYLE), `${common} "-" "curl/8"`);
  assert.equal(viewAccess(EVENT, 'none', STYLE), undefined);
  const named = viewAccess({ ...EVENT, user: 'a b\n' }, 'common', STYLE);
  assert.equal(named, common.replace(' - - ', ' - a\\x20b\\n '));
});

test('dev says what, how it went and how long it took', () => {
  const line = viewAccess(EVENT, 'dev', STYLE) ?? '';
  assert.match(line, /^\d\d:\d\d:\d\d GET \/a\?b 200 1\.3 ms 5120 bytes$/);
  assert.match(viewAccess({ ...EVENT, aborted: true }, 'dev', STYLE) ?? '', /client left/);
});

test('dev tells how a request was served, as far as that is known', () => {
  const dev = (service: Partial<RequestEvent>): string =>
    (viewAccess({ ...EVENT, ...service }, 'dev', STYLE) ?? '').split(' bytes')[1] ?? '';
  assert.equal(
    dev({ queueMs: 0.44, workerMs: 8, workerPid: 4711, requestId: 'a-1' }),
    ', 0.4 ms queued, 8.0 ms in worker 4711, id a-1',
  );
  const upstream = 'http://127.0.0.1:3000/';
  assert.equal(dev({ upstream, upstreamMs: 3 }), `, 0.0 ms queued, 3.0 ms from ${upstream}`);
  assert.equal(dev({ upstream }), `, 0.0 ms queued, no answer from ${upstream}`);
  assert.equal(dev({ requestId: 'x\r\n\x1b[31m' }).includes('\n'), false);
});

test('json is the event itself', () => {
  assert.deepEqual(JSON.parse(viewAccess(EVENT, 'json', STYLE) ?? ''), EVENT);
});

for (const format of ['dev', 'common', 'combined', 'json'] as const) {
  test(`no client can forge a line of ${format} or drive the terminal with it`, () => {
    const event = { ...EVENT, method: HOSTILE, target: HOSTILE, userAgent: HOSTILE, referer: HOSTILE };
    const line = viewAccess(event, format, STYLE) ?? '';
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202e]/);
    if (format === 'json') assert.deepEqual(JSON.parse(line), event);
    // A quote of the client's is never the end of a field.
    if (format === 'combined') assert.equal(line.match(/(?<!\\)(?:\\\\)*"/g)?.length, 6);
  });
}

test('why a request was refused stands in the dev log, instead of an upstream that was never asked', () => {
  const reason = 'the body is too large';
  const refused = viewAccess({ ...EVENT, status: 413, reason, upstream: 'http://a/' }, 'dev', STYLE) ?? '';
  assert.match(refused, /413 1\.3 ms 5120 bytes, 0\.0 ms queued, the body is too large$/);
  const failed =
    viewAccess({ ...EVENT, status: 502, reason: 'no', upstream: 'http://a/' }, 'dev', STYLE) ?? '';
  assert.match(failed, /no answer from http:\/\/a\/$/);
});
