"""The network is lost while a part of a batch has not arrived: PostgreSQL notices, and unlocks the user's account."""

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handlers.service.packet_filter import attach
from tests.support.batches import create, send
from tests.support.client import User
from tests.support.faulty_proxy import NOTHING, FaultyProxy, proxy_of
from tests.support.postgres import postgres_over_tcp
from tests.support.server import serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's socket filters")

# More than all buffers between the service and the server's process hold, but for the first part.
BATCH = [create(f"Task {number}", description="x" * 4000) for number in range(100)]
PART = 200_000


class LosingProxy(FaultyProxy):
    """A proxy that can lose its connections to the server in the middle of what it passes on."""

    def __init__(self, listener: socket.socket, database: str) -> None:
        super().__init__(listener, database)
        self._port = urlsplit(database).port
        self.is_losing = False

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port))

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with client, suppress(OSError):
            while data := client.recv(65_536):
                passed += len(data) if self.is_losing else 0
                if passed > PART:
                    attach(server, NOTHING)
                    self.is_losing = False
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)


def test_the_account_is_unlocked_although_the_server_hears_no_more_of_the_service(tmp_path: Path) -> None:
    with (
        postgres_over_tcp() as url,
        proxy_of(LosingProxy, url) as proxy,
        serve(tmp_path, DATABASE_URL=proxy.url, DATABASE_STATEMENT_TIMEOUT="1") as server,
        User(server, "ada") as ada,
    ):
        ada.create("before")
        proxy.is_losing = True
        assert send(ada, *BATCH).status_code == 503
        assert not proxy.is_losing
        # Without its own time limits, the server would take two hours.
        deadline = time.monotonic() + 60
        while ada.request("POST", "/tasks", json={"title": "after"}, timeout=60).status_code == 503:
            assert time.monotonic() < deadline
        assert ada.titles() == ["after", "before"]
