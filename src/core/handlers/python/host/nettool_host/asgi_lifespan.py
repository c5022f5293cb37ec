"""The lifespan protocol: start-up before the first request, shutdown after the last."""

import asyncio
import sys

from .failure import StartupFailed, report


class Lifespan:
    def __init__(self, app, loop):
        self.app = app
        self.events = asyncio.Queue()
        self.started = loop.create_future()
        self.stopped = loop.create_future()
        self.state = {}
        self.task = None

    async def start_up(self):
        """Raises what keeps the application from starting; one that knows no lifespan starts without."""
        self.events.put_nowait({"type": "lifespan.startup"})
        self.task = asyncio.ensure_future(self.run())
        await self.started

    async def shut_down(self):
        if self.task.done():
            return
        self.events.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait([self.task, self.stopped], return_when=asyncio.FIRST_COMPLETED)

    async def run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self.events.get, self.send)
        except BaseException as problem:
            # Before start-up was answered this means "no lifespan here" (ASGI, lifespan 2.0).
            if not self.started.done():
                self.started.set_result(None)
            elif not isinstance(problem, asyncio.CancelledError):
                sys.stderr.write("the application's lifespan failed:\n" + report(problem)[1])
        finally:
            for future in (self.started, self.stopped):
                if not future.done():
                    future.set_result(None)

    async def send(self, message):
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self.settle(self.started)
        elif kind == "lifespan.startup.failed":
            text = message.get("message", "") or "the application's start-up failed"
            if not self.started.done():
                self.started.set_exception(StartupFailed(text))
        elif kind == "lifespan.shutdown.complete":
            self.settle(self.stopped)
        elif kind == "lifespan.shutdown.failed":
            sys.stderr.write("the application's shutdown failed: %s\n" % message.get("message", ""))
            self.settle(self.stopped)
        else:
            raise RuntimeError("not a lifespan message: %r" % kind)

    @staticmethod
    def settle(future):
        if not future.done():
            future.set_result(None)
