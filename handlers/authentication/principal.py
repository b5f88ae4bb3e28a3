"""Whom a request speaks for."""

from datetime import datetime
from typing import TypedDict


class Principal(TypedDict):
    """Whom a valid token speaks for, and for how long. `user_id` is the token's `sub`."""

    user_id: str
    email: str | None
    name: str | None
    issued_at: datetime | None
    expires_at: datetime
