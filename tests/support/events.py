"""A client of event streams, which parses them as the WHATWG HTML standard, section 9.2.6, says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from tests.support.client import User


class Event(NamedTuple):
    """An event: its name, its data, parsed as JSON, and its own `id`, or None."""

    name: str
    data: Any
    id: str | None


class Stream:
    """An open stream. `retry` is the last reconnection time in it, in milliseconds, and `comments` are all of them."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.retry: int | None = None
        self.comments: list[str] = []
        self._events = self._parse(response.iter_lines())

    def __iter__(self) -> Iterator[Event]:
        """Yield the events until the server ends the stream. Raises httpx.ReadTimeout if none comes in time."""
        return self._events

    def next(self) -> Event:
        """Return the next event."""
        return next(self._events)

    def _parse(self, lines: Iterator[str]) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line and not name:
                self.comments.append(value)
            elif name == "retry":
                self.retry = int(value)
            elif line:
                fields[name] = value
            elif fields:
                yield Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                fields = {}


@contextmanager
def streaming(user: User, timeout: float = 5, **options: Any) -> Iterator[Stream]:
    """Open a stream of the user's events, and close it in the end. The timeout is for each read, in seconds."""
    path = f"/api/{user.id}/events"
    with user.http.stream("GET", path, timeout=timeout, **options) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)
