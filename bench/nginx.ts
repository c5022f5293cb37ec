import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './harness.js';

/** What an nginx is to do, beside what all of them do. */
interface NginxOptions {
  readonly port: number;
  /** Of its configuration, where a folder holds several. */
  readonly name?: string;
  /** Directives of the server, and of what stands around it. */
  readonly server: string;
  readonly http?: string;
}

/** nginx at its best, on one core: descriptors kept open, sendfile, compression, no log. */
export function createNginx(folder: string, { port, name = 'nginx', server, http = '' }: NginxOptions): Peer {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/tmp;`,
  );
  const config = join(folder, `${name}.conf`);
  writeFileSync(
    config,
    `user root; worker_processes 1; daemon off; pid ${folder}/${name}.pid; error_log /dev/null;
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; open_file_cache max=2000;
      types { text/html html; text/plain txt; } default_type text/plain; gzip on; ${temporary.join(' ')} ${http}
      server { listen 127.0.0.1:${port} backlog=4096; ${server} } }\n`,
  );
  return { name: 'nginx', port, command: ['nginx', '-c', config, '-e', '/dev/null'] };
}
