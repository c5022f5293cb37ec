"""From a started process to an application that takes requests."""

import faulthandler
import gc
import json
import os
import signal
import socket
import sys

from . import discover, native
from .failure import StartupFailed, report
from .frames import CONFIG, FAILED, READY, RECALL, Frames, frame

CONTROL_FD = 3


def main():
    control = socket.socket(fileno=CONTROL_FD)
    control.setblocking(True)
    config = read_config(control)
    streams = [socket.socket(fileno=CONTROL_FD + 1 + n) for n in range(config["streams"])]
    os.set_inheritable(CONTROL_FD, False)
    for stream in streams:
        stream.setblocking(True)
        os.set_inheritable(stream.fileno(), False)
    for name in ("stdout", "stderr"):
        getattr(sys, name).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # What the application forks must not keep our streams open when this process is gone.
    os.register_at_fork(after_in_child=lambda: [stream.close() for stream in [control, *streams]])
    dump_stacks_on_quit()
    leave_the_end_to_the_front()
    sys.argv[:] = [config["target"]]
    worker = os.getpid()
    try:
        found = discover.find(config)
        expected = config.get("expected", found.kind)
        if found.kind != expected:
            raise discover.NotFound("it was %s and is %s now: start nettool anew" % (expected.upper(), found.kind.upper()))
        start(found, config, control, streams)
    except discover.NotFound as problem:
        fail(control, str(problem), "")
    except StartupFailed as problem:
        fail(control, str(problem).strip().splitlines()[-1], str(problem))
    except BaseException as problem:  # SystemExit of a module included
        if os.getpid() != worker:
            raise  # something the application has forked has come out of it: it ends as it says
        fail(control, *report(problem))


def start(found, config, control, streams):
    settings = {
        "server_software": config["software"],
        "multiprocess": config["workers"] > 1,
        "multithread": len(streams) > 1,
        "window": config["windows"][found.kind],
        "path_below_root": expects_path_below_root(),
    }
    if found.kind == "asgi":
        from . import asgi_host

        for extra in streams[1:]:
            extra.close()
        host = asgi_host.AsgiHost(found.app, settings, streams[0])
        host.run(lambda: ready(control, found, 1, host), lambda: watch(control, []))
        return
    from . import wsgi_host

    slots = [wsgi_host.Slot(stream, found.app, settings) for stream in streams]
    ready(control, found, len(slots), None)
    watch(control, slots)
    others = [native.start(slot.run, "slot-%d" % n) for n, slot in enumerate(slots[1:], 1)]
    slots[0].run()
    for wait in others:
        wait()


# Before these versions a router looked for its routes in a path without root_path (FastAPI is on Starlette's).
ROOT_AWARE = {"starlette": [0, 35], "channels": [4, 1]}


def expects_path_below_root():
    return any(version_of(name) < version for name, version in ROOT_AWARE.items() if version_of(name))


def version_of(name):
    """The first two numbers of a loaded package's version; nothing when it is not loaded."""
    version = getattr(sys.modules.get(name), "__version__", "")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return numbers if len(numbers) == 2 else []


def ready(control, found, slots, host):
    gc.collect()
    gc.freeze()  # what the application has loaded stays; no collection needs to look at it again
    answer = {
        "kind": found.kind,
        "target": found.target,
        "ask": found.ask,
        "reason": found.reason,
        "framework": found.framework,
        "slots": slots,
        "version": sys.version.split()[0],
        "executable": sys.executable,
        "files": sorted(source_files()),
    }
    control.sendall(frame(READY, head=json.dumps(answer).encode()))


def source_files():
    """The application's own loaded modules: what a watcher looks at."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith((".py", ".wsgi")) and "site-packages" not in path:
            if not path.startswith((sys.base_prefix, os.path.dirname(__file__))):
                yield os.path.abspath(path)


def fail(control, message, text):
    answer = {"message": message, "traceback": text}
    control.sendall(frame(FAILED, head=json.dumps(answer).encode()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(3)


def read_config(control):
    frames = Frames()
    while True:
        data = control.recv(65536)
        if not data:
            os._exit(0)
        for _, kind, _, _, head, _ in frames.feed(data):
            if kind == CONFIG:
                return json.loads(head.decode())


def watch(control, slots):
    """Listens to the control stream from a thread of its own, also while the application computes."""
    native.start(lambda: listen(control, slots), "control")


def listen(control, slots):
    frames = Frames()
    while True:
        try:
            data = control.recv(4096)
        except OSError:
            data = b""
        if not data:
            break
        for _, kind, _, number, _, _ in frames.feed(data):
            if kind == RECALL and number < len(slots):
                slots[number].recall()
    # The front is gone. What still runs gets a moment; nothing may outlive it.
    native.sleep(5)
    os._exit(1)


def leave_the_end_to_the_front():
    """SIGTERM to all processes of a service (systemd's way) is the front's to obey: it drains, then closes our streams."""
    worker = os.getpid()

    def pass_over(number, _frame):
        if os.getpid() != worker:  # what the application has forked ends when it is told to
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, pass_over)


def dump_stacks_on_quit():
    """SIGQUIT writes every thread's stack to stderr, even while C code holds the interpreter."""
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGQUIT, all_threads=True, chain=False)
