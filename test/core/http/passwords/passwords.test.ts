import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parsePasswordHash } from '../../../../src/core/http/passwords/index.js';
import { needs, runProgram } from '../../../helpers/programs.js';

/** As htpasswd and mkpasswd wrote them. */
const HASHES: Readonly<Record<string, readonly string[]>> = {
  secret: [
    '$2y$05$qfRThLnIoq4m4.sv1tjdTuV5.FQiFP9FGEaYAgBnWRd.S5vMPmtsu',
    '$apr1$hVM5zDG3$YAuaNnbX4Qc7q57eG.snT0',
    '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    '$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA',
    '$6$rounds=1500$saltsalt$34Syr0FSbWlp9hNFif0BNSVHRPxwiPh79DU920TQC0DoAPilRd9UG4mVZjASSDEENmIuJl1xJneHoAcjNgCp00',
    '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1',
  ],
  'pä:ss €': [
    '$2y$05$n6sAmVOHqyKZMpcIBOdCpe2ZEIKgq7JgIVcQ0dFry4j9FhJS.jOZm',
    '$apr1$OmWw2TX3$6FsTgAqI7XTy/2vRsS5sn/',
    '{SHA}sr6sY2UeBU3NaPF7hV828RWj+cg=',
    '$5$saltsalt$snfIvn7m/6rvptxlJP1cQ36PbZrGpc3FnuMTvFCSFt0',
    '$6$rounds=1500$saltsalt$rjWon7rkofnbc2DydRhuGrGT3XYQSvKjAaX1jFnB8fqQR36/wDchdWNoNZ8oObU2n98qr7cWV3KdW56k41uZg.',
    '$1$abcdefgh$snAHItgGZbNPEzIqudxt/0',
  ],
  '': [
    '$2y$05$0QS1bZndw59VsMPxa4X6G.K/b9Ego76b2/HWink1oxZAuXWGhREZa',
    '$apr1$zHmHeaGI$5Bq39wi70rXdr4PkLrH2n1',
    '{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=',
    '$5$saltsalt$09agN5RZ2meWdEdnEusqsq5G7RwwghB8jCKoWWADxW/',
    '$6$rounds=1500$saltsalt$rvHtwP1X5CJcxKtMtXj0oqv8JZYIGyeI.dyRf5fchh1mVREFPYplRmK/kwETyvnHb7jbReCtjXdLMfZIBaMIT0',
    '$1$abcdefgh$M55TzYaaccxVGbptZWaxX/',
  ],
};

async function matches(hash: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(hash);
  assert.ok(parsed, hash);
  return parsed.matches(password);
}

test('a password is known by what htpasswd and mkpasswd make of it, and no other is', async () => {
  for (const [password, hashes] of Object.entries(HASHES)) {
    for (const hash of hashes) {
      assert.equal(await matches(hash, password), true, `${password} ${hash}`);
      assert.equal(await matches(hash, `${password}x`), false, hash);
      assert.equal(await matches(hash, hash), false, hash);
    }
  }
});

test(
  'openssl, htpasswd and we agree on passwords of every length',
  needs('openssl', 'htpasswd'),
  async () => {
    for (const length of [1, 7, 15, 16, 17, 31, 33, 63, 65, 71, 72, 90]) {
      const password = 'aé7'.repeat(length).slice(0, length);
      for (const method of ['-apr1', '-1', '-5', '-6']) {
        const hash = runProgram('openssl', ['passwd', method, '-stdin'], `${password}\n`).trim();
        assert.equal(await matches(hash, password), true, hash);
      }
      const hash = runProgram('htpasswd', ['-nbB', '-C', '4', 'u', password]).trim().slice(2);
      assert.equal(await matches(hash, password), true, hash);
    }
  },
);

test('a salted SHA-1 is known, too', async () => {
  assert.equal(await matches('{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0', 'secret'), true);
});

test('what has another form is no hash', () => {
  for (const text of [
    'secret',
    'rl.3StKT.4T8M',
    '$2y$05$short',
    '$2y$99$qfRThLnIoq4m4.sv1tjdTuV5.FQiFP9FGEaYAgBnWRd.S5vMPmtsu',
    '$7$salt$hash',
    '{SHA}AAAA',
    '{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    'sha256:00',
  ]) {
    assert.equal(parsePasswordHash(text), undefined, text);
  }
});

/** How often others have their turn until it is known. */
async function turnsUntil(guess: boolean | Promise<boolean> | undefined): Promise<number> {
  let turns = 0;
  let isDone = false;
  const known = Promise.resolve(guess).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await nextTurn();
    turns += 1;
  }
  assert.equal(await known, false);
  return turns;
}

test('a slow hash lets others have their turn, and is computed once for the right password', async () => {
  const hash = parsePasswordHash(`$6$rounds=200000$saltsalt$${'x'.repeat(86)}`);
  assert.ok((await turnsUntil(hash?.matches('wrong'))) > 2);
  const right = parsePasswordHash(HASHES.secret?.[0] as string);
  assert.ok(right?.matches('secret') instanceof Promise);
  assert.equal(await right.matches('secret'), true);
  assert.equal(right.matches('secret'), true);
  assert.equal(right.matches('s'.repeat(1000)), false);
});

test('bcrypt is computed beside everything else, guess after guess', async () => {
  const hash = parsePasswordHash(`$2y$10$${'x'.repeat(53)}`);
  const guesses = Promise.all([hash?.matches('one'), hash?.matches('two'), hash?.matches('three')]);
  assert.ok((await turnsUntil(guesses.then((fits) => fits.some(Boolean)))) > 300);
});
