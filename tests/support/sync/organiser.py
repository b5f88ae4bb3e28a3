"""A user who creates, renames, archives, deletes and restores lists, while other devices edit tasks."""

from random import Random

import httpx

from tests.support.client import Json, User

# So that few writes are rejected because there are too many.
MOST_LISTS = 20


class Organiser:
    """Writes lists at random. What becomes of a write does not matter: the database notes those that took place."""

    def __init__(self, user: User, dice: Random) -> None:
        self._user = user
        self._dice = dice
        self._deleted: list[str] = []

    def work(self, writes: int) -> None:
        """Write so many times, unless the server does not answer."""
        try:
            for _ in range(writes):
                self._write()
        except httpx.TransportError:
            return

    def _write(self) -> None:
        there = self._user.get("/lists", params={"archived": "include"})
        if there.status_code != 200:
            return
        lists, text = there.json()["lists"], f"List {self._dice.randrange(1000)}"
        if self._deleted and self._dice.random() < 0.2:
            self._send("POST", f"/{self._dice.choice(self._deleted)}/restore")
        elif len(lists) < MOST_LISTS and self._dice.random() < 0.4:
            self._send("POST", "", json={"name": text})
        elif lists:
            self._change(self._dice.choice(lists), text)

    def _change(self, one: Json, text: str) -> None:
        match self._dice.choice(["rename", "archive", "delete"]):
            case "rename":
                self._send("PATCH", f"/{one['id']}", json={"name": text})
            case "archive":
                self._send("PATCH", f"/{one['id']}", json={"archived": not one["archived"]})
            case _:
                self._deleted.append(one["id"])
                self._send("DELETE", f"/{one['id']}")

    def _send(self, method: str, path: str, **options: Json) -> None:
        response = self._user.request(method, f"/lists{path}", **options)
        assert response.status_code in (200, 201, 204, 404, 429, 503), response.text
