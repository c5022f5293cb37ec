"""How a failure of the application is told."""

import os
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))


class ClientDisconnected(OSError):
    """The client has gone; there is nobody to send to."""


class StartupFailed(Exception):
    """The application has said that it cannot start."""


def where_it_waits(task):
    """The stack of a suspended task, down through everything it awaits."""
    lines = []
    awaited = task.get_coro()
    while awaited is not None:
        entry = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if entry is not None and not is_ours(entry.f_code.co_filename):
            lines += traceback.format_stack(entry, limit=1)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return "".join(lines)


def report(problem):
    """(one line, the traceback without nettool's own frames)."""
    entry = problem.__traceback__
    while entry is not None and is_ours(entry.tb_frame.f_code.co_filename):
        entry = entry.tb_next
    try:
        text = "".join(traceback.format_exception(type(problem), problem, entry))
        # What a SyntaxError shows of its file comes indented, ahead of what it says.
        said = (part for part in traceback.format_exception_only(type(problem), problem) if part[0] != " ")
        summary = next(said).strip().splitlines()[0]
    except Exception:  # an exception whose own str() fails
        text = summary = type(problem).__name__
    return clean(summary), clean(text)


def is_ours(name):
    return name.startswith(HERE) or "importlib" in name


def clean(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
