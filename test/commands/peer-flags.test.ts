import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../helpers/run.js';

test('a flag of curl, HTTPie or wget is answered with what it is here', async () => {
  for (const [argv, hint] of [
    [['get', ':9', '-L'], 'here: redirects are followed; --no-follow shows them'],
    [['post', ':9', '--data-binary', '@x'], 'here: -d TEXT, -d @FILE'],
    [['get', ':9', '--compressed'], 'here: that is asked for and decoded already; --raw leaves it as it is'],
    [['get', ':9', '--max-time', '3'], 'here: --timeout'],
    [['get', ':9', '-sSL'], 'here: -q; errors are told in any case'],
    [['get', ':9', '--constructor'], "see 'nettool get --help'"],
    [['ping', 'x', '-L'], "see 'nettool ping --help'"],
  ] as const) {
    const { code, stderr } = await run(argv);
    assert.deepEqual([code, stderr.split('hint: ')[1]], [2, `${hint}\n`], argv.join(' '));
  }
});

test('a flag of nc, ncat or openssl is answered with what it is here, also among other letters', async () => {
  for (const [argv, hint] of [
    [['tcp-client', '-zv', 'localhost', '9'], 'here: nettool tcp-client HOST PORTS --scan'],
    [
      ['tcp-client', '-w', '3', 'localhost', '9'],
      'here: --timeout (the whole run), --idle-timeout, and of tcp-client --connect-timeout',
    ],
    [['tcp-server', '-lvnp', '9'], 'here: nettool tcp-server [HOST] PORT, or udp-server'],
    [['tcp-client', '--ssl', 'localhost', '9'], 'here: --tls'],
    [['tcp-client', '-connect', 'localhost:9'], 'here: nettool tcp-client HOST PORT --tls'],
    [['tcp-client', 'localhost:9'], 'as two words: localhost 9'],
    [['udp-client', 'udp://[::1]:9'], 'as two words: [::1] 9'],
  ] as const) {
    const { code, stderr } = await run(argv);
    assert.deepEqual([code, stderr.split('hint: ')[1]], [2, `${hint}\n`], argv.join(' '));
  }
});

test('a method in capitals and a URL alone are understood as what was meant', async () => {
  for (const [word, hint] of [
    ['POST', 'did you mean post?'],
    ['https://example.org', 'did you mean nettool get https://example.org?'],
    [':3000/x', 'did you mean nettool get :3000/x?'],
    ['gte', 'did you mean get?'],
  ] as const) {
    const { code, stderr } = await run([word]);
    assert.deepEqual([code, stderr.split('hint: ')[1]], [2, `${hint}\n`]);
  }
});
