"""A database URL may name several hosts, of which the first one does not respond."""

import asyncio
import socket
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from storage.administration.connection import connect
from storage.driver.listener import CHANNEL, listening


@pytest.fixture
def hosts(database: str) -> Iterator[str]:
    """Return a database's address with a first host that accepts connections and says nothing, as a frozen one does."""
    given = conninfo_to_dict(database)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = f"{silent.getsockname()[1]},{given.get('port', 5432)}"
        yield make_conninfo(database, host=f"127.0.0.1,{given['host']}", port=ports)


def test_a_process_hears_others_by_way_of_the_second_host(hosts: str, database: str) -> None:
    async def test() -> None:
        async with listening(hosts) as payloads:
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(f"NOTIFY {CHANNEL}, 'hello'")
            assert await anext(payloads) == "hello"

    asyncio.run(test())


def test_commands_wait_for_each_host_as_long_as_the_url_says(hosts: str) -> None:
    with connect(make_conninfo(hosts, connect_timeout=2), autocommit=True) as connection:
        assert connection.info.get_parameters()["connect_timeout"] == "2"
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_commands_have_a_limit_of_their_own(database: str) -> None:
    with connect(database, autocommit=True) as connection:
        assert connection.info.get_parameters()["connect_timeout"] == "10"
