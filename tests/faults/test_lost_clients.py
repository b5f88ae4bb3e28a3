"""Clients of streams that vanish without a word do not keep their place for a quarter of an hour."""

import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from handlers.service.packet_filter import attach
from tests.support.client import User
from tests.support.events import streaming
from tests.support.server import serve

# A program for the kernel's socket filter that accepts no byte of any packet.
NOTHING = [(0x06, 0, 0, 0)]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's socket filters")]


def test_a_comment_every_15_seconds_shows_which_clients_are_gone(tmp_path: Path, database: str) -> None:
    with (
        serve(tmp_path, DATABASE_URL=database, EVENTS_PER_USER="1") as url,
        User(url, uuid4().hex) as gone,
        User(url, uuid4().hex) as there,
        streaming(gone) as lost,
        streaming(there, timeout=60) as kept,
    ):
        lost.next()
        attach(lost.response.extensions["network_stream"].get_extra_info("socket"), NOTHING)
        began = time.monotonic()
        kept.next()
        with User(url, gone.id) as returning:
            while returning.get("/changes", params={"sync_token": "0.0.0", "wait": 1}).status_code == 429:
                assert time.monotonic() - began < 75
                time.sleep(1)
        assert time.monotonic() - began > 14
        there.create()
        assert kept.next().data["revision"] == 1
        assert 2 <= len(kept.comments) <= 5
