"""wsgi.file_wrapper: a regular file is sent by the front, straight from the disk."""

import io
import os
import stat

from .failure import ClientDisconnected
from .frames import END, FILE, frame

PLAIN_FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class FileWrapper:
    """An iterable over a file-like object, recognised when it comes back unwrapped."""

    def __init__(self, filelike, block_size=65536):
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


def send(answer, wrapper):
    """Lets the front send the file; False when it cannot, and it must be iterated over."""
    file = getattr(wrapper.filelike, "file", wrapper.filelike)  # tempfile's wrapper
    # Others may have a fileno() and yet produce something else (gzip), or be pipes.
    if type(file) not in PLAIN_FILES or answer.head is None or answer.bare:
        return False
    try:
        offset = file.tell()
        state = os.fstat(file.fileno())
    except (OSError, ValueError):
        return False
    length = state.st_size - offset
    if not stat.S_ISREG(state.st_mode) or length <= 0 or answer.length > length:
        return False
    if answer.length >= 0:
        length = answer.length
    number = file.fileno()
    linked = "/proc/%d/fd/%d" % (os.getpid(), number)
    path = linked if os.path.exists(linked) else os.path.abspath(str(getattr(file, "name", "")))
    where = "\0".join(map(str, (path, offset, length, state.st_dev, state.st_ino)))
    slot = answer.slot
    slot.file_reply = None
    slot.send(frame(FILE, answer.ident, END, 0, answer.head, where.encode("utf-8", "surrogateescape")))
    slot.flush()
    # The file must stay open until the front has its own descriptor of it.
    while slot.file_reply is None:
        slot.wait()
        if answer.gone:
            raise ClientDisconnected("the client has gone")
    if slot.file_reply == 1:
        answer.begun = answer.done = True
        return True
    return False
