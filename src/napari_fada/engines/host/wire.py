"""Messages over a pipe: a length, then a pickle.

Both ends are the same program of the same user, started by one another, so pickle is
no risk here; nothing that comes from a file or from a network is ever read this way.
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

Message = tuple[str, int, Any]
"""Kind, number of the request it belongs to, content."""

_LENGTH = struct.Struct("!Q")


def pack(message: Message) -> bytes:
    """Return the bytes of a message, length included."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def write(fd: int, data: bytes) -> None:
    """Write all of `data`; raises OSError once the other end is gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read(fd: int) -> Message | None:
    """Return the next message, or None at the end of the pipe (also in mid-message)."""
    head = _read_exactly(fd, _LENGTH.size)
    if head is None:
        return None
    body = _read_exactly(fd, _LENGTH.unpack(head)[0])
    if body is None:
        return None
    message: Message = pickle.loads(body)
    return message


def _read_exactly(fd: int, size: int) -> bytes | None:
    buffer = bytearray()
    while len(buffer) < size:
        part = os.read(fd, min(size - len(buffer), 1 << 20))
        if not part:
            return None
        buffer += part
    return bytes(buffer)
