import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unread } from '../../../../src/core/handlers/fastcgi/unread.js';

const MEGABYTE = Buffer.alloc(1024 * 1024, 'x');

test('what was added is taken in its order, some at a time', () => {
  const unread = new Unread();
  const text = Array.from({ length: 100 }, (_, index) => String(index).padEnd(10_000)).join('');
  for (let at = 0; at < text.length; at += 7000) unread.add(Buffer.from(text.slice(at, at + 7000)));
  assert.equal(unread.look().toString(), text);
  unread.add(Buffer.from('end'));
  let taken = '';
  while (!unread.isEmpty) taken += unread.take();
  assert.equal(taken, `${text}end`);
});

test('an answer is full at eight megabytes, and sooner where all of them are a lot', () => {
  const answers = Array.from({ length: 9 }, () => new Unread());
  const [first, ...others] = answers as [Unread, ...Unread[]];
  for (let count = 0; count < 9; count += 1) first.add(MEGABYTE);
  assert.ok(first.isFull);
  first.take();
  assert.ok(!first.isFull);
  for (const unread of others) {
    for (let count = 0; count < 7; count += 1) unread.add(MEGABYTE);
  }
  assert.ok(answers.every(({ isFull }) => !isFull));
  const late = new Unread();
  late.add(MEGABYTE);
  assert.ok(late.isFull);
  late.take();
  late.add(MEGABYTE.subarray(0, 100_000));
  assert.ok(!late.isFull, 'each may keep a little');
  for (const unread of [...answers, late]) unread.clear();
  late.add(MEGABYTE);
  assert.ok(!late.isFull);
  late.clear();
});
