"""What the operating system knows of a connection's packets."""

import socket


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
