const PORT = 'the port is the second argument; --host is the address, or the path of a Unix socket';
const WORKERS = '--workers';
const FOLDER = 'the folder or file is the first argument';
const CERT = '--cert FILE';
const KEY = '--key FILE';
const PROXIES = '--trust-proxy CIDR';
const LOG = '--log common, or --log-file FILE';
const SUPERVISOR = 'what starts it does that: see examples/deploy/nettool.service';

/** What gunicorn, uvicorn, uWSGI and static servers call what `serve` calls otherwise, or leaves to others. */
const PEERS: Readonly<Record<string, string>> = {
  '-b': PORT,
  '--bind': PORT,
  '-p': PORT,
  '--port': PORT,
  '-l': PORT,
  '--listen': PORT,
  '--uds': PORT,
  '--http': PORT,
  '--socket': PORT,
  '-w': WORKERS,
  '--processes': WORKERS,
  '-k': 'WSGI and ASGI are told apart; --wsgi and --asgi insist',
  '--worker-class': 'WSGI and ASGI are told apart; --wsgi and --asgi insist',
  '--interface': '--wsgi or --asgi',
  '--module': 'module:callable is the first argument',
  '--wsgi-file': FOLDER,
  '-d': FOLDER,
  '--directory': FOLDER,
  '--root': FOLDER,
  '--chdir': 'start it in that folder, or name the file: folder/app.py',
  '--app-dir': 'start it in that folder, or name the file: folder/app.py',
  '-t': '--request-timeout',
  '--timeout': '--request-timeout',
  '--harakiri': '--request-timeout',
  '--timeout-graceful-shutdown': '--graceful-timeout',
  '--keepalive': '--keep-alive',
  '--timeout-keep-alive': '--keep-alive',
  '--max-requests-jitter': '--max-requests has its own',
  '--limit-max-requests': '--max-requests',
  '--certfile': CERT,
  '--ssl-certfile': CERT,
  '--keyfile': KEY,
  '--ssl-keyfile': KEY,
  '--forwarded-allow-ips': PROXIES,
  '--proxy-headers': PROXIES,
  '--proxy-allow-from': PROXIES,
  '--access-log': LOG,
  '--access-logfile': LOG,
  '--log-level': '-v or -q',
  '-e': '--env NAME=value',
  '-D': SUPERVISOR,
  '--daemon': SUPERVISOR,
  '-u': SUPERVISOR,
  '--user': SUPERVISOR,
  '--pid': SUPERVISOR,
  '-s': '--spa',
  '--single': '--spa',
};

/** What a flag of a peer is here, for somebody who typed it. */
export function translatePeerFlag(flag: string): string | undefined {
  return Object.hasOwn(PEERS, flag) ? PEERS[flag] : undefined;
}
