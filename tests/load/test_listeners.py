"""The bench times every event, and a stream or a waiting request that was lost does not pass for an idle one."""

import asyncio

import pytest

from tests.load.delays import delays_of, send_writes
from tests.load.idle import event_requests
from tests.load.listeners import Stream, streaming, waiting
from tests.load.operations import request
from tests.support.client import User


def test_each_write_is_timed_on_each_stream_of_its_user(server: str, ada: User, grace: User) -> None:
    users = [ada.id, ada.id, grace.id]

    async def measure() -> tuple[list[Stream], list[float | None]]:
        async with streaming(server, event_requests(users)) as streams:
            writes = await send_writes(server, [ada.id], 1)
            await asyncio.sleep(1)
            assert len(writes.answered[ada.id]) == 200
            return streams, list(delays_of(zip(users, streams, strict=True), writes.answered))

    streams, delays = asyncio.run(measure())
    assert len(delays) == 400
    assert all(one is not None and -1000 < one < 1000 for one in delays)
    assert [one.arrivals[-1:] != [] for one in streams] == [True, True, False]


def test_an_event_reports_all_writes_up_to_its_revision() -> None:
    async def delays() -> list[float | None]:
        stream = Stream(b"")
        stream.arrivals = [(10.1, 5), (10.3, 7)]
        return list(delays_of([("ada", stream), ("grace", stream)], {"ada": {4: 10.0, 6: 10.0, 7: 10.2, 8: 10.2}}))

    assert asyncio.run(delays()) == [pytest.approx(100), pytest.approx(300), pytest.approx(100), None]


def test_a_stream_that_is_refused_ends_the_run(server: str, ada: User) -> None:
    async def open_one() -> None:
        (good,) = event_requests([ada.id])
        async with streaming(server, [good, good.replace(b"Bearer ", b"Bearer no-")]):
            pass

    with pytest.raises(RuntimeError, match=r"refused: .* 401"):
        asyncio.run(open_one())


def test_a_stream_that_has_ended_ends_the_run(server: str, ada: User) -> None:
    async def lose_one() -> None:
        async with streaming(server, event_requests([ada.id] * 2)) as streams:
            streams[0].close()
            await asyncio.sleep(0.1)

    with pytest.raises(RuntimeError, match="1 of 2 streams have ended"):
        asyncio.run(lose_one())


def test_a_waiting_request_is_sent_again_until_it_fails(server: str, ada: User, grace: User) -> None:
    async def wait(sent: bytes) -> None:
        async with waiting(server, [sent]):
            await asyncio.sleep(1.5)

    ada.create()
    token = ada.get("/changes").json()["sync_token"]
    asyncio.run(wait(request("GET", ada.id, f"/changes?wait=1&sync_token={token}")))
    with pytest.raises(RuntimeError, match="410"):
        asyncio.run(wait(request("GET", grace.id, f"/changes?wait=1&sync_token={token}")))
