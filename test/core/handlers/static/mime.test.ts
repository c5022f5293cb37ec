import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentTypeOf } from '../../../../src/core/handlers/static/mime.js';

const CASES: ReadonlyArray<readonly [name: string, type: string]> = [
  ['/index.html', 'text/html; charset=utf-8'],
  ['/a.CSS', 'text/css; charset=utf-8'],
  ['/a.js', 'text/javascript; charset=utf-8'],
  ['/a.mjs', 'text/javascript; charset=utf-8'],
  ['/a.json', 'application/json; charset=utf-8'],
  ['/a.xml', 'application/xml; charset=utf-8'],
  ['/a.svg', 'image/svg+xml; charset=utf-8'],
  ['/a.webmanifest', 'application/manifest+json; charset=utf-8'],
  ['/a.txt', 'text/plain; charset=utf-8'],
  ['/a.wasm', 'application/wasm'],
  ['/a.png', 'image/png'],
  ['/a.woff2', 'font/woff2'],
  ['/a.mp4', 'video/mp4'],
  ['/a.tar.gz', 'application/gzip'],
  ['/a.unknown-thing', 'application/octet-stream'],
  ['/dir.html/file', 'application/octet-stream'],
  ['/js', 'application/octet-stream'],
  ['/LICENSE', 'text/plain; charset=utf-8'],
];

for (const [name, type] of CASES) {
  test(`${name} is sent as ${type}`, () => assert.equal(contentTypeOf(name), type));
}
