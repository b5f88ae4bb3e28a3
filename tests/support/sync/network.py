"""A network that drops, delays, doubles and cuts requests and responses: a proxy between a client and the service."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import urlsplit

FATES = {
    "pass": 75,
    "delay": 4,
    # The server gets nothing, or half a request.
    "drop": 3,
    "cut_request": 3,
    # The server serves the request, and the client does not learn it.
    "lose_response": 4,
    "cut_response": 3,
    # The server gets the request twice: at once, or the second time after later requests.
    "double": 3,
    "repeat_later": 3,
    # The client sees a broken connection, and the request arrives after later ones.
    "hold": 2,
}
"""What happens to requests, and how often."""


class Network:
    """The network of one device, reached at `url`. It serves one request on each connection.

    While it `is_calm`, every request passes. `counts` says how many requests had which fate.
    """

    def __init__(self, listener: socket.socket, server: str, dice: Random) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.is_calm = False
        self.counts: Counter[str] = Counter()
        parts = urlsplit(server)
        self._server = (str(parts.hostname), parts.port or 80)
        self._dice = dice
        self._late: list[bytes] = []

    def accept(self, listener: socket.socket) -> None:
        """Serve connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def deliver_late(self) -> None:
        """Deliver every request that is still on its way."""
        late, self._late = self._late, []
        for request in late:
            self._exchange(request)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            request = _read_request(client)
            if (late := self._late) and self._dice.random() < 0.3:
                self._exchange(late.pop(0))
            client.sendall(self._transmit(request))

    def _transmit(self, request: bytes) -> bytes:
        """Let a request meet its fate, and return what the client gets."""
        fate = "pass" if self.is_calm else self._dice.choices(list(FATES), list(FATES.values()))[0]
        self.counts[fate] += 1
        match fate:
            case "drop":
                return b""
            case "cut_request":
                return self._exchange(request[: len(request) // 2], is_whole=False)
            case "lose_response":
                return self._exchange(request)[:0]
            case "cut_response":
                response = self._exchange(request)
                return response[: len(response) // 2]
            case "double":
                with ThreadPoolExecutor(2) as threads:
                    return list(threads.map(self._exchange, [request, request]))[-1]
            case "hold":
                self._late.append(request)
                return b""
            case "repeat_later":
                self._late.append(request)
            case "delay":
                time.sleep(self._dice.random() / 20)
        return self._exchange(request)

    def _exchange(self, request: bytes, *, is_whole: bool = True) -> bytes:
        """Send bytes to the server, and return what it sends until it closes the connection; nothing if it is away."""
        response = b""
        with suppress(OSError), socket.create_connection(self._server, timeout=30) as server:
            server.sendall(request)
            while is_whole and (data := server.recv(65_536)):
                response += data
        return response


def _read_request(client: socket.socket) -> bytes:
    """Return a request, whose body has a Content-Length. Raises ConnectionError if the client leaves."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _receive(client)
    head, _, _ = request.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    size = len(head) + 4 + int(fields.get(b"content-length", b"0"))
    while len(request) < size:
        request += _receive(client)
    return request


def _receive(client: socket.socket) -> bytes:
    data = client.recv(65_536)
    if not data:
        raise ConnectionError
    return data


@contextmanager
def network(server: str, dice: Random) -> Iterator[Network]:
    """Run a network between a client and a service that is reached at `server`.

    The client must send `Connection: close`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = Network(listener, server, dice)
        threading.Thread(target=one.accept, args=(listener,), daemon=True).start()
        yield one
        listener.shutdown(socket.SHUT_RDWR)
