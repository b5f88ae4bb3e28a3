"""Clients that are gone, and that the event loop does not notice by itself."""

import asyncio
import socket
import sys
from contextlib import suppress

_MILLISECONDS = 30_000
# States of a connection, in the first byte of Linux's `struct tcp_info`: after a reset, and after the client's FIN.
_CLOSED = 7
_ENDED = 8


def notice_loss(transport: asyncio.Transport) -> None:
    """Have the system end the connection if the client acknowledges nothing for 30 seconds after something was sent.

    By default, that takes Linux a quarter of an hour, for example after a phone has lost its network:
    `tests/faults/test_lost_clients.py`.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and not transport.is_closing():
        # It may be a Unix socket.
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, _MILLISECONDS)


def is_reset(transport: asyncio.Transport) -> bool:
    """Return whether the client has reset the connection. The event loop notices this only while it reads."""
    return _state(transport) == _CLOSED


def has_ended(transport: asyncio.Transport) -> bool:
    """Return whether the client has ended what it sends. It may be gone, or still read."""
    return _state(transport) == _ENDED


def _state(transport: asyncio.Transport) -> int:
    """Return the state of a connection, or 0 if the system does not say."""
    if sys.platform == "linux" and not transport.is_closing():
        # It may be a Unix socket.
        with suppress(OSError):
            state: bytes = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            return state[0]
    return 0
