import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { findProgram, freePort, needs, runProgram, startProgram, waitForPort } from '../helpers/programs.js';
import { serveHandler } from '../helpers/serve-handler.js';
import { tempDir } from '../helpers/temp-dir.js';

const FOLDER = resolve(import.meta.dirname, '../../examples/deploy');

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

test('every file begins with the command that puts it to use', () => {
  for (const name of readdirSync(FOLDER)) {
    const [first = ''] = read(name).split('\n');
    assert.match(first, /^# \w+ .*examples\/deploy\//, name);
  }
});

test('nginx passes requests on to several of us', needs('nginx'), async (t) => {
  const folder = tempDir(t, { 'conf.d/placeholder': '' });
  const handler = () => ({
    handle: ({ headers }: { headers: ReadonlyArray<readonly [string, string]> }) => ({
      status: 200,
      headers: [],
      body: JSON.stringify(Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))),
    }),
  });
  const [one, two] = [await serveHandler(t, handler()), await serveHandler(t, handler())];
  const port = await freePort();
  const site = read('nginx.conf')
    .replace('127.0.0.1:8001', `127.0.0.1:${one.port}`)
    .replace('127.0.0.1:8002', `127.0.0.1:${two.port}`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`);
  writeFileSync(join(folder, 'site.conf'), site);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((n) => `${n}_temp_path ${folder};`)
    .join('');
  const conf = `daemon off; master_process off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temp} include ${folder}/site.conf; }`;
  writeFileSync(join(folder, 'nginx.conf'), conf);
  startProgram(t, 'nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')]);
  await waitForPort(port);
  for (let count = 0; count < 6; count += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'X-Forwarded-For': '6.6.6.6' } });
    const seen = (await answer.json()) as Record<string, string>;
    assert.equal(seen.host, `127.0.0.1:${port}`);
    assert.equal(seen['x-forwarded-for'], '127.0.0.1');
    assert.equal(seen['x-forwarded-proto'], 'http');
  }
  assert.ok(one.requests.length > 0 && two.requests.length > 0);
});

test('HAProxy takes its configuration', needs('haproxy'), () => {
  runProgram('haproxy', ['-c', '-q', '-f', join(FOLDER, 'haproxy.cfg')]);
});

test('systemd takes its units', needs('systemd-analyze'), (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'units'));
  copyFileSync(join(FOLDER, 'nettool.socket'), join(folder, 'units/nettool.socket'));
  // The program need not be installed where the units expect it.
  const service = read('nettool.service').replace('/usr/local/bin/nettool', '/bin/true');
  writeFileSync(join(folder, 'units/nettool.service'), service);
  const { stderr } = spawnSync(
    findProgram('systemd-analyze') as string,
    ['verify', '--man=no', join(folder, 'units/nettool.service'), join(folder, 'units/nettool.socket')],
    { encoding: 'utf8', env: { ...process.env, SYSTEMD_UNIT_PATH: `${join(folder, 'units')}:` } },
  );
  assert.doesNotMatch(stderr, /nettool\.(?:service|socket):/);
});

test('the Kubernetes manifest is YAML of the kinds it names', needs('python3'), (t) => {
  const check = `import sys, json
try:
    import yaml
except ImportError:
    print('[]'); sys.exit()
print(json.dumps([[part['apiVersion'], part['kind']] for part in yaml.safe_load_all(sys.stdin)]))`;
  const kinds = JSON.parse(runProgram('python3', ['-c', check], read('kubernetes.yaml')));
  if (kinds.length === 0) return t.skip('python3-yaml is not installed');
  assert.deepEqual(kinds, [
    ['apps/v1', 'Deployment'],
    ['v1', 'Service'],
    ['policy/v1', 'PodDisruptionBudget'],
  ]);
});
