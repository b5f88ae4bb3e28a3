"""A proxy to PostgreSQL that can swallow queries, reset connections or reject clients."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from handlers.service.packet_filter import attach

# A program for the kernel's socket filter that accepts no byte of any packet.
NOTHING = [(0x06, 0, 0, 0)]
Proxy = TypeVar("Proxy", bound="FaultyProxy")


class FaultyProxy:
    """A proxy that listens at `url`. While `silent`, it swallows and counts queries, but still lets clients log in.

    While `away`, it closes every new connection. It passes on what the server sends after `delay` seconds.
    """

    def __init__(self, listener: socket.socket, database: str) -> None:
        self.silent = False
        self.away = False
        self.delay = 0.0
        self.swallowed = 0
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        parts = urlsplit(database)
        self.url = f"postgresql://{parts.username}@127.0.0.1:{listener.getsockname()[1]}{parts.path}"
        self._sockets = parse_qs(parts.query).get("host", [""])[0]
        self._address = (parts.hostname or "", parts.port or 0)

    def accept(self, listener: socket.socket) -> None:
        """Serve clients until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def reset(self, *, after: bytes) -> None:
        """Send each client some bytes and then a reset (RFC 9293, section 3.10.4), as some load balancers do.

        When this returns, the resets have been sent: nothing that a client sends afterwards reaches the server.
        """
        clients = self._connected()
        for client in clients:
            with suppress(OSError):
                client.sendall(after)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # This wakes the thread that reads from the client; it closes the socket, which sends the reset.
                client.shutdown(socket.SHUT_RD)
        for thread in clients.values():
            thread.join()

    def send(self, message: bytes) -> None:
        """Send each client a message, as if it came from the server."""
        for client in self._connected():
            with suppress(OSError):
                client.sendall(message)

    def lose_packets(self) -> None:
        """Drop every packet of the clients that are connected, and acknowledge none, as after a network has changed."""
        for client in self._connected():
            with suppress(OSError):
                attach(client, NOTHING)

    def _connected(self) -> dict[socket.socket, threading.Thread]:
        """Return the clients that have connected, each with the thread that reads from it."""
        with self._lock:
            return self._clients.copy()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            if self.away:
                client.close()
                return
            self._clients[client] = threading.current_thread()
        server = self._connect()
        threading.Thread(target=self._forward, args=(server, client, lambda: self.delay), daemon=True).start()
        self._pass_on(client, server)

    def _connect(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX if self._sockets else socket.AF_INET)
        with suppress(OSError):
            server.connect(f"{self._sockets}/.s.PGSQL.5432" if self._sockets else self._address)
        return server

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client sends, until it closes the connection."""
        self._forward(client, server, lambda: 0.0)

    def _forward(self, source: socket.socket, target: socket.socket, delay: Callable[[], float]) -> None:
        with source, suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(delay())
                # Query, Parse and Bind (PostgreSQL's documentation, "Message Formats").
                if data.startswith((b"Q", b"P", b"B")) and self.silent:
                    self.swallowed += 1
                else:
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_proxy(database: str) -> Iterator[FaultyProxy]:
    """Run a proxy to a database that listens on a Unix socket, or else on a port."""
    with proxy_of(FaultyProxy, database) as proxy:
        yield proxy


@contextmanager
def proxy_of(kind: type[Proxy], database: str) -> Iterator[Proxy]:
    """Run a proxy of a kind to a database that listens on a Unix socket, or else on a port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = kind(listener, database)
        threading.Thread(target=proxy.accept, args=(listener,), daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
