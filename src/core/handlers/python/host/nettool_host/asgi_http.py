"""One HTTP request of an ASGI application."""

import asyncio
import os
import stat
import sys

from .asgi_scope import encode_head
from .failure import ClientDisconnected, report, where_it_waits
from .frames import ABORT, BODY, CREDIT, DATA, END, ERROR, FILE, HEAD, HINT, LIVE, MORE, TIMED_OUT, TOOK, TRAILERS, frame, pack

PIECE = 65536


class HttpExchange:
    # What most exchanges never change stands here, not in each of them.
    task = waiter = credited = head = None
    chunks = ()  # content that was not yet asked for
    length = -1
    sent = 0
    begun = done = gone = asked = False
    taken = False  # the application has been given the end of the content
    trailers = None  # a list, once fields after the content were announced

    def __init__(self, host, ident, flags, scope, body):
        self.host = host
        self.ident = ident
        self.scope = scope
        if body:
            self.chunks = (body,)
        self.ended = bool(flags & END)  # the whole content is here
        self.credit = host.window
        self.bare = scope["method"] == "HEAD"

    async def run(self):
        try:
            result = await self.host.app(self.scope, self.receive, self.send)
            if not self.done and not self.gone:
                self.fail("the application returned without completing its answer", "")
            elif result is not None:
                sys.stderr.write("the ASGI application returned %r; None was expected\n" % (result,))
        except ClientDisconnected:
            pass
        except asyncio.CancelledError:
            if not self.gone:
                self.fail("the application cancelled its own request", "")
        except BaseException as problem:
            if self.gone and isinstance(problem, OSError):
                pass
            elif self.done or self.gone:
                when = "its client had left" if self.gone else "its answer was complete"
                self.host.log("%s: after %s the application failed:" % (self.told(), when), problem)
            else:
                self.fail(*report(problem))
        finally:
            self.host.forget(self)

    def told(self):
        """The request, for the log; its path as it was sent, for a decoded one may have lines of its own."""
        return "%s %s" % (self.scope.get("method"), self.scope.get("raw_path", b"").decode("latin-1"))

    def fail(self, summary, text):
        self.done = True
        self.host.emit(frame(ERROR, self.ident, LIVE if self.begun else 0, 0, summary.encode(), text.encode()))
        self.wake()

    def on_frame(self, kind, flags, number, head, body):
        if kind == BODY:
            if body:
                self.chunks += (body,)
            self.ended = self.ended or bool(flags & END)
            self.wake()
        elif kind == CREDIT:
            self.credit += number
            self.wake_sender()
        elif kind == ABORT:
            self.gone = True
            self.wake()
            self.wake_sender()
            if flags & TIMED_OUT and self.task is not None:
                sys.stderr.write("%s took too long; it waits here:\n%s" % (self.told(), where_it_waits(self.task)))
                self.task.cancel()

    def wake(self):
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def wake_sender(self):
        if self.credited is not None and not self.credited.done():
            self.credited.set_result(None)

    async def receive(self):
        while True:
            if not self.taken and not self.gone:
                if self.chunks:
                    body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
                    self.chunks = ()
                    self.taken = self.ended
                    if not self.ended:
                        self.host.emit(frame(TOOK, self.ident, 0, len(body)))
                    return {"type": "http.request", "body": body, "more_body": not self.ended}
                if self.ended:
                    self.taken = True
                    return {"type": "http.request", "body": b"", "more_body": False}
            if self.gone or self.done:
                return {"type": "http.disconnect"}
            if not self.ended and not self.asked:
                self.asked = True  # now the client is told to send it, if it waits for that
                self.host.emit(frame(TOOK, self.ident))
            if self.waiter is None or self.waiter.done():
                self.waiter = self.host.loop.create_future()
            # Several tasks may wait here at once; one that is cancelled must not take the others along.
            await asyncio.shield(self.waiter)

    async def send(self, message):
        kind = message["type"]
        if self.gone:
            raise ClientDisconnected("the client has gone")
        if kind == "http.response.start":
            if self.head is not None:
                raise RuntimeError("http.response.start was sent twice")
            self.head, self.length = encode_head(message["status"], message.get("headers", ()))
            if message["status"] in (204, 304):
                self.bare = True
            if message.get("trailers") and not self.bare:
                self.trailers = []
            return
        if kind == "http.response.early_hint" and self.head is None:
            parts = [b"103"]
            for link in message["links"]:
                parts += (b"link", link)
            self.host.emit(frame(HINT, self.ident, 0, 0, b"\0".join(parts)))
            return
        if self.head is None:
            raise RuntimeError("%s came before http.response.start" % kind)
        if self.done:
            raise RuntimeError("%s came after the answer was complete" % kind)
        if kind == "http.response.body":
            more = message.get("more_body", False)
            body = self.fit(message.get("body", b""), more)
            if len(body) <= PIECE and self.credit >= len(body):
                if body or not more or not self.begun:
                    self.part(body, not more)
            else:
                await self.send_pieces(body, more)
            if more:
                await self.await_room()
        elif kind == "http.response.pathsend":
            self.send_path(message["path"])
        elif kind == "http.response.zerocopysend":
            await self.send_file(message)
        elif kind == "http.response.trailers" and self.trailers is not None:
            self.send_trailers(message)
        else:
            raise RuntimeError("not a message an HTTP answer knows: %r" % kind)

    def fit(self, body, more):
        """What is to be sent of a body: checked against the length that was announced, nothing when none may be."""
        if type(body) is not bytes:
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise TypeError("the body must be bytes, not %s" % type(body).__name__)
            body = bytes(body)
        if self.bare:
            if not more and self.length < 0 and self.scope["method"] == "HEAD" and not self.sent:
                self.head += b"\0Content-Length\0%d" % len(body)
            self.sent += len(body)
            body = b""
        elif self.length >= 0:
            total = self.sent + len(body)
            if total > self.length:
                raise RuntimeError("the answer is longer than its Content-Length %d" % self.length)
            if not more and total < self.length:
                raise RuntimeError("the answer ends after %d bytes of its Content-Length %d" % (total, self.length))
        return body

    async def send_pieces(self, body, more):
        view = memoryview(body)
        while len(view):
            await self.await_room()
            piece = view[:min(PIECE, self.credit)]
            view = view[len(piece):]
            self.part(bytes(piece), not more and not len(view))

    async def await_room(self):
        """Holds the application back while its client is slow."""
        while self.credit <= 0 and not self.gone:
            self.credited = self.host.loop.create_future()
            await self.credited
        if self.gone:
            raise ClientDisconnected("the client has gone")
        await self.host.drain()

    def part(self, body, last):
        if not self.bare:
            self.sent += len(body)
            self.credit -= len(body)
        flags = END if last and self.trailers is None else 0
        if not self.begun:
            self.begun = True
            head = self.head
            announced = 0 if self.trailers is None else MORE
            self.host.emit(pack(len(head) + len(body), self.ident, HEAD, flags | announced, 0, len(head)) + head + body)
        elif body or flags:
            self.host.emit(pack(len(body), self.ident, DATA, flags, 0, 0) + body)
        if flags:
            self.done = True
            self.wake()

    def send_trailers(self, message):
        self.trailers += message.get("headers", ())
        if message.get("more_trailers", False):
            return
        self.host.emit(frame(TRAILERS, self.ident, END, 0, encode_head(200, self.trailers)[0]))
        self.done = True
        self.wake()

    def send_path(self, path):
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise RuntimeError("pathsend needs a regular file")
        if self.begun:
            raise RuntimeError("pathsend must be the only content of an answer")
        length = state.st_size if self.length < 0 else min(self.length, state.st_size)
        if self.bare:
            return self.part(b"", True)
        self.begun = self.done = True
        where = "\0".join(map(str, (os.path.abspath(path), 0, length, state.st_dev, state.st_ino)))
        where = where.encode("utf-8", "surrogateescape")
        self.host.emit(frame(FILE, self.ident, END, 0, self.head, where))
        self.wake()

    async def send_file(self, message):
        """zerocopysend: a part of an open file, read here in pieces."""
        number = message["file"] if isinstance(message["file"], int) else message["file"].fileno()
        more = message.get("more_body", False)
        offset = message.get("offset")
        if offset is None:
            offset = os.lseek(number, 0, os.SEEK_CUR)
        left = message.get("count")
        if left is None:
            left = max(0, os.fstat(number).st_size - offset)
        while left > 0:
            data = await self.host.loop.run_in_executor(None, os.pread, number, min(PIECE, left), offset)
            if not data:
                break
            offset += len(data)
            left -= len(data)
            await self.send({"type": "http.response.body", "body": data, "more_body": more or left > 0})
        if not more and not self.done:
            await self.send({"type": "http.response.body"})
