"""A device that works offline and synchronises when it can: an example of a client, as an app would have it."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import httpx

from tests.support.client import Json, User
from tests.support.sync.edits import Edit
from tests.support.sync.store import Accepted, Answer, Conflict, Push, Store


class NoAnswer(Exception):
    """The server did not answer, or was not able to serve the request. Whether a write took place is unknown."""


class Device:
    """A device of a user. `dice` choose the ids of tasks and the keys, so that a run can be repeated."""

    def __init__(self, user: User, dice: Random) -> None:
        self.store = Store()
        self.resets = 0
        self._user = user
        self._dice = dice

    def new_id(self) -> str:
        """Return a random UUID for a task or a key."""
        return str(UUID(int=self._dice.getrandbits(128), version=4))

    def sync(self, limit: int = 500, wait: int = 0) -> bool:
        """Send the edits, then fetch the changes. Return whether both succeeded; what failed is for the next time."""
        is_sent = self._attempt(self._push)
        return self._attempt(partial(self._pull, limit, wait)) and is_sent

    @staticmethod
    def _attempt(work: Callable[[], None]) -> bool:
        try:
            work()
        except NoAnswer:
            return False
        return True

    def _push(self) -> None:
        while push := self.store.next_push(self.new_id()):
            is_creation = len(push.edits) == 1 and push.edits[0].op == "create"
            # Whether there is a parent may change between two attempts. A batch keeps its answer.
            is_alone = is_creation and "parent_id" not in push.edits[0].members
            self.store.note(self._put(push.edits[0]) if is_alone else self._run_batch(push))

    def _put(self, edit: Edit) -> Answer:
        """Create a task. Only this device knows its id, so if the server has it, an earlier attempt has succeeded.

        Without `If-None-Match`, another attempt would overwrite what other devices have changed since the first one.
        """
        response = self._send("PUT", f"/tasks/{edit.task_id}", json=edit.members, headers={"If-None-Match": "*"})
        # Another device may have deleted the task since: 409.
        assert response.status_code in (201, 409, 412), response.text
        task = response.json() if response.status_code == 201 else response.json().get("task")
        revision = task["revision"] if task else 0
        return Answer(revision, None, [Accepted(edit, revision)], [])

    def _run_batch(self, push: Push) -> Answer:
        body = {"mode": "independent", "operations": [edit.operation() for edit in push.edits]}
        response = self._send("POST", "/batch", json=body, headers={"Idempotency-Key": push.key})
        assert response.status_code == 200, response.text
        answer = Answer(response.json()["revision"], push.key, [], [])
        for edit, result in zip(push.edits, response.json()["results"], strict=True):
            if "problem" in result:
                answer.conflicts.append(Conflict(edit, result["problem"]))
            else:
                task = result.get("task") or {"revision": answer.revision}
                answer.accepted.append(Accepted(edit, task["revision"]))
        return answer

    def _pull(self, limit: int, wait: int) -> None:
        has_more = True
        while has_more:
            page = self._fetch_page(limit, wait)
            self.store.receive(page)
            has_more = page["has_more"]

    def _fetch_page(self, limit: int, wait: int) -> Json:
        token = self.store.copy.token
        query: dict[str, Any] = {"limit": limit, "wait": wait} | ({"sync_token": token} if token else {})
        response = self._send("GET", "/changes", params=query)
        if response.status_code == 410 and token is not None:
            self.resets += 1
            self.store.start_over()
            return self._fetch_page(limit, wait)
        assert response.status_code == 200, response.text
        return response.json()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request. Raises NoAnswer if it is worth repeating."""
        try:
            response = self._user.request(method, path, **options)
        except httpx.TransportError as error:
            raise NoAnswer from error
        if response.status_code in (429, 503):
            raise NoAnswer
        return response
