"""The end of a connection on which the client may still be sending (RFC 9112, section 9.6).

If it were closed at once, what the client sends would reset it, and the client might lose responses.
"""

import asyncio
import fcntl
import sys
import termios
from contextlib import suppress

_LOOK_SECONDS = 0.5
# How long a program may take to read what its system has acknowledged.
_READ_SECONDS = 2.0


def linger(transport: asyncio.Transport) -> None:
    """Send no more, and close the connection two seconds after the client has acknowledged what was sent.

    Only the time limits end this for a client that reads nothing.
    """
    transport.write_eof()
    _close_when_acknowledged(transport)


def _close_when_acknowledged(transport: asyncio.Transport) -> None:
    loop = asyncio.get_running_loop()
    if unacknowledged(transport):
        loop.call_later(_LOOK_SECONDS, _close_when_acknowledged, transport)
    else:
        loop.call_later(_READ_SECONDS, transport.close)


def unacknowledged(transport: asyncio.Transport) -> int:
    """Return how many bytes the client has not acknowledged.

    The system buffers megabytes. Where it does not say how much, only what this process buffers counts.
    """
    if transport.is_closing():
        return 0
    size = transport.get_write_buffer_size()
    with suppress(OSError):
        buffered = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        size += int.from_bytes(buffered, sys.byteorder)
    return size
