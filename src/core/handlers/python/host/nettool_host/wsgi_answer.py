"""One answer of a WSGI application: start_response, what is returned, and the rules of PEP 3333 about both."""

import re
import sys
from time import perf_counter

from . import wsgi_file
from .failure import ClientDisconnected, report
from .frames import DATA, END, ERROR, HEAD, HINT, LIVE, frame, pack

INLINE = 65536  # an answer up to this size leaves in one frame

CODES = frozenset(map(str, range(200, 600)))
PLAIN, LENGTH, DROPPED = 1, 2, 3
KNOWN = {}  # header names that were looked at before
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
HOP_BY_HOP = frozenset(("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
                        "trailers", "transfer-encoding", "upgrade"))


def learn(name):
    """Checks a header name once, and says so when it is left out; a name that passed is remembered."""
    if type(name) is not str:
        raise TypeError("a header name must be a str, not %s: %r" % (type(name).__name__, name))
    if not TOKEN.match(name):
        raise ValueError("not a header name: %r" % name)
    lower = name.lower()
    if lower in HOP_BY_HOP:
        # PEP 3333 would have an error here, and ASGI that they are ignored. Event streams written for other servers
        # have `Connection: keep-alive`, views that pass on what another server said its Transfer-Encoding.
        sys.stderr.write("the application sends %s, which is for the server to say (PEP 3333): it is left out\n" % name)
        kind = DROPPED
    else:
        kind = LENGTH if lower == "content-length" else PLAIN
    if len(KNOWN) < 1000:
        KNOWN[name] = kind
    return kind


class Answer:
    __slots__ = ("slot", "ident", "bare", "code", "head", "length", "begun", "done", "sent", "credit", "gone", "warned",
                 "started", "is_head")

    def __init__(self, slot, ident, is_head):
        self.slot = slot
        self.ident = ident
        self.is_head = self.bare = is_head  # bare: no content may be sent (HEAD, 204, 304)
        self.head = None
        self.length = -1
        self.begun = self.done = self.gone = self.warned = False
        self.sent = 0
        self.credit = slot.window
        self.started = perf_counter()

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.head is not None:
            raise AssertionError("start_response was called twice without exc_info")
        code = self.code = status[:3] if type(status) is str else None
        if code not in CODES or status[3:4] not in ("", " "):
            raise ValueError("the status must be a str like '200 OK', 200 to 599, not %r" % (status,))
        fields = [status]
        length = -1
        for name, value in headers:
            kind = KNOWN.get(name)
            if kind is None:
                kind = learn(name)
            if kind != PLAIN:
                if kind == DROPPED:
                    continue
                length = parse_length(value, length)
            fields.append(name)
            fields.append(value)
        head = "\0".join(fields)
        if "\n" in head or "\r" in head or head.count("\0") != len(fields) - 1:
            raise ValueError("a header or the status holds a control character: %r" % (head.split("\0"),))
        self.head = head.encode("latin-1")
        self.length = length
        self.bare = self.is_head or code == "204" or code == "304"
        return self.write

    def early_hints(self, headers):
        """103 with these fields, ahead of the answer (`environ['wsgi.early_hints']`)."""
        parts = ["103"]
        for name, value in headers:
            if learn(name) != DROPPED:
                parts += (name, value)
        head = "\0".join(parts)
        if "\n" in head or "\r" in head or head.count("\0") != len(parts) - 1:
            raise ValueError("a header holds a control character: %r" % (headers,))
        if not self.begun:
            self.slot.send(frame(HINT, self.ident, 0, 0, head.encode("latin-1")))
            self.slot.flush()

    def write(self, data):
        if type(data) is not bytes:
            check_bytes(data)
        if data:
            self.stream(data)

    def send_result(self, result):
        kind = type(result)
        if (kind is list or kind is tuple) and not self.begun:
            self.send_whole(result[0] if len(result) == 1 else join(result))
            return
        if kind is wsgi_file.FileWrapper and not self.begun and wsgi_file.send(self, result):
            return
        if kind is bytes or kind is str:
            raise TypeError("the application must return a list of bytes or the like, not %s itself" % kind.__name__)
        self.send_parts(result)

    def send_parts(self, result):
        for part in result:
            if type(part) is not bytes:
                check_bytes(part)
            if not part:
                continue
            if self.done:
                if not self.bare:
                    self.warn_excess()
                break
            self.stream(part)
        self.finish()

    def send_whole(self, body):
        """Everything is known: one frame, when it is small."""
        if type(body) is not bytes:
            check_bytes(body)
        self.check_started()
        length = self.length
        if self.bare:
            if length < 0 and self.code != "204" and self.code != "304":
                self.head += b"\0Content-Length\0%d" % len(body)
            body = b""
        elif length >= 0 and length != len(body):
            if length > len(body):
                raise ValueError("the application sent %d bytes of its Content-Length %d" % (len(body), length))
            self.warn_excess()
            body = body[:length]
        if len(body) > INLINE:
            if length < 0:
                self.head += b"\0Content-Length\0%d" % len(body)
                self.length = len(body)
            self.stream(body)
            return
        self.begun = self.done = True
        head = self.head
        took = int((perf_counter() - self.started) * 1e6)
        self.slot.send(pack(len(head) + len(body), self.ident, HEAD, END, took, len(head)) + head + body)

    def stream(self, data):
        """Sends a part at once (PEP 3333: no part may wait for the next)."""
        self.check_started()
        if self.bare:
            self.begin(b"", END)
            return
        flags = 0
        if self.length >= 0:
            left = self.length - self.sent
            if len(data) > left:
                self.warn_excess()
                data = data[:left]
            if len(data) == left:
                flags = END
        if len(data) <= INLINE and self.credit >= len(data):
            self.part(data, flags)
        else:
            view = memoryview(data)
            while len(view):
                self.await_credit()
                piece = view[:min(INLINE, self.credit)]
                view = view[len(piece):]
                self.part(bytes(piece), 0 if len(view) else flags)
        slot = self.slot
        if not flags:
            slot.flush()
            slot.poll()
            if self.gone:
                raise ClientDisconnected("the client has gone")
        elif not slot.pending:
            slot.flush()

    def part(self, data, flags):
        self.sent += len(data)
        self.credit -= len(data)
        if not self.begun:
            self.begin(data, flags)
        elif not self.done:
            self.done = bool(flags)
            self.slot.send(pack(len(data), self.ident, DATA, flags, 0, 0) + data)

    def begin(self, data, flags):
        if self.begun:
            return
        self.begun = True
        self.done = bool(flags)
        took = int((perf_counter() - self.started) * 1e6)
        self.slot.send(frame(HEAD, self.ident, flags, took, self.head, data))

    def await_credit(self):
        while self.credit <= 0:
            self.slot.wait()
            if self.gone:
                raise ClientDisconnected("the client has gone")

    def finish(self):
        """All parts are sent."""
        self.check_started()
        if self.done:
            return
        if not self.bare and self.length > self.sent:
            raise ValueError("the application sent %d bytes of its Content-Length %d" % (self.sent, self.length))
        if not self.begun:
            self.begin(b"", END)
        else:
            self.part(b"", END)

    def check_started(self):
        if self.head is None:
            raise AssertionError("the application did not call start_response")

    def warn_excess(self):
        if not self.warned:
            self.warned = True
            sys.stderr.write("the application sent more than its Content-Length %d; the rest is dropped\n" % self.length)

    def abandon(self):
        """The client has gone; the front only waits to hear that the slot is free."""
        self.slot.send(frame(ERROR, self.ident, LIVE))

    def fail(self, problem):
        summary, text = report(problem)
        if self.done:
            sys.stderr.write("the answer was sent, then the application failed:\n" + text)
            return
        self.done = True
        self.slot.send(frame(ERROR, self.ident, LIVE if self.begun else 0, 0, summary.encode(), text.encode()))


def parse_length(value, known):
    if not (type(value) is str and value.isascii() and value.isdigit()):
        raise ValueError("not a Content-Length: %r" % (value,))
    length = int(value)
    if known not in (-1, length):
        raise ValueError("two different Content-Lengths: %d and %d" % (known, length))
    return length


def check_bytes(data):
    if not isinstance(data, bytes):
        raise TypeError("the application must produce bytes, not %s" % type(data).__name__)


def join(parts):
    for part in parts:
        check_bytes(part)
    return b"".join(parts)
