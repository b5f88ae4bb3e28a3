"""Clients that vanish without a word, such as a phone that has lost its network."""

import asyncio
import socket
from contextlib import suppress

_MILLISECONDS = 30_000


def notice_loss(transport: asyncio.Transport) -> None:
    """Have the system end the connection if the client acknowledges nothing for 30 seconds after something was sent.

    By default, that takes Linux a quarter of an hour: `tests/faults/test_lost_clients.py`.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and not transport.is_closing():
        # It may be a Unix socket.
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, _MILLISECONDS)
