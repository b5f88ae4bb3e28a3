"""Sync tokens, as text: `<epoch>.<revision>.<baseline>`. Clients must not rely on it."""

from storage.changes import Head, SyncToken, caught_up


def read_token(text: str | None) -> SyncToken | None:
    """Return a token whose form has been validated by the contract; None if there is none, or if it is empty."""
    return SyncToken(*map(int, text.split("."))) if text else None


def write_token(token: SyncToken) -> str:
    """Return a token as text."""
    return f"{token.epoch}.{token.revision}.{token.baseline}"


def token_at(head: Head) -> str:
    """Return the token of a client that has everything up to the head."""
    return write_token(caught_up(head))
