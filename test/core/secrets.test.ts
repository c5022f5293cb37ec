import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRedactor, looksSecret } from '../../src/core/secrets.js';

test('credentials are known by their header or field name', () => {
  const secret = [
    'Authorization',
    'proxy-authorization',
    'COOKIE',
    'X-Api-Key',
    'csrf_token',
    'client-secret',
    'X-Auth',
    'passwordHash',
    'X-Hub-Signature',
  ];
  for (const name of secret) assert.ok(looksSecret(name), name);
  for (const name of ['Accept', 'Content-Type', 'Set-Cookie2', 'X-Request-Id'])
    assert.ok(!looksSecret(name), name);
});

test('userinfo of a URL is masked wherever it stands', () => {
  const { redact } = createRedactor(false);
  assert.equal(
    redact('cannot open https://ann:pw@host:1/x and http://bob@h/'),
    'cannot open https://***@host:1/x and http://***@h/',
  );
  assert.equal(redact('mail ann@example.org at http://h/a@b'), 'mail ann@example.org at http://h/a@b');
});

test('query values with secret-looking names are masked, others stay', () => {
  const { redact } = createRedactor(false);
  assert.equal(redact('http://h/?a=1&api_key=abc&b=2'), 'http://h/?a=1&api_key=***&b=2');
});

test('a remembered secret is masked whole, also when it contains another', () => {
  const redactor = createRedactor(false);
  redactor.add('tiger');
  redactor.add('paper-tiger-lily');
  redactor.add('abc');
  assert.equal(redactor.redact('tiger paper-tiger-lily abc'), '*** *** abc');
});

test('with show nothing is masked', () => {
  const redactor = createRedactor(true);
  redactor.add('tiger');
  assert.equal(redactor.redact('tiger http://a:b@h/'), 'tiger http://a:b@h/');
});
