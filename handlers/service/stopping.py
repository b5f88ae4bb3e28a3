"""What stopping without losing a request needs from the operating system."""

import asyncio
import fcntl
import logging
import signal
import socket
import sys
import termios
from collections.abc import Iterable
from contextlib import suppress

from handlers.service.packet_filter import attach

END = signal.SIGUSR1
"""The signal with which a parent stops a worker without a delay. It kills a worker that does not serve yet."""

ARRIVAL_SECONDS = 0.2
"""How long a request may be in transit: enough in one network, and short enough for a client that only connects."""

# How long connections that have arrived may take to be accepted. All of a stop may take nine seconds.
_ACCEPT_SECONDS = 1.0
# Drop a TCP segment that has SYN and not ACK among its flags, at byte 13; accept others.
_NO_SYN = [(0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]
_logger = logging.getLogger(__name__)


def refuse_connections(listeners: Iterable[socket.socket]) -> None:
    """Ignore new connections on these sockets, so that those already begun can be accepted before the sockets close.

    Closing a socket resets the connections that nobody has accepted, and under load one may have arrived since the last
    look: `tests/faults/test_shutdown.py`. A client whose connection is ignored tries again after a second, and is then
    refused. Only Linux can do this; elsewhere this does nothing.
    """
    if sys.platform == "linux":
        for listener in listeners:
            # Some sandboxes do not implement it.
            with suppress(OSError):
                attach(listener, _NO_SYN)


async def until_accepted(listeners: Iterable[socket.socket]) -> None:
    """Wait until the connections that have arrived at these sockets are accepted, for a second at most.

    Closing the sockets would reset them.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_ACCEPT_SECONDS):
            while any(map(_not_accepted, listeners)):  # noqa: ASYNC110 - the pause accepts some
                await asyncio.sleep(0)


def _not_accepted(listener: socket.socket) -> int:
    """Return how many connections wait to be accepted: `tcpi_unacked` in Linux's `struct tcp_info`."""
    if sys.platform != "linux":
        return 0
    try:
        information = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    except OSError:
        return 0
    return int.from_bytes(information[24:28], sys.byteorder)


def has_unread(transport: asyncio.Transport) -> bool:
    """Return whether bytes have arrived that the event loop has not read yet."""
    if transport.is_closing():
        return False
    unread = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, bytes(4))
    return any(unread)


def report_delay(seconds: float) -> None:
    """Log in how many seconds the service will stop, unless it stops at once."""
    if seconds:
        _logger.info("Not ready any more, and stopping in %g seconds. A second signal ends this delay.", seconds)
