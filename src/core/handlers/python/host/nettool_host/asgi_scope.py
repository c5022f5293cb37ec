"""What ASGI scopes are made of, and how the head of an answer travels."""

import re
from urllib.parse import unquote_to_bytes

ASGI = {"version": "3.0", "spec_version": "2.5"}
EXTENSIONS = {"http.response.pathsend": {}, "http.response.zerocopysend": {}}
TLS_VERSIONS = {b"TLSv1.2": 0x0303, b"TLSv1.3": 0x0304}
# The names OpenSSL uses, and their numbers in IANA's registry.
CIPHERS = {
    b"TLS_AES_128_GCM_SHA256": 0x1301,
    b"TLS_AES_256_GCM_SHA384": 0x1302,
    b"TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    b"ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    b"ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    b"ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
    b"ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    b"ECDHE-RSA-CHACHA20-POLY1305": 0xCCA8,
    b"ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9,
}

NAMES = {}  # header name as given -> (lower-case name or None when it is dropped, whether it is the length)
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
DROPPED = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
                     b"upgrade"))


def learn(name):
    if not isinstance(name, bytes):
        raise TypeError("a header name must be bytes, not %s: %r" % (type(name).__name__, name))
    if not TOKEN.match(name):
        raise ValueError("not a header name: %r" % name)
    lower = name.lower()
    known = (None if lower in DROPPED else lower, lower == b"content-length")
    if len(NAMES) < 1000:
        NAMES[name] = known
    return known


def encode_head(status, headers):
    """(the head of an answer as it travels, its Content-Length or -1)."""
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError("the status must be an int from 200 to 599, not %r" % (status,))
    parts = [b"%d" % status]
    length = -1
    for name, value in headers:
        lower, is_length = NAMES.get(name) or learn(name)
        if lower is None:
            continue
        if is_length:
            if not value.isdigit() or length not in (-1, int(value)):
                raise ValueError("not a Content-Length, or a second one: %r" % value)
            length = int(value)
        parts.append(lower)
        parts.append(value)
    try:
        head = b"\0".join(parts)
    except TypeError:
        raise TypeError("header names and values must be bytes: %r" % (parts[1:],)) from None
    if b"\n" in head or b"\r" in head or head.count(b"\0") != len(parts) - 1:
        raise ValueError("a header holds a control character: %r" % (parts[1:],))
    return head, length


def to_extensions(fields):
    """Only what holds on this connection is announced."""
    extensions = EXTENSIONS.copy()
    can = fields[10]
    if b"h" in can:
        extensions["http.response.early_hint"] = {}
    if b"t" in can:
        extensions["http.response.trailers"] = {}
    if fields[11]:
        extensions["tls"] = to_tls(fields)
    return extensions


def to_tls(fields):
    return {
        "server_cert": None,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": TLS_VERSIONS.get(fields[11]),
        "cipher_suite": CIPHERS.get(fields[12]),
    }


def to_scope(fields, host):
    """What HTTP and WebSocket scopes share; the header list follows the fixed fields."""
    method, version, scheme, raw, query, root, client, client_port, server, server_port = fields[:10]
    pairs = iter(fields[13:])
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "replace")
    root_path = root.decode()
    if root and host.path_below_root and path.startswith(root_path):
        path = path[len(root_path):]
    return {
        "type": "http",
        "asgi": ASGI.copy(),
        "http_version": version.decode(),
        "method": method.decode("latin-1"),
        "scheme": scheme.decode(),
        "path": path,
        "raw_path": raw,
        "query_string": query,
        "root_path": root_path,
        "headers": list(zip(pairs, pairs)),
        "client": (client.decode(), int(client_port)) if client else None,
        "server": (server.decode(), int(server_port) if server_port else None),
        "state": host.state.copy(),
        "extensions": to_extensions(fields),
    }
