"""The clients on the page `/sync` keep two devices in step, over a network that loses and doubles answers."""

import os
import random
import subprocess
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.better_auth import needs_node
from tests.support.client import mint
from tests.support.lossy_proxy import lossy_proxy
from tests.support.node import run

pytestmark = needs_node

# How many lines each file may have.
LIMITS = {
    "todo.ts": 65,
    "todo-map.ts": 35,
    "todo-send.ts": 60,
    "todo-tanstack.ts": 80,
    "todo-rxdb.ts": 80,
    "show-titles.ts": 20,
    "tasks-database.ts": 55,
}


def test_each_file_is_short(sync_files: dict[str, str]) -> None:
    lines = {name: len(text.splitlines()) for name, text in sync_files.items()}
    assert lines.keys() == LIMITS.keys()
    assert not {name: count for name, count in lines.items() if count > LIMITS[name]}


@pytest.mark.parametrize("client", ["map", "tanstack", "rxdb"])
def test_two_devices_that_edit_at_random_agree_in_the_end(sync_project: Path, server: str, client: str) -> None:
    user_id, seed = f"ada-{uuid4().hex}", int(os.environ.get("SYNC_SEED") or random.getrandbits(32))
    settings = {"USER_ID": user_id, "TOKEN": mint(user_id), "SEED": str(seed)}
    with lossy_proxy(server, seed) as network:
        done = run(sync_project, "node", f"{client}.js", API=server, NETWORK=network, **settings)
    assert done.returncode == 0, f"SYNC_SEED={seed}\n{done.stdout}"


def test_an_optimistic_edit_lasts_until_the_feed_has_it_or_is_rolled_back(sync_project: Path, server: str) -> None:
    user_id = f"ada-{uuid4().hex}"
    done = run(sync_project, "node", "optimistic.js", API=server, USER_ID=user_id, TOKEN=mint(user_id))
    assert done.returncode == 0, done.stdout


def test_edits_made_offline_arrive_and_what_is_refused_leaves_the_device_as_the_server_is(
    sync_project: Path, server: str
) -> None:
    user_id = f"ada-{uuid4().hex}"
    done = run(sync_project, "node", "offline.js", API=server, USER_ID=user_id, TOKEN=mint(user_id))
    assert done.returncode == 0, done.stdout


def test_after_a_reset_the_stores_drop_what_the_server_lost_and_keep_edits(
    sync_project: Path, server: str, database: str
) -> None:
    user_id = f"ada-{uuid4().hex}"
    settings = {"PATH": os.environ["PATH"], "API": server, "USER_ID": user_id, "TOKEN": mint(user_id)}
    node = ["node", "reset.js"]
    with subprocess.Popen(
        node, cwd=sync_project, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"ready\n"
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DELETE FROM tasks WHERE user_id = %s AND title = 'Lost'", [user_id])
            connection.execute("UPDATE accounts SET epoch = epoch + 1 WHERE user_id = %s", [user_id])
        output, _ = client.communicate(b"go on\n", timeout=60)
    assert client.returncode == 0, output.decode()
