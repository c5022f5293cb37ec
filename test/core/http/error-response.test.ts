import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorResponse } from '../../../src/core/http/error-response.js';
import { getHeader } from '../../../src/core/http/headers.js';

test('an error is text for tools, a page for browsers and JSON for programs', () => {
  const answer = (accept: string) => errorResponse(404, [['Accept', accept]]);
  assert.equal(answer('*/*').body, '404 Not Found\n');
  assert.match(String(answer('text/html').body), /<h1>404 Not Found<\/h1>/);
  assert.deepEqual(JSON.parse(String(answer('application/json').body)), { status: 404, error: 'Not Found' });
  assert.equal(getHeader(answer('text/html').headers, 'content-type'), 'text/html; charset=utf-8');
  assert.equal(getHeader(answer('text/html').headers, 'vary'), 'Accept');
});

test('an error carries the fields it is given', () => {
  assert.equal(getHeader(errorResponse(405, [], [['Allow', 'GET']]).headers, 'allow'), 'GET');
});
