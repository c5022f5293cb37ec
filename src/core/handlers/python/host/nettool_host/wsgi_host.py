"""Calls a WSGI application (PEP 3333). One slot is one stream and one thread: it answers one request at a time."""

import os
import sys
from collections import deque
from io import BytesIO
from socket import MSG_DONTWAIT
from urllib.parse import unquote_to_bytes

from .failure import ClientDisconnected, report
from .frames import ABORT, CREDIT, FILE_REPLY, REQUEST, RETURN, SPOOLED, Frames, frame
from .native import allocate_lock
from .wsgi_answer import Answer
from .wsgi_file import FileWrapper

FLUSH_AT = 131072


class RequestErrors:
    """`wsgi.errors` of a request that has a name: each line begins with it."""

    def __init__(self, request_id):
        self.prefix = "[%s] " % request_id
        self.in_line = False

    def write(self, text):
        if not text:
            return 0
        lines = text[:-1].replace("\n", "\n" + self.prefix) + text[-1]
        sys.stderr.write(lines if self.in_line else self.prefix + lines)
        self.in_line = text[-1] != "\n"
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        sys.stderr.flush()


class Slot:
    def __init__(self, stream, app, settings):
        self.stream = stream
        self.app = app
        self.window = settings["window"]
        self.frames = Frames()
        self.pending = deque()
        self.out = deque()
        self.waiting_bytes = 0
        self.lock = allocate_lock()
        self.answer = None
        self.file_reply = None
        self.owner = os.getpid()
        self.base = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": settings["server_software"],
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": settings["multithread"],
            "wsgi.multiprocess": settings["multiprocess"],
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }

    def run(self):
        """Until the front closes the stream."""
        pending, stream, read = self.pending, self.stream, self.frames.read
        try:
            while True:
                found = read(stream)
                if found is None:
                    return
                self.take(found)
                while pending:
                    try:
                        job = pending.popleft()
                    except IndexError:  # recalled meanwhile
                        break
                    self.handle(*job)
                self.flush()
        except ConnectionError:
            return  # the front is gone
        except OSError:
            if os.getpid() == self.owner:
                raise
            sys.exit()  # a fork that came back from the application: there is nobody it could answer

    def take(self, found):
        for ident, kind, flags, number, head, body in found:
            if kind == REQUEST:
                self.pending.append((ident, flags, head, body))
                continue
            answer = self.answer
            if answer is None or answer.ident != ident:
                if kind == ABORT:
                    self.drop(ident)
                continue
            if kind == CREDIT:
                answer.credit += number
            elif kind == ABORT:
                answer.gone = True
            elif kind == FILE_REPLY:
                self.file_reply = number

    def drop(self, ident):
        """Nobody waits for this request any more; it was not begun."""
        for _ in range(len(self.pending)):
            try:
                job = self.pending.popleft()
            except IndexError:
                return
            if job[0] == ident:
                self.out.append(frame(RETURN, ident))
            else:
                self.pending.append(job)

    def wait(self):
        """Blocks for the next frames of the front; whatever was not begun goes back to it first."""
        self.give_back()
        found = self.frames.read(self.stream)
        if found is None:
            raise ClientDisconnected("the server is going away")
        self.take(found)
        self.give_back()

    def poll(self):
        """Takes in what the front has sent, without waiting."""
        try:
            found = self.frames.read(self.stream, MSG_DONTWAIT)
        except BlockingIOError:
            return
        if found:
            self.take(found)

    def recall(self):
        """From the control thread: what waits behind a slow request goes back, what is finished goes out."""
        try:
            self.give_back()
        except OSError:
            pass

    def give_back(self):
        while self.pending:
            try:
                job = self.pending.pop()
            except IndexError:
                break
            self.out.append(frame(RETURN, job[0]))
        self.flush()

    def send(self, data):
        self.out.append(data)
        self.waiting_bytes += len(data)
        if self.waiting_bytes > FLUSH_AT:
            self.flush()

    def flush(self):
        # Appending and taking are atomic, so the control thread may flush too; the lock keeps the order.
        with self.lock:
            out = self.out
            if not out:
                return
            parts = []
            while out:
                parts.append(out.popleft())
            self.waiting_bytes = 0
            self.stream.sendall(b"".join(parts) if len(parts) > 1 else parts[0])

    def handle(self, ident, flags, head, body):
        environ = self.base.copy()
        fields = iter(head.decode("latin-1").split("\0"))
        environ.update(zip(fields, fields))
        path = environ["PATH_INFO"]
        if "%" in path:
            environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        answer = self.answer = Answer(self, ident, environ["REQUEST_METHOD"] == "HEAD")
        request_id = environ.get("nettool.request_id")
        if request_id:
            environ["wsgi.errors"] = RequestErrors(request_id)
        environ["wsgi.early_hints"] = answer.early_hints
        content = environ["wsgi.input"] = open(body, "rb") if flags & SPOOLED else BytesIO(body)
        result = None
        try:
            result = self.app(environ, answer.start_response)
            answer.send_result(result)
        except ClientDisconnected:
            answer.abandon()
        except BaseException as problem:
            if os.getpid() != self.owner:
                raise
            answer.fail(problem)
        finally:
            if hasattr(result, "close"):
                self.close(result)
            content.close()
            self.answer = None

    def close(self, result):
        if not self.pending:
            self.flush()
        try:
            result.close()
        except BaseException as problem:
            sys.stderr.write("close() of the answer failed:\n" + report(problem)[1])
