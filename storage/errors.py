"""The errors that storage raises. They know nothing of HTTP; `handlers/middleware/errors.py` translates them."""

from typing import Any


class NotFound(Exception):
    """The user has no such row. `resource` is the kind of row, such as "task"."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


class PreconditionFailed(Exception):
    """The row has a revision that the caller does not accept.

    `resource` is the kind of row, such as "task"; `current` is the current row, which has a `revision`.
    """

    def __init__(self, resource: str, current: Any) -> None:
        super().__init__(resource)
        self.resource = resource
        self.current = current


class Unavailable(Exception):
    """The database does not respond, or not in time. Whether a write was made is unknown."""


class Busy(Unavailable):
    """Too many statements of the same user are running. This one had no effect."""


class UnsuitableDatabase(Exception):
    """The database responds but cannot serve. The message is a sentence for the operator."""
