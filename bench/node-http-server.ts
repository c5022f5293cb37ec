/** The same on node:http: `node-http-server.ts PORT FOLDER`. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [port = '', folder = ''] = process.argv.slice(2);
const small = readFileSync(join(folder, '1k'));

createServer((request, response) => {
  const { url = '' } = request;
  if (url === '/1k') {
    response.writeHead(200, ['Content-Type', 'text/plain', 'Content-Length', String(small.length)]);
    response.end(small);
    return;
  }
  const file = join(folder, url);
  response.writeHead(200, ['Content-Type', 'text/plain', 'Content-Length', String(statSync(file).size)]);
  createReadStream(file).pipe(response);
}).listen(Number(port), '127.0.0.1');
