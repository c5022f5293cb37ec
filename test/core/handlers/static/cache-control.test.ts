import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheControlFor, hasHashedName } from '../../../../src/core/handlers/static/cache-control.js';

test('names with a hash of the content are known', () => {
  const names = [
    'main.3f2a9c1b.js',
    'static/js/main.3f2a9c1b.chunk.js',
    'app.1b4fe96bc5bb5cb63ab2.css',
    'index-BxN2a3cD.js',
    'my-page-D4f_8sKq.css',
    'chunk-7KQ2M4XZ.js',
    'logo.d41d8cd98f00b204.svg',
    'inter-550e84a0.woff2',
    'main.3f2a9c1b.js.map',
    'vendor.3f2a9c1b.min.js',
  ];
  for (const name of names) assert.ok(hasHashedName(`/assets/${name}`), name);
});

test('words, versions, dates and counters are not taken for one', () => {
  const names = [
    'index.html',
    'main.js',
    'jquery-3.7.1.min.js',
    'jquery-migrate.js',
    'report-20260101.pdf',
    'photo-20260101.jpg',
    'photo-2026010a.jpg',
    'IMG-12345678.jpg',
    'foo-production.js',
    'book-Chapter1.js',
    'wall-1920x1080.png',
    'iPhone5S-screen.png',
    'shot-iPhone5S.png',
    'deadbeef.js',
    'main.deadbeef.js',
    'page.3f2a9c1b.html',
    'data.3f2a9c1b.json',
    '3f2a9c1b',
    'app-UPPERCAS.js',
    '.3f2a9c1b',
  ];
  for (const name of names) assert.ok(!hasHashedName(`/${name}`), name);
});

test('files are kept but checked, hashed ones kept for a year, unless told otherwise', () => {
  assert.equal(cacheControlFor('/a.js', undefined), 'no-cache');
  assert.equal(cacheControlFor('/a.3f2a9c1b.js', undefined), 'max-age=31536000, immutable');
  assert.equal(cacheControlFor('/a.3f2a9c1b.js', 60), 'max-age=60');
  assert.equal(cacheControlFor('/a.3f2a9c1b.js', 'no-store'), 'no-store');
  assert.equal(cacheControlFor('/a.js', 0), 'max-age=0');
});
