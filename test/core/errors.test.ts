import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { flattenCauses, NettoolError, toNettoolError } from '../../src/core/errors.js';

function errno(code: string, extra: object = {}): Error {
  return Object.assign(new Error(code), { code, ...extra });
}

test('a foreign error is known by its code, whatever its text says', () => {
  const cases = {
    ENOTFOUND: 'DNS_NOT_FOUND',
    EAI_AGAIN: 'DNS_FAILED',
    ECONNREFUSED: 'CONNECTION_REFUSED',
    ENETUNREACH: 'UNREACHABLE',
    ETIMEDOUT: 'TIMEOUT',
    ECONNRESET: 'CONNECTION_BROKEN',
    EADDRINUSE: 'ADDRESS_IN_USE',
    EADDRNOTAVAIL: 'ADDRESS_NOT_AVAILABLE',
    EACCES: 'PERMISSION',
    ENOENT: 'INPUT_FAILED',
    ENOSPC: 'OUTPUT_FAILED',
    CERT_HAS_EXPIRED: 'TLS_CERTIFICATE',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS_CERTIFICATE',
    ERR_TLS_CERT_ALTNAME_INVALID: 'TLS_CERTIFICATE',
    ERR_SSL_WRONG_VERSION_NUMBER: 'TLS_HANDSHAKE',
    EPROTO: 'TLS_HANDSHAKE',
    UND_ERR_HEADERS_TIMEOUT: 'TIMEOUT',
    UND_ERR_HEADERS_OVERFLOW: 'MALFORMED_REPLY',
    HPE_INVALID_CONSTANT: 'MALFORMED_REPLY',
  };
  for (const [code, expected] of Object.entries(cases)) {
    assert.equal(toNettoolError(errno(code)).code, expected, code);
  }
});

test('the same code means another thing when the file system said it, or connect', () => {
  assert.equal(toNettoolError(errno('EACCES', { syscall: 'open' })).code, 'INPUT_FAILED');
  assert.equal(toNettoolError(errno('EACCES', { syscall: 'listen' })).code, 'PERMISSION');
  assert.equal(toNettoolError(errno('ENOENT', { syscall: 'connect' })).code, 'CONNECTION_REFUSED');
  assert.equal(toNettoolError(errno('EADDRNOTAVAIL', { syscall: 'connect' })).code, 'UNREACHABLE');
});

test('the sentence says what was done and why it failed', () => {
  const error = toNettoolError(
    errno('ECONNREFUSED', { address: '127.0.0.1', port: 9 }),
    'cannot connect to 127.0.0.1:9',
  );
  assert.equal(error.message, 'cannot connect to 127.0.0.1:9 (connection refused)');
  assert.equal(toNettoolError(errno('ENOSPC')).message, 'no space left on device');
});

test('a failed happy-eyeballs names every address that was tried', async () => {
  const failure = await new Promise((resolve) => {
    const lookup = (_host: string, _options: object, done: (error: null, found: object[]) => void): void => {
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    };
    // Port 1 of loopback: nothing listens there.
    connect({ host: 'two.test', port: 1, lookup: lookup as never, autoSelectFamily: true }).on(
      'error',
      resolve,
    );
  });
  assert.ok(failure instanceof AggregateError);
  const error = toNettoolError(failure, 'cannot connect to two.test:1');
  assert.equal(error.code, 'CONNECTION_REFUSED');
  assert.equal(error.message, 'cannot connect to two.test:1 (connection refused: 127.0.0.1:1, 127.0.0.2:1)');
  assert.equal(flattenCauses(error).length, 4);
});

test('an error of ours is found inside what a library wrapped around it', () => {
  const ours = new NettoolError('INTERRUPTED', 'interrupted');
  const abort = new DOMException('This operation was aborted', { name: 'AbortError', cause: ours } as never);
  assert.equal(toNettoolError(abort, 'cannot do it'), ours);
});

test('what is unknown is internal, with its own words', () => {
  assert.deepEqual(
    [toNettoolError(new Error('odd'), 'cannot do it').message, toNettoolError('a string').message],
    ['cannot do it: odd', 'a string'],
  );
  assert.equal(toNettoolError(new Error('odd')).code, 'INTERNAL');
  assert.equal(toNettoolError(undefined).message, 'undefined');
});

test('causes that form a ring end', () => {
  const first = new Error('first');
  const second = new Error('second', { cause: first });
  first.cause = second;
  assert.deepEqual(flattenCauses(first), [first, second]);
});
