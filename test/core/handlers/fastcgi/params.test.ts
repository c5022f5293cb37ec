import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHeadEncoder } from '../../../../src/core/handlers/fastcgi/params.js';
import type { HeaderList, IncomingRequest } from '../../../../src/core/http/messages.js';
import { makeRequest } from '../../../helpers/serve-handler.js';

const PLACE = { scriptName: '/a.php', pathInfo: '/x', scriptFilename: '/srv/a.php', documentRoot: '/srv' };
const FIELDS: HeaderList = Object.freeze([
  ['Host', 'example.test'] as const,
  ['X-Forwarded-For', '1.2.3.4'] as const,
]);

function request(changes: Partial<IncomingRequest> = {}): IncomingRequest {
  const ends = { remoteAddress: '192.0.2.1', remotePort: 4000, localAddress: '192.0.2.9' };
  return makeRequest({ target: '/a.php/x?q=1', headers: FIELDS, ...ends, ...changes });
}

/** The variables of a head, in the order they are sent; a name that stands twice fails the test. */
function variablesOf(head: string): Map<string, string> {
  const bytes = Buffer.from(head, 'latin1');
  const variables = new Map<string, string>();
  let at = 24;
  const length = (): number => {
    const first = bytes[at] as number;
    const value = first < 128 ? first : bytes.readUInt32BE(at) & 0x7fffffff;
    at += first < 128 ? 1 : 4;
    return value;
  };
  for (const end = at + bytes.readUInt16BE(20); at < end; ) {
    const [nameBytes, valueBytes] = [length(), length()];
    const name = bytes.toString('latin1', at, at + nameBytes);
    assert.ok(!variables.has(name), `${name} stands twice`);
    variables.set(name, bytes.toString('latin1', at + nameBytes, at + nameBytes + valueBytes));
    at += nameBytes + valueBytes;
  }
  return variables;
}

test('a request carries the variables of its script, its connection and its own', () => {
  const encode = createHeadEncoder({ env: { APP: 'shop' }, isTrusted: () => false });
  assert.deepEqual(Object.fromEntries(variablesOf(encode(request(), PLACE, undefined))), {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'nettool',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'example.test',
    SERVER_PORT: '80',
    SERVER_ADDR: '192.0.2.9',
    REMOTE_ADDR: '192.0.2.1',
    REMOTE_PORT: '4000',
    REQUEST_SCHEME: 'http',
    REDIRECT_STATUS: '200',
    HTTP_HOST: 'example.test',
    CONTENT_TYPE: '',
    APP: 'shop',
    SCRIPT_NAME: '/a.php',
    PATH_INFO: '/x',
    SCRIPT_FILENAME: '/srv/a.php',
    DOCUMENT_ROOT: '/srv',
    PATH_TRANSLATED: '/srv/x',
    DOCUMENT_URI: '/a.php/x',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/a.php/x?q=1',
    QUERY_STRING: 'q=1',
    CONTENT_LENGTH: '',
  });
});

test('what is kept of one request is never said of another', () => {
  const encode = createHeadEncoder({ env: {}, isTrusted: (address) => address === '192.0.2.7' });
  const differences: Array<[Partial<IncomingRequest>, string, string]> = [
    [{ remotePort: 4001 }, 'REMOTE_PORT', '4001'],
    [{ remoteAddress: '192.0.2.2' }, 'REMOTE_ADDR', '192.0.2.2'],
    [{ httpVersion: '2' }, 'SERVER_PROTOCOL', 'HTTP/2.0'],
    [{ method: 'DELETE' }, 'REQUEST_METHOD', 'DELETE'],
    [{ query: 'q=2' }, 'QUERY_STRING', 'q=2'],
    [{ headers: [['Host', 'other.test']] }, 'HTTP_HOST', 'other.test'],
    [{ peerAddress: '192.0.2.7', remotePort: 1 }, 'HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ];
  for (const [changes, name, value] of differences) {
    const usual = variablesOf(encode(request(), PLACE, undefined));
    assert.notEqual(usual.get(name), value);
    const other = variablesOf(encode(request(changes), PLACE, undefined));
    assert.equal(other.get(name), value);
  }
  const place = { ...PLACE, scriptName: '/b.php', pathInfo: '' };
  const elsewhere = variablesOf(encode(request(), place, 12));
  assert.equal(elsewhere.get('SCRIPT_NAME'), '/b.php');
  assert.equal(elsewhere.get('PATH_TRANSLATED'), undefined);
  assert.equal(elsewhere.get('CONTENT_LENGTH'), '12');
});

test('the port is that of the URL where a proxy speaks TLS for us', () => {
  const encode = createHeadEncoder({ env: {}, isTrusted: () => true });
  const portOf = (changes: Partial<IncomingRequest>): string | undefined =>
    variablesOf(
      encode(request({ localPort: 8000, headers: [['Host', 'a.test']], ...changes }), PLACE, undefined),
    ).get('SERVER_PORT');
  assert.equal(portOf({}), '8000');
  assert.equal(portOf({ scheme: 'https' }), '443');
  assert.equal(portOf({ scheme: 'https', headers: [['Host', '[::1]:8443']] }), '8443');
  assert.equal(
    portOf({ scheme: 'https', tls: { protocol: 'TLSv1.3', cipher: 'x', serverName: 'a.test' } }),
    '8000',
  );
});

test('a variable that is given stands instead of the one of the request', () => {
  const env = { DOCUMENT_ROOT: '/app', HTTP_HOST: 'fixed', QUERY_STRING: 'none' };
  const encode = createHeadEncoder({ env, isTrusted: () => false });
  const variables = variablesOf(encode(request(), PLACE, undefined));
  for (const [name, value] of Object.entries(env)) assert.equal(variables.get(name), value);
});
