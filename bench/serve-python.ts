/** `bench/gateway.ts` runs this as a process of its own: one Python application behind our server. */
import { parseArgs } from 'node:util';
import { createPythonHandler } from '../src/core/handlers/python/index.js';
import { serveHttp } from '../src/core/http/server/index.js';

const { positionals } = parseArgs({ allowPositionals: true });
const [target = '', python = '/usr/bin/python3', port = '0'] = positionals;
const stop = new AbortController();
const handler = await createPythonHandler({
  target,
  python,
  cwd: process.cwd(),
  env: process.env,
  onEvent: (event) => {
    if (event.type === 'application-error') process.stderr.write(`${event.message}\n`);
  },
});
await serveHttp(handler, {
  host: '127.0.0.1',
  port: Number(port),
  signal: stop.signal,
  onEvent: () => {},
  events: [],
});
process.stdout.write('listening\n');
process.once('SIGTERM', () => {
  void handler.close().then(() => process.exit(0));
});
