import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCount, parseDuration, parsePort, parseSize } from '../../src/commands/options.js';

function table(parse: (text: string) => number, good: Record<string, number>, bad: readonly string[]): void {
  for (const [text, value] of Object.entries(good)) assert.equal(parse(text), value, text);
  for (const text of bad) assert.throws(() => parse(text), { code: 'commander.invalidArgument' }, text);
}

test('durations are seconds unless a unit says otherwise', () => {
  const good = { '500ms': 500, '2s': 2000, '1m30s': 90_000, '1h': 3_600_000, '3': 3000, '0.25': 250, '0': 0 };
  table(parseDuration, good, ['', 'x', '5 s', '-1', '1d', 's', '1e3', '25d', '999999h']);
});

test('sizes count in powers of 1024', () => {
  const good = {
    '0': 0,
    '10': 10,
    '10k': 10_240,
    '10KiB': 10_240,
    '5M': 5_242_880,
    '5MiB': 5_242_880,
    '1.5k': 1536,
    '2G': 2 ** 31,
  };
  table(parseSize, good, ['', 'k', '-1', '1x', '1e3', '99999999T']);
});

test('ports run from 0 to 65535', () => {
  table(parsePort, { '0': 0, '80': 80, '65535': 65_535 }, ['', '65536', '-1', '80a', '0x50', '1e3', ' 80']);
});

test('counts are whole and not negative', () => {
  table(parseCount, { '0': 0, '12': 12 }, ['', '-1', '1.5', 'x', '99999999999999999999']);
});
