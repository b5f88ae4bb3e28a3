"""Linux's socket filters: programs with which the kernel drops packets before they reach a socket."""

import ctypes
import socket
import struct
from collections.abc import Sequence

# Linux's socket(7), which Python has no name for.
_SO_ATTACH_FILTER = 26

Step = tuple[int, int, int, int]
"""A `struct sock_filter` of linux/filter.h: a code, two jumps and a constant."""


def attach(one: socket.socket, program: Sequence[Step]) -> None:
    """Have the kernel pass each packet for a socket through a program. Raises OSError if the system cannot."""
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(steps)))
