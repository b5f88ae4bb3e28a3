"""The user that a request acts for."""

from datetime import datetime
from typing import TypedDict


class Principal(TypedDict):
    """The user that a valid token names, and how long the token is valid. Times are in UTC."""

    user_id: str
    email: str | None
    name: str | None
    issued_at: datetime | None
    expires_at: datetime
