"""The service and its database crash at random moments; clients repeat what was not answered, and it happens once."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest

from tests.support.client import User
from tests.support.crashes import PATIENCE, crash_postgres, kill_service, wait_for_recovery
from tests.support.postgres import private_postgres
from tests.support.server import free_port, start

CLIENTS = 6
Json = Any


class Write(NamedTuple):
    """A request to repeat until it is answered."""

    method: str
    path: str
    body: Json = None
    query: Mapping[str, str] | None = None


class Phone:
    """A client that does one thing after another, and what its tasks and its revision must be in the end."""

    def __init__(self, server: str, number: int) -> None:
        self.user = User(server, f"phone-{number}")
        self.titles: list[str] = []
        self.revision = 0
        self.answers: Counter[str] = Counter()
        self._dice = random.Random(number)  # noqa: S311 - the same choices in every run

    def use(self, crashing: threading.Event) -> None:
        """Write until the crashes are over."""
        intents = [self._create, self._put, self._run_batch, self._delete_and_undo, self._change_many]
        number = 0
        while not crashing.is_set():
            number += 1
            self._dice.choice(intents)(f"{self.user.id} {number}")

    def _create(self, title: str) -> None:
        self._send(Write("POST", "/tasks", {"title": title}), title)
        self._expect(1, title)

    def _put(self, title: str) -> None:
        self._send(Write("PUT", f"/tasks/{self._new_id()}", {"title": title}))
        self._expect(1, title)

    def _run_batch(self, title: str) -> None:
        task_id = self._new_id()
        operations = [
            {"op": "create", "task": {"title": f"{title} a"}},
            {"op": "create", "id": task_id, "task": {"title": f"{title} b"}},
        ]
        answer = self._send(Write("POST", "/batch", {"operations": operations}), title).json()
        assert [one["status"] for one in answer["results"]] == [201, 201]
        self._expect(2, f"{title} a", f"{title} b")

    def _delete_and_undo(self, title: str) -> None:
        created = {"operations": [{"op": "create", "task": {"title": title, "tags": [title]}}] * 3}
        self._send(Write("POST", "/batch", created), f"{title} created")
        deleted = self._send(Write("DELETE", "/tasks", query={"tags": title}), f"{title} deleted").json()
        assert deleted["changed"] == 3
        self._send(Write("POST", "/trash/restore", {"deletion_id": deleted["deletion_id"]}))
        self._expect(9, *[title] * 3)

    def _change_many(self, title: str) -> None:
        created = {"operations": [{"op": "create", "task": {"title": title, "tags": [title]}}] * 2}
        self._send(Write("POST", "/batch", created), f"{title} created")
        changed = self._send(
            Write("PATCH", "/tasks", {"completed": True}, {"tags": title}), f"{title} completed"
        ).json()
        renamed = self._send(
            Write("PATCH", "/tags", {"name": f"{title} new"}, {"name": title}), f"{title} renamed"
        ).json()
        removed = self._send(Write("DELETE", "/tags", query={"name": f"{title} new"}), f"{title} removed").json()
        assert [one["changed"] for one in (changed, renamed, removed)] == [2, 2, 2]
        self._expect(8, title, title)

    def _send(self, write: Write, key: str | None = None) -> httpx.Response:
        """Send a request until it is answered. The key is its number: the client makes no other with it."""
        headers = {"Idempotency-Key": key.replace(" ", ":")} if key else {}
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                response = self.user.request(
                    write.method, write.path, json=write.body, params=write.query, headers=headers
                )
                self.answers[f"{response.status_code}{' again' * ('Idempotency-Replayed' in response.headers)}"] += 1
                if response.status_code != 503:
                    assert response.is_success, response.text
                    return response
            self.answers["none"] += 1
            time.sleep(0.05)
        raise TimeoutError(write)

    def _new_id(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))

    def _expect(self, revisions: int, *titles: str) -> None:
        self.revision += revisions
        self.titles += titles

    def check(self) -> None:
        """Compare what the API returns with what the client has done."""
        found, query = [], {"limit": "100"}
        while True:
            page = self.user.get("/tasks", params=query)
            found += [task["title"] for task in page.json()["tasks"]]
            if (cursor := page.json()["next_cursor"]) is None:
                break
            query["cursor"] = cursor
        assert Counter(found) == Counter(self.titles)
        assert page.headers["ETag"] == f'W/"{self.revision}"'


def crash_under_load(directory: Path, crashes: int) -> None:
    """Crash service and database in turn while clients write, and compare their accounts with what they did."""
    port, dice, over = free_port(), random.Random(0), threading.Event()  # noqa: S311 - the same pauses in every run
    with ExitStack() as stack, private_postgres() as url, ThreadPoolExecutor(CLIENTS) as threads:
        service = stack.enter_context(start(directory, DATABASE_URL=url, PORT=str(port)))
        phones = [Phone(service.url, number) for number in range(CLIENTS)]
        using = [threads.submit(phone.use, over) for phone in phones]
        try:
            for number in range(crashes):
                time.sleep(0.3 + dice.random())
                if number % 2 == 0:
                    crash_postgres(url)
                else:
                    kill_service(service)
                    wait_for_recovery(url)
                    service = stack.enter_context(start(directory, DATABASE_URL=url, PORT=str(port)))
        finally:
            over.set()
        for one in using:
            one.result()
        print(sum((phone.answers for phone in phones), Counter[str]()))  # noqa: T201 - shown if it fails
        for phone in phones:
            phone.check()
            phone.user.http.close()


def test_what_is_repeated_until_it_is_answered_happens_once(tmp_path: Path) -> None:
    crash_under_load(tmp_path, 4)


@pytest.mark.slow
def test_what_is_repeated_until_it_is_answered_happens_once_through_40_crashes(tmp_path: Path) -> None:
    crash_under_load(tmp_path, 40)
