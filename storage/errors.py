"""What storage can refuse. None of these knows HTTP; `handlers/middleware/errors.py` translates them."""

from typing import Any


class NotFound(Exception):
    """The user has no such row."""


class PreconditionFailed(Exception):
    """The row is in another revision than the caller requires.

    `current` is the row as it is now.
    """

    def __init__(self, current: Any) -> None:
        super().__init__()
        self.current = current


class Unavailable(Exception):
    """The database does not answer, or not in time. Whether a write was made is not known."""


class UnsuitableDatabase(Exception):
    """The database is there but cannot serve. The message is a sentence for the operator."""
