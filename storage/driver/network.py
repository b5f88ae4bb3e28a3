"""Networks that lose packets: what libpq does about them, and what the operating system knows."""

import socket
from typing import Any

from psycopg.conninfo import conninfo_to_dict

# Libpq's parameters. Without them, it takes Linux a quarter of an hour to notice.
# A connection that was idle breaks within ten seconds, and so does one whose statement does not reach the server.
_PARAMETERS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}


def noticing_losses(url: str) -> dict[str, Any]:
    """Return the parameters with which a connection notices that it is lost, except for those that the URL sets."""
    given = conninfo_to_dict(url)
    return {name: value for name, value in _PARAMETERS.items() if name not in given}


def loses_packets(descriptor: int) -> bool:
    """Return whether the last packets sent on a socket had to be sent again, and have still not been acknowledged.

    Only Linux tells, for TCP: the third byte of its `struct tcp_info` counts these retransmissions.
    """
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return False
    with_descriptor = socket.socket(fileno=descriptor)
    try:
        return with_descriptor.getsockopt(socket.IPPROTO_TCP, option, 3)[2] > 0
    except OSError:  # It is a Unix socket.
        return False
    finally:
        with_descriptor.detach()
