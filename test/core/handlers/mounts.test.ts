import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMounts, normalizePrefix } from '../../../src/core/handlers/mounts.js';
import type { Handler } from '../../../src/core/http/handler.js';
import type { IncomingRequest } from '../../../src/core/http/messages.js';

function named(body: string): Handler {
  return { handle: () => ({ status: 200, headers: [], body }) };
}

async function answerOf(handler: Handler, path: string): Promise<unknown> {
  const { status, body } = await handler.handle({ path, headers: [] } as unknown as IncomingRequest);
  return status === 200 ? body : status;
}

test('the longest prefix wins, cut at segments', async () => {
  const handler = createMounts([
    { prefix: '', handler: named('site') },
    { prefix: '/api', handler: named('api') },
    { prefix: '/api/v2', handler: named('v2') },
  ]);
  const table = {
    '/': 'site',
    '/apix': 'site',
    '/api': 'api',
    '/api/': 'api',
    '/api/v1': 'api',
    '/api/v2/x': 'v2',
    '/api/v22': 'api',
  };
  for (const [path, expected] of Object.entries(table))
    assert.equal(await answerOf(handler, path), expected, path);
});

test('what no mount has is 404', async () => {
  assert.equal(await answerOf(createMounts([{ prefix: '/api', handler: named('api') }]), '/other'), 404);
});

test('one mount of everything is the handler itself', () => {
  const handler = named('site');
  assert.equal(createMounts([{ prefix: '', handler }]), handler);
});

test('all mounts are closed', async () => {
  let closed = 0;
  const handler: Handler = {
    ...named('x'),
    close: async () => {
      closed += 1;
    },
  };
  await createMounts([
    { prefix: '/a', handler },
    { prefix: '/b', handler },
    { prefix: '', handler: named('') },
  ]).close?.();
  assert.equal(closed, 2);
});

test('an upgrade goes to its mount, and is declined by one that cannot', async () => {
  const seen: string[] = [];
  const handler = createMounts([
    { prefix: '/ws', handler: { ...named('ws'), upgrade: async () => void seen.push('ws') } },
    { prefix: '', handler: named('site') },
  ]);
  const upgrade = (path: string) =>
    handler.upgrade?.({ path, headers: [] } as never, {} as never, Buffer.alloc(0));
  assert.equal(await upgrade('/ws/chat'), undefined);
  assert.equal(((await upgrade('/x')) as { body: string }).body, 'site');
  assert.deepEqual(seen, ['ws']);
});

test('prefixes are written in several ways', () => {
  const table = { '/': '', '': '', api: '/api', '/api/': '/api', '/a/b//': '/a/b' };
  for (const [text, expected] of Object.entries(table)) assert.equal(normalizePrefix(text), expected, text);
});
