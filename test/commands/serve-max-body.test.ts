import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { start } from '../helpers/run.js';
import { rawExchange } from '../helpers/serve-handler.js';
import { tempDir } from '../helpers/temp-dir.js';
import { startUpstream } from '../helpers/upstreams.js';

test('chunks beyond --max-body are 413 before a script is started', async (t) => {
  const cwd = tempDir(t, {
    'cgi-bin/run.sh': '#!/bin/sh\ntouch ran\nprintf "Content-Type: text/plain\\n\\n"; cat\n',
    'site/page.php': '',
  });
  chmodSync(join(cwd, 'cgi-bin/run.sh'), 0o755);
  let connections = 0;
  const php = createServer(() => {
    connections += 1;
  }).listen(join(cwd, 'php.sock'));
  await once(php, 'listening');
  t.after(() => php.close());
  const scripts = ['--cgi', '/cgi-bin=cgi-bin', '--fastcgi', `/=unix:${join(cwd, 'php.sock')}`];
  const command = start(['serve', 'site', '0', ...scripts, '--max-body', '10'], { cwd });
  t.after(() => command.stop());
  const port = (await command.event('listening')).port as number;
  const send = (target: string, chunks: string): Promise<string> =>
    rawExchange(
      port,
      `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
  for (const target of ['/cgi-bin/run.sh', '/page.php']) {
    assert.match(await send(target, '8\r\n12345678\r\n3\r\n9ab\r\n'), /^HTTP\/1\.1 413 /, target);
  }
  assert.equal(existsSync(join(cwd, 'cgi-bin/ran')), false);
  assert.equal(connections, 0);
  assert.match(
    await send('/cgi-bin/run.sh', '8\r\n12345678\r\n2\r\n9a\r\n'),
    /^HTTP\/1\.1 200 .*123456789a/s,
  );
  assert.equal(existsSync(join(cwd, 'cgi-bin/ran')), true);
});

test('--max-body 0 is no limit', async (t) => {
  const upstream = await startUpstream(t, async (request, response) => {
    let size = 0;
    for await (const chunk of request) size += (chunk as Buffer).length;
    response.end(String(size));
  });
  const command = start(['serve', upstream.url, '0', '--max-body', '0']);
  t.after(() => command.stop());
  const { url } = await command.event('listening');
  const body = Buffer.alloc(101 * 1024 * 1024);
  assert.equal(await (await fetch(url as string, { method: 'PUT', body })).text(), String(body.length));
});
