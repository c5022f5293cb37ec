const PORT = 'the port is the second argument; --host is the address, or the path of a Unix socket';
const WORKERS = '--workers';
const FOLDER = 'the folder or file is the first argument';
const CERT = '--cert FILE';
const KEY = '--key FILE';
const PROXIES = '--trust-proxy CIDR';
const LOG = '--log common, or --log-file FILE';
const SUPERVISOR = 'what starts it does that: see examples/deploy/nettool.service';

/** What gunicorn, uvicorn, uWSGI and static servers call what `serve` calls otherwise, or leaves to others. */
const SERVERS: Readonly<Record<string, string>> = {
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

const AUTH = '--auth USER:PASS';
const FOLLOWS = 'redirects are followed; --no-follow shows them';
const FAILS = 'a status of 400 or more fails already; --expect allows one';
const DATA = '-d TEXT, -d @FILE';
const QUIET = '-q; errors are told in any case';
const PROXY = '--proxy URL, with name and password in it';
const TLS_MIN = '--tls-min 1.2 or 1.3';
const RETRY = '--retry N does that; --retry-all also with POST';
const LOGINS = 'only Basic, Digest (--auth) and tokens (--bearer)';

/** The same of curl, HTTPie and wget, for `get` and its kin. */
const CLIENTS: Readonly<Record<string, string>> = {
  '-u': AUTH,
  '--user': AUTH,
  '-a': AUTH,
  '--basic': AUTH,
  '--digest': '--auth-type digest',
  '--oauth2-bearer': '--bearer env:NAME',
  '--ntlm': LOGINS,
  '--negotiate': LOGINS,
  '--aws-sigv4': 'requests are not signed; sign them elsewhere, and give the fields with -H',
  '-n': '--netrc',
  '-A': 'a field, User-Agent:NAME; of logins, --auth-type',
  '--user-agent': 'a field, User-Agent:NAME',
  '-e': 'a field, Referer:URL',
  '--referer': 'a field, Referer:URL',
  '-L': FOLLOWS,
  '--location': FOLLOWS,
  '--follow': FOLLOWS,
  '--location-trusted': '--redirect-trust HOST',
  '-f': `${FAILS}; --form sends a form`,
  '--fail': FAILS,
  '--fail-with-body': FAILS,
  '--check-status': FAILS,
  '-F': 'items: name=value and name@FILE, with --multipart',
  '--form-string': 'items: name=value, with --multipart',
  '-T': 'nettool put URL -d @FILE',
  '--upload-file': 'nettool put URL -d @FILE',
  '--data-raw': DATA,
  '--data-binary': DATA,
  '--data-ascii': DATA,
  '--post-data': DATA,
  '--post-file': DATA,
  '--data-urlencode': 'items: name=value, with --form',
  '-G': 'nettool get URL name==value',
  '--get': 'nettool get URL name==value',
  '--url-query': '-p NAME=VALUE',
  '-I': 'nettool head URL',
  '--head': 'nettool head URL',
  '--spider': 'nettool head URL',
  '--request': '-X METHOD',
  '-b': '--cookie NAME=VALUE, or --session NAME',
  '--cookie-jar': '--session NAME',
  '-s': QUIET,
  '--silent': QUIET,
  '--show-error': QUIET,
  '-S': '--stream; errors are told in any case',
  '-N': '--stream',
  '--no-buffer': '--stream',
  '-D': '--headers, or -i',
  '--dump-header': '--headers, or -i',
  '-w': '--timing, or --json for scripts',
  '--write-out': '--timing, or --json for scripts',
  '--meta': '--timing',
  '--offline': '--dry-run',
  '--ignore-stdin': 'stdin is read only with -d @-',
  '-J': '-O takes the name of the server',
  '--remote-name': '-O',
  '--remote-header-name': '-O takes the name of the server',
  '-C': '-c',
  '--continue-at': '-c',
  '-Z': '--parallel N',
  '--compressed': 'that is asked for and decoded already; --raw leaves it as it is',
  '-m': '--timeout',
  '--max-time': '--timeout',
  '--max-filesize': '--max-size',
  '--tries': RETRY,
  '--retry-connrefused': RETRY,
  '--retry-all-errors': RETRY,
  '--retry-max-time': '--timeout',
  '-x': PROXY,
  '-U': PROXY,
  '--proxy-user': PROXY,
  '--socks5': '--proxy socks5://HOST:PORT',
  '--socks5-hostname': '--proxy socks5h://HOST:PORT',
  '--noproxy': "--proxy '' for none; the variable no_proxy",
  '--connect-to': '--resolve HOST:PORT:ADDRESS',
  '-E': '--cert FILE',
  '--cert-key': '--key FILE',
  '--pass': '--key-pass env:NAME',
  '--cert-key-pass': '--key-pass env:NAME',
  '--verify': '--cacert FILE, or --insecure',
  '--capath': '--cacert FILE',
  '--no-check-certificate': '--insecure',
  '--pinnedpubkey': '--pin sha256//…',
  '--tlsv1.2': TLS_MIN,
  '--tlsv1.3': TLS_MIN,
  '--ssl': TLS_MIN,
  '--http2-prior-knowledge': '--http2',
  '--http3': 'only HTTP/1.1 and HTTP/2 are spoken',
};

const LISTEN = 'nettool tcp-server [HOST] PORT, or udp-server';
const UDP = 'nettool udp-client HOST PORT, or udp-server';
const MANY = 'many connections are served already; --once ends after the first';
const TIMES = '--timeout (the whole run), --idle-timeout, and of tcp-client --connect-timeout';
const SOURCE = '--source ADDRESS:PORT; a port to listen on is the last argument';
const PROXY_URL = '--proxy http://HOST:PORT or socks5://HOST:PORT';
const EXEC = "nettool tcp-server PORT --exec 'COMMAND'";
const NO_STDIN = '< /dev/null';
const HALF_CLOSE = 'the end of stdin ends our side already, and the whole answer is waited for';

/** The same of nc, ncat, socat and openssl s_client, for the socket commands. */
const SOCKETS: Readonly<Record<string, string>> = {
  '-l': LISTEN,
  '--listen': LISTEN,
  '-z': 'nettool tcp-client HOST PORTS --scan',
  '-u': UDP,
  '--udp': UDP,
  '-U': '--unix PATH',
  '--unixsock': '--unix PATH',
  '-k': MANY,
  '--keep-open': MANY,
  '-w': TIMES,
  '-i': TIMES,
  '-N': HALF_CLOSE,
  '-d': NO_STDIN,
  '--recv-only': NO_STDIN,
  '--send-only': '--no-half-close',
  '--no-shutdown': HALF_CLOSE,
  '-C': '--crlf',
  '-s': SOURCE,
  '-p': SOURCE,
  '--source-port': SOURCE,
  '-x': PROXY_URL,
  '-X': PROXY_URL,
  '--proxy-type': PROXY_URL,
  '-e': EXEC,
  '-c': EXEC,
  '--sh-exec': EXEC,
  '-m': '--max-connections N',
  '--max-conns': '--max-connections N',
  '--broker': '--chat',
  '-o': '--hex shows what passes; stdout may go to a file',
  '--hex-dump': '--hex shows what passes; stdout may go to a file',
  '-n': 'addresses are never looked up',
  '--nodns': 'addresses are never looked up',
  '--ssl': '--tls',
  '--ssl-verify': '--tls checks the certificate already',
  '--ssl-cert': CERT,
  '--ssl-key': KEY,
  '--ssl-trustfile': '--cacert FILE',
  '--ssl-servername': '--sni NAME',
  '--ssl-alpn': '--alpn LIST',
  '-connect': 'nettool tcp-client HOST PORT --tls',
  '-servername': '--sni NAME',
  '-CAfile': '--cacert FILE',
  '-cert': CERT,
  '-alpn': '--alpn LIST',
  '-showcerts': '-v',
  '-starttls': 'STARTTLS is not spoken, only TLS from the start',
};

/** The commands that talk to sockets. */
const TALKERS = ['tcp-client', 'tcp-server', 'udp-client', 'udp-server'];

/** The commands that send an HTTP request. */
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

/** What a flag of a peer is here, for somebody who typed it; of several letters in one (`-fsSL`) the first that is known. */
export function translatePeerFlag(command: string | undefined, flag: string): string | undefined {
  const known = flagsOfPeers(command ?? '');
  const letters = /^-[^-]{2,}$/.test(flag) ? [...flag.slice(1)].map((letter) => `-${letter}`) : [];
  const found = [flag, ...letters].find((one) => Object.hasOwn(known, one));
  return found === undefined ? undefined : known[found];
}

function flagsOfPeers(command: string): Readonly<Record<string, string>> {
  if (command === 'serve') return SERVERS;
  if (METHODS.includes(command)) return CLIENTS;
  return TALKERS.includes(command) ? SOCKETS : {};
}

/** What somebody meant who typed a method in capitals, or a URL alone. */
export function translatePeerCommand(word: string): string | undefined {
  const method = word.toLowerCase();
  if (METHODS.includes(method)) return method;
  return /^https?:\/\/|^:\d|^[\w.-]+(:\d+)?\/|^[\w.-]+:\d+$/i.test(word) ? `nettool get ${word}` : undefined;
}
