"""One WebSocket of an ASGI application; framing, pings and compression are the front's."""

import asyncio
from collections import deque

from .asgi_scope import encode_head
from .failure import ClientDisconnected, report
from .frames import (ABORT, CREDIT, DATA, END, ERROR, HEAD, LIVE, TEXT, TOOK, WS_ACCEPT, WS_CLOSE, WS_DATA, WS_GONE,
                     WS_SEND, frame)

CONNECTING, DENYING, OPEN, CLOSED = range(4)


class WebSocketExchange:
    def __init__(self, host, ident, scope):
        self.host = host
        self.ident = ident
        self.task = None
        self.scope = scope
        scope["type"] = "websocket"
        del scope["method"]
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        offered = b",".join(value for name, value in scope["headers"] if name == b"sec-websocket-protocol")
        scope["subprotocols"] = [word.strip() for word in offered.decode("latin-1").split(",") if word.strip()]
        tls = {name: value for name, value in scope["extensions"].items() if name == "tls"}
        scope["extensions"] = {"websocket.http.response": {}, **tls}
        self.events = deque(({"type": "websocket.connect"},))
        self.waiter = self.credited = self.denial = None
        self.phase = CONNECTING
        self.gone = None  # the disconnect event, once there is one
        self.credit = host.window

    async def run(self):
        try:
            await self.host.app(self.scope, self.receive, self.send)
            problem = None
        except (asyncio.CancelledError, ClientDisconnected):
            problem = None
        except BaseException as caught:
            problem = None if self.gone and isinstance(caught, OSError) else caught
        finally:
            self.host.forget(self)
        if self.phase == CLOSED or self.gone:
            if problem is not None:
                path = self.scope.get("raw_path", b"").decode("latin-1")
                self.host.log("WebSocket %s: it was closed, then the application failed:" % path, problem)
            return
        summary, text = report(problem) if problem else ("the application returned without accepting or closing", "")
        if self.phase == OPEN and problem is None:
            self.host.emit(frame(WS_CLOSE, self.ident, 0, 1000))
        else:
            flags = LIVE if self.phase != CONNECTING else 0
            self.host.emit(frame(ERROR, self.ident, flags, 0, summary.encode(), text.encode()))
        self.phase = CLOSED

    def on_frame(self, kind, flags, number, head, body):
        if kind == WS_DATA:
            if self.phase != OPEN:
                return
            text = bool(flags & TEXT)
            event = {"type": "websocket.receive"}
            event["text" if text else "bytes"] = body.decode("utf-8", "replace") if text else body
            self.events.append((event, len(body) + 64))
        elif kind == WS_GONE:
            self.lose(number, head.decode("utf-8", "replace"))
        elif kind == ABORT:
            self.lose(1012 if self.phase == OPEN else 1006, "")
            if flags and self.task is not None:
                self.task.cancel()
        elif kind == CREDIT:
            self.credit += number
        wake(self.waiter)
        wake(self.credited)

    def lose(self, code, reason):
        if self.gone is None:
            self.gone = {"type": "websocket.disconnect", "code": code, "reason": reason}

    async def receive(self):
        while not self.events:
            if self.gone is not None or self.phase == CLOSED:
                return self.gone or {"type": "websocket.disconnect", "code": 1006, "reason": ""}
            if self.waiter is None or self.waiter.done():
                self.waiter = self.host.loop.create_future()
            await asyncio.shield(self.waiter)
        event = self.events.popleft()
        if type(event) is tuple:
            event, size = event
            self.host.emit(frame(TOOK, self.ident, 0, size))
        return event

    async def send(self, message):
        kind = message["type"]
        if self.gone is not None:
            raise ClientDisconnected("the client has gone")
        if self.phase == CONNECTING:
            self.answer(kind, message)
        elif self.phase == DENYING:
            await self.deny(kind, message)
        elif self.phase == OPEN and kind == "websocket.send":
            await self.send_message(message)
        elif self.phase == OPEN and kind == "websocket.close":
            self.close(message)
        else:
            raise RuntimeError("%s cannot be sent now" % kind)

    def answer(self, kind, message):
        if kind == "websocket.accept":
            chosen = message.get("subprotocol")
            if chosen is not None and chosen not in self.scope["subprotocols"]:
                raise RuntimeError("the client did not offer the sub-protocol %r" % (chosen,))
            headers = [pair for pair in message.get("headers", ()) if not is_handshake(pair[0])]
            head, _ = encode_head(200, headers)
            self.phase = OPEN
            self.host.emit(frame(WS_ACCEPT, self.ident, 0, 0, head, (chosen or "").encode("latin-1")))
        elif kind == "websocket.close":
            self.phase = CLOSED
            self.host.emit(frame(HEAD, self.ident, END, 0, b"403"))
        elif kind == "websocket.http.response.start":
            self.denial = encode_head(message["status"], message.get("headers", ()))[0]
            self.phase = DENYING
        else:
            raise RuntimeError("%s cannot be sent before the WebSocket is accepted" % kind)

    async def deny(self, kind, message):
        if kind != "websocket.http.response.body":
            raise RuntimeError("%s cannot be sent within a denial" % kind)
        more = message.get("more_body", False)
        flags = 0 if more else END
        if self.denial is not None:
            self.host.emit(frame(HEAD, self.ident, flags, 0, self.denial, message.get("body", b"")))
            self.denial = None
        else:
            self.host.emit(frame(DATA, self.ident, flags, 0, b"", message.get("body", b"")))
        if not more:
            self.phase = CLOSED
        await self.host.drain()

    async def send_message(self, message):
        data, text = message.get("bytes"), message.get("text")
        if (data is None) == (text is None):
            raise ValueError("websocket.send needs either bytes or text")
        body = bytes(data) if text is None else text.encode("utf-8")
        while self.credit <= 0 and self.gone is None:
            self.credited = self.host.loop.create_future()
            await self.credited
        if self.gone is not None:
            raise ClientDisconnected("the client has gone")
        self.credit -= len(body)
        self.host.emit(frame(WS_SEND, self.ident, 0 if text is None else TEXT, 0, b"", body))
        await self.host.drain()

    def close(self, message):
        code = message.get("code", 1000) or 1000
        if not (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) and not 3000 <= code <= 4999:
            raise ValueError("a WebSocket cannot be closed with code %r" % (code,))
        self.phase = CLOSED
        self.gone = {"type": "websocket.disconnect", "code": code, "reason": message.get("reason") or ""}
        reason = (message.get("reason") or "").encode("utf-8")[:123].decode("utf-8", "ignore").encode("utf-8")
        self.host.emit(frame(WS_CLOSE, self.ident, 0, code, reason))
        wake(self.waiter)


def is_handshake(name):
    return name.lower().startswith(b"sec-websocket-")


def wake(future):
    if future is not None and not future.done():
        future.set_result(None)
