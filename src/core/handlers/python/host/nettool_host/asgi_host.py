"""Runs an ASGI 3 application on asyncio: one loop, one stream, exchanges told apart by their number."""

import asyncio
import contextvars
import functools
import sys

from .asgi_http import HttpExchange
from .asgi_lifespan import Lifespan
from .asgi_scope import to_scope
from .asgi_websocket import WebSocketExchange
from .failure import report
from .frames import ABORT, ACK, REQUEST, WS_OPEN, Frames, frame

HIGH_WATER = 1 << 20
ACK_FRAME = frame(ACK)


def make_starter(loop):
    """What eager_start does since Python 3.12: a task takes its first step before it is returned."""
    planned = []

    def plan(step, context):
        planned.append((context, step))

    def start(coro):
        loop.call_soon = plan  # in the place of the class' own
        task = asyncio.Task(coro, loop=loop)
        del loop.call_soon
        context, step = planned.pop()
        context.run(step)
        return task

    return start


class AsgiHost:
    def __init__(self, app, settings, stream):
        self.app = app
        self.window = settings["window"]
        self.path_below_root = settings["path_below_root"]
        self.stream = stream
        self.frames = Frames()
        self.exchanges = {}
        self.out = []
        self.out_bytes = 0
        self.flush_planned = self.blocked = False
        self.drained = None
        self.state = None
        self.loop = None
        self.closed = None

    def run(self, on_ready, on_start):
        """Start-up of the application, then requests until the front closes the stream, then its shutdown."""
        try:
            import uvloop

            loop = uvloop.new_event_loop()
        except ImportError:
            loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self.loop = loop
        try:
            loop.run_until_complete(self.main(on_ready, on_start))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor() if sys.version_info >= (3, 9) else asyncio.sleep(0))

    async def main(self, on_ready, on_start):
        self.closed = self.loop.create_future()
        lifespan = Lifespan(self.app, self.loop)
        await lifespan.start_up()
        self.state = lifespan.state
        self.new_task = self.choose_task_maker()
        self.stream.setblocking(False)
        # Tasks inherit the context their maker was called in: an empty one, so that requests share nothing.
        contextvars.Context().run(self.loop.add_reader, self.stream.fileno(), self.on_readable)
        on_start()
        on_ready()
        await self.closed
        await self.let_go()
        await lifespan.shut_down()

    def choose_task_maker(self):
        loop = self.loop
        if loop.get_task_factory() is not None:
            return loop.create_task
        # The first step at once: an application that never waits costs no turn of the loop.
        if sys.version_info >= (3, 12):
            return functools.partial(asyncio.Task, loop=loop, eager_start=True)
        return make_starter(loop)

    def on_readable(self):
        try:
            found = self.frames.read(self.stream)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            found = None
        if found is None:
            self.lose_front()
            return
        for ident, kind, flags, number, head, body in found:
            if kind == REQUEST:
                self.open(HttpExchange(self, ident, flags, to_scope(head, number, self), body))
            elif kind == WS_OPEN:
                self.open(WebSocketExchange(self, ident, to_scope(head, number, self)))
            else:
                exchange = self.exchanges.get(ident)
                if exchange is not None:
                    exchange.on_frame(kind, flags, number, head, body)
        # Says "the last batch is begun": the front then sends the next.
        self.emit(ACK_FRAME)

    def open(self, exchange):
        task = exchange.task = self.new_task(exchange.run())
        if not task.done():
            # Kept here until it is over: the loop itself holds its tasks only weakly.
            self.exchanges[exchange.ident] = exchange

    def forget(self, exchange):
        self.exchanges.pop(exchange.ident, None)

    def lose_front(self):
        self.loop.remove_reader(self.stream.fileno())
        for exchange in list(self.exchanges.values()):
            exchange.on_frame(ABORT, 0, 0, b"", b"")
        if not self.closed.done():
            self.closed.set_result(None)

    async def let_go(self):
        """Tasks that were told of the disconnect get a moment, then they are cancelled."""
        tasks = [exchange.task for exchange in self.exchanges.values() if exchange.task]
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def emit(self, data):
        """Queues a frame; everything of one turn of the loop leaves in one write."""
        self.out.append(data)
        self.out_bytes += len(data)
        if not self.flush_planned:
            self.flush_planned = True
            self.loop.call_soon(self.flush)

    def flush(self):
        self.flush_planned = False
        if self.blocked or not self.out:
            return
        data = b"".join(self.out)
        self.out.clear()
        self.out_bytes = 0
        try:
            sent = self.stream.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            return  # the reader sees the end
        if sent < len(data):
            self.out.append(memoryview(data)[sent:])
            self.out_bytes = len(data) - sent
            self.blocked = True
            self.loop.add_writer(self.stream.fileno(), self.on_writable)

    def on_writable(self):
        self.loop.remove_writer(self.stream.fileno())
        self.blocked = False
        self.flush()
        if self.drained is not None and self.out_bytes < HIGH_WATER:
            self.drained.set_result(None)
            self.drained = None

    async def drain(self):
        """Waits while the front has not taken what was sent."""
        while self.out_bytes >= HIGH_WATER:
            if self.drained is None:
                self.drained = self.loop.create_future()
            await asyncio.shield(self.drained)

    def log(self, what, problem):
        sys.stderr.write("%s\n%s" % (what, report(problem)[1]))
