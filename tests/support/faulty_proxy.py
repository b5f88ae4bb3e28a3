"""A proxy to a PostgreSQL that swallows what clients ask, or resets their connections, or lets nobody in."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class FaultyProxy:
    """A proxy that is reached at `url`. While `silent`, it swallows queries, and counts them; logins go on.

    While `away`, it hangs up on who comes.
    """

    def __init__(self, listener: socket.socket, database: str) -> None:
        self.silent = False
        self.away = False
        self.swallowed = 0
        self._clients: list[socket.socket] = []
        parts = urlsplit(database)
        self.url = f"postgresql://{parts.username}@127.0.0.1:{listener.getsockname()[1]}{parts.path}"
        self._server = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"

    def accept(self, listener: socket.socket) -> None:
        """Serve clients until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def reset(self, *, after: bytes) -> None:
        """Send clients a few bytes and a reset (RFC 9293, section 3.10.4), as a load balancer may end connections."""
        for client in self._clients:
            with suppress(OSError):
                client.sendall(after)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Who reads from it wakes, and closes it: that sends the reset.
                client.shutdown(socket.SHUT_RD)

    def _serve(self, client: socket.socket) -> None:
        if self.away:
            client.close()
            return
        self._clients.append(client)
        server = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            server.connect(self._server)
        threading.Thread(target=self._carry, args=(server, client), daemon=True).start()
        self._carry(client, server)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with source, suppress(OSError):
            while data := source.recv(65_536):
                # Query, Parse and Bind (PostgreSQL's documentation, "Message Formats").
                if data.startswith((b"Q", b"P", b"B")) and self.silent:
                    self.swallowed += 1
                else:
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_proxy(database: str) -> Iterator[FaultyProxy]:
    """Run a proxy to a database that is reached by a Unix socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = FaultyProxy(listener, database)
        threading.Thread(target=proxy.accept, args=(listener,), daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
