/** The engine as it is measured: `engine-server.ts PORT FOLDER`. */
import { openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HeaderList } from '../src/core/http/messages.js';
import { serveHttp } from '../src/core/http/server/index.js';

const [port = '', folder = ''] = process.argv.slice(2);
const headers: HeaderList = Object.freeze([['Content-Type', 'text/plain']] as const);
const small = { status: 200, headers, body: readFileSync(join(folder, '1k')) };

await serveHttp(
  {
    handle(request) {
      if (request.target === '/1k') return small;
      const file = join(folder, request.path);
      return {
        status: 200,
        headers,
        body: { fd: openSync(file, 'r'), offset: 0, length: statSync(file).size },
      };
    },
  },
  {
    host: '127.0.0.1',
    port: Number(port),
    signal: new AbortController().signal,
    onEvent: () => {},
    events: [],
  },
);
