"""The frames both sides speak: a fixed head, then a head part and a body part."""

import struct

# payload length, exchange id, type, flags, number, length of the payload's head part
HEADER = struct.Struct("<IIBBxxII")
pack = HEADER.pack
unpack_from = HEADER.unpack_from
HEADER_SIZE = HEADER.size

# front -> worker
CONFIG, REQUEST, BODY, ABORT, CREDIT, FILE_REPLY, RECALL, WS_OPEN, WS_DATA, WS_GONE = range(1, 11)
# worker -> front
READY, FAILED, HEAD, DATA, FILE, ERROR, RETURN, ACK, WS_ACCEPT, WS_SEND, WS_CLOSE, TOOK, HINT, TRAILERS = range(32, 46)

# flags
END = 1  # the last frame of a request's or answer's content
SPOOLED = 2  # the body part is the path of a file that holds the content
TIMED_OUT = 4  # why an exchange was aborted
TEXT = 8  # a WebSocket message is text
LIVE = 16  # an answer had already begun
MORE = 32  # fields follow the content


class Frames:
    """Cuts what a stream brings into frames."""

    __slots__ = ("rest", "buffer")

    def __init__(self):
        self.rest = b""
        # A bytes object of this size for each recv would be mapped from the system and given back each time.
        self.buffer = memoryview(bytearray(262144))

    def read(self, stream, flags=0):
        """The complete frames of what the stream has now; None at its end."""
        size = stream.recv_into(self.buffer, 0, flags)
        return self.feed(bytes(self.buffer[:size])) if size else None

    def feed(self, data):
        """The complete frames: (id, type, flags, number, head, body)."""
        if self.rest:
            data = self.rest + data
        found = []
        offset, size = 0, len(data)
        while size - offset >= HEADER_SIZE:
            length, ident, kind, flags, number, head_length = unpack_from(data, offset)
            start = offset + HEADER_SIZE
            end = start + length
            if end > size:
                break
            middle = start + head_length
            found.append((ident, kind, flags, number, data[start:middle], data[middle:end]))
            offset = end
        self.rest = data[offset:] if offset else data
        return found


def frame(kind, ident=0, flags=0, number=0, head=b"", body=b""):
    """One frame as bytes."""
    return pack(len(head) + len(body), ident, kind, flags, number, len(head)) + head + body
