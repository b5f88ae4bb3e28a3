"""The messages in which processes tell each other who has changed, and whether somebody watches, as payloads of NOTIFY.

PostgreSQL limits a payload to 7,999 bytes.
"""

import json
import time
from typing import NamedTuple

_MOST_BYTES = 7999


class Message(NamedTuple):
    """What a process says.

    `sender` is a name that no other process has. `watches` is whether somebody watches there, and `asks` whether it
    wants to know this of the others. The `users` may have changed; the first of them did `at`, in seconds since 1970.
    """

    sender: str
    watches: bool
    asks: bool
    at: float
    users: list[str]

    def payload(self) -> str:
        """Return the message as JSON, in ASCII."""
        return json.dumps(self, separators=(",", ":"))


def parse(payload: str) -> Message | None:
    """Return the message in a payload, None if it is no message, or one of another release."""
    try:
        message = Message(*json.loads(payload))
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = (str, bool, bool, float, list)
    is_valid = all(isinstance(value, kind) for value, kind in zip(message, kinds, strict=True))
    return message if is_valid and all(isinstance(user, str) for user in message.users) else None


class Outbox:
    """The users to announce, each once, in the order in which they changed."""

    def __init__(self) -> None:
        self._users: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many users there are."""
        return len(self._users)

    def add(self, user_id: str) -> None:
        """Add a user who has just changed."""
        if user_id not in self._users:
            self._users[user_id] = time.time()

    def take(self, sender: str, *, watches: bool, asks: bool) -> Message:
        """Return a message with as many users as fit into it, and remove them."""
        at = next(iter(self._users.values()), time.time())
        message = Message(sender, watches, asks, at, [])
        room = _MOST_BYTES - len(message.payload())
        for user_id in self._users:
            room -= len(json.dumps(user_id)) + 1
            if room < 0:
                break
            message.users.append(user_id)
        for user_id in message.users:
            del self._users[user_id]
        return message
