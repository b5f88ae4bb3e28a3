"""A proxy to PostgreSQL that stands for the coordinator of a cluster, one of whose nodes hangs."""

import select
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from tests.support.faulty_proxy import FaultyProxy


class Coordinator(FaultyProxy):
    """A proxy that can hold back the statements of some users.

    What follows such a statement on its connection waits for it. A request to cancel it has no effect, because the
    server has not received it; a real coordinator may be able to cancel it. It is lost if the client gives up. What a
    coordinator knows itself, it says at once: which node has a user's rows.
    """

    def __init__(self, listener: socket.socket, database: str) -> None:
        super().__init__(listener, database)
        self._hung: list[bytes] = []
        self._works = threading.Event()

    @contextmanager
    def hanging(self, users: Iterable[str]) -> Iterator[None]:
        """Hold back the statements of these users until the end of the `with` block."""
        self._works.clear()
        self._hung = [user.encode() for user in users]
        try:
            yield
        finally:
            self._hung = []
            self._works.set()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        statements: dict[bytes, bytes] = {}
        with client, suppress(OSError):
            for message in _messages(client):
                # A Parse has the name of a statement first, and a Bind has it second (PostgreSQL's documentation,
                # "Message Formats").
                kind, (first, second, *_) = message[:1], [*message[5:].split(b"\0", 2), b""]
                if kind == b"P":
                    statements[first] = second
                asks_a_node = kind == b"B" and b"pg_dist_placement" not in statements.get(second, b"")
                is_held_back = asks_a_node and any(user in message for user in self._hung)
                if is_held_back and not self._works_again(client):
                    break
                server.sendall(message)
            server.shutdown(socket.SHUT_RDWR)

    def _works_again(self, client: socket.socket) -> bool:
        """Wait for the node; return False if the client gives up."""
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        while not self._works.wait(0.02):
            if poll.poll(0):
                return False
        return True


def _messages(client: socket.socket) -> Iterator[bytes]:
    """Yield the messages that a client sends."""
    with client.makefile("rb") as stream:
        while head := stream.read(5):
            # The first messages have no type. They begin with their length, which is below 2^24.
            has_type = head[0] != 0
            length = has_type + int.from_bytes(head[has_type : has_type + 4], "big")
            yield head + stream.read(length - 5)
