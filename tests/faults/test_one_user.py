"""One user's slow statements occupy at most half of the connections, so that other users are served."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.support.client import mint
from tests.support.metrics import eventually
from tests.support.postgres import new_database
from tests.support.server import free_port, serve
from tests.support.sessions import Observer, observe, until

# Ada's reads wait as long as the gate is closed, whatever their plan.
SLOW = """
    ALTER TABLE tasks RENAME TO all_tasks;
    CREATE FUNCTION passes_the_gate() RETURNS boolean LANGUAGE sql AS $$
        SELECT true FROM pg_advisory_xact_lock_shared(1)
    $$;
    CREATE VIEW tasks AS SELECT * FROM all_tasks WHERE CASE WHEN user_id = 'ada' THEN passes_the_gate() ELSE true END;
"""
CREATE = """
    INSERT INTO accounts SELECT name, 1 FROM unnest('{ada,grace}'::text[]) AS name;
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT user_id, '019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41', 1, 'A task', false, 2, '{}', now(), now() FROM accounts;
"""
READ = (200, None)
HELD_BACK = (503, "Too many of your requests are still being processed.")


async def get(client: httpx.AsyncClient, user: str) -> tuple[int, str | None]:
    """Read the user's task, and return the status, and the detail of a problem."""
    path = f"/api/{user}/tasks/019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
    response = await client.get(path, headers={"Authorization": f"Bearer {mint(user)}"})
    return response.status_code, response.json().get("detail")


async def beside_the_slow_user(server: str, observer: Observer) -> None:
    """Have Ada send 20 reads that wait, and Grace reads that do not."""
    async with httpx.AsyncClient(base_url=server, timeout=20) as client:
        with observer.gate():
            slow = [asyncio.create_task(get(client, "ada")) for _ in range(20)]
            await until(lambda: len(observer.waiting()) == 2)
            while sum(one.done() for one in slow) < 18:
                assert await get(client, "grace") == READ
                assert len(observer.waiting()) <= 2
                await asyncio.sleep(0.01)
        assert Counter(await asyncio.gather(*slow)) == {READ: 2, HELD_BACK: 18}
        assert Counter(await asyncio.gather(*(get(client, "ada") for _ in range(20)))) == {READ: 20}


def test_other_users_are_served_while_one_users_reads_wait(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    port = str(free_port())
    settings = {"DATABASE_URL": url, "DATABASE_POOL_MAX_SIZE": "4", "METRICS_PORT": port}
    with serve(tmp_path, **settings) as server, observe(url) as observer:
        observer.execute(CREATE)
        observer.execute(SLOW)
        asyncio.run(beside_the_slow_user(server, observer))
        eventually(port, lambda samples: samples["todo_api_database_failures_total", "share"] == 18)
