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
HEADS = {}  # (status, headers) as applications gave them -> what encode_head made of them
MAX_HEADS, MAX_HEAD = 500, 300
ORIGINS = {}  # as they travel -> what to_origin made of them
MAX_ORIGINS, MAX_ORIGIN = 1000, 4096
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
    headers = tuple(headers)
    try:
        known = HEADS.get((status, headers))
    except TypeError:  # lists instead of tuples in it
        known = None
    return known or check_head(status, headers)


def check_head(status, headers):
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
    # What is meant for one client is not kept.
    if len(head) <= MAX_HEAD and b"\0set-cookie\0" not in head:
        remember(status, headers, (head, length))
    return head, length


def remember(status, headers, encoded):
    if len(HEADS) >= MAX_HEADS:
        HEADS.clear()
    try:
        HEADS[status, headers] = encoded
    except TypeError:
        pass


def to_extensions(can, tls, cipher):
    """Only what holds on this connection is announced."""
    extensions = EXTENSIONS.copy()
    if b"h" in can:
        extensions["http.response.early_hint"] = {}
    if b"t" in can:
        extensions["http.response.trailers"] = {}
    if tls:
        extensions["tls"] = {
            "server_cert": None,
            "client_cert_chain": (),
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": TLS_VERSIONS.get(tls),
            "cipher_suite": CIPHERS.get(cipher),
        }
    return extensions


def to_origin(text):
    """What the requests of one connection have in common: (a scope without the rest, its header list, its extensions)."""
    version, scheme, root, client, client_port, server, port, can, tls, cipher, *fields = text.split(b"\0")
    pairs = iter(fields)
    scope = {
        "type": "http",
        "asgi": None,
        "http_version": version.decode(),
        "method": None,
        "scheme": scheme.decode(),
        "path": None,
        "raw_path": None,
        "query_string": None,
        "root_path": root.decode(),
        "headers": None,
        "client": (client.decode(), int(client_port)) if client else None,
        "server": (server.decode(), int(port) if port else None),
        "state": None,
        "extensions": None,
    }
    origin = scope, list(zip(pairs, pairs)), to_extensions(can, tls, cipher)
    if len(text) <= MAX_ORIGIN:
        if len(ORIGINS) >= MAX_ORIGINS:
            ORIGINS.clear()
        ORIGINS[text] = origin
    return origin


def to_scope(head, split, host):
    """What HTTP and WebSocket scopes share. Up to `split` stands what is the request's own."""
    method, raw, query = head[:split].split(b"\0")
    text = head[split:]
    origin, headers, extensions = ORIGINS.get(text) or to_origin(text)
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "replace")
    scope = origin.copy()
    root_path = scope["root_path"]
    if root_path and host.path_below_root and path.startswith(root_path):
        path = path[len(root_path):]
    # No two requests share anything that an application could change.
    scope["asgi"] = ASGI.copy()
    scope["method"] = method.decode("latin-1")
    scope["path"] = path
    scope["raw_path"] = raw
    scope["query_string"] = query
    scope["headers"] = headers.copy()
    scope["state"] = host.state.copy()
    extensions = scope["extensions"] = extensions.copy()
    if "tls" in extensions:
        extensions["tls"] = extensions["tls"].copy()
    return scope
