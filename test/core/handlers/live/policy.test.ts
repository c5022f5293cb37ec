import assert from 'node:assert/strict';
import { test } from 'node:test';
import { widenPolicy } from '../../../../src/core/handlers/live/policy.js';

const WANTED = { script: 'http://h/s.js', events: 'http://h/e', nonce: 'N' };
const widen = (policy: string): string => widenPolicy(policy, WANTED);

test('a policy is widened by one script and one connection, and by nothing else', () => {
  assert.equal(
    widen("default-src 'none'; img-src *"),
    "default-src 'none'; img-src *; script-src http://h/s.js; connect-src http://h/e",
  );
  assert.equal(
    widen("default-src 'self'; script-src 'unsafe-inline'"),
    "default-src 'self'; script-src 'unsafe-inline' http://h/s.js; connect-src 'self' http://h/e",
  );
  assert.equal(
    widen("script-src 'none'; script-src-elem 'self'; connect-src https://api"),
    "script-src 'none'; script-src-elem 'self' http://h/s.js; connect-src https://api http://h/e",
  );
});

test("where 'strict-dynamic' makes addresses void a nonce lets the script in", () => {
  assert.equal(
    widen("script-src 'nonce-x' 'strict-dynamic'"),
    "script-src 'nonce-x' 'strict-dynamic' 'nonce-N'",
  );
});

test('what a policy does not speak of stays as it is, and each of several is widened', () => {
  assert.equal(widen("frame-ancestors 'none'"), "frame-ancestors 'none'");
  assert.equal(
    widen("script-src 'self', script-src b"),
    "script-src 'self' http://h/s.js,script-src b http://h/s.js",
  );
  assert.equal(widen(' ; ;'), '');
});
