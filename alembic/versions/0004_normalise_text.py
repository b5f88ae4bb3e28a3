"""Normalise titles, descriptions and tags to NFC, as the service does with the text that it receives."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from unicodedata import combining, normalize
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Tasks in a batch. Until it is committed, their user's writes wait: 0.3 s if each has the longest description.
_BATCH = 50
_FIND = sa.text("""
    SELECT user_id, array_agg(id) FROM tasks
    WHERE title IS NOT NFC NORMALIZED OR description IS NOT NFC NORMALIZED
        OR array_to_string(tags, ' ') IS NOT NFC NORMALIZED
    GROUP BY user_id ORDER BY user_id""")
_LOCK = sa.text("SELECT FROM accounts WHERE user_id = :user_id FOR UPDATE")
_READ = sa.text("SELECT id, title, description, tags FROM tasks WHERE user_id = :user_id AND id = ANY(:ids)")
_WRITE = sa.text("""
    UPDATE tasks SET title = :title, description = :description, tags = :tags WHERE user_id = :user_id AND id = :id""")


def upgrade() -> None:
    """Normalise what is stored, in batches that are committed one by one. Revisions and times stay as they are.

    If it is interrupted, the next run continues with what is left. It does not see text that the previous release
    writes during a rollout: that text stays as it was sent.
    """
    # The connection of the migrations only holds their lock until the batches are done.
    op.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    with op.get_bind().engine.connect() as connection:
        with connection.begin():
            found = connection.execute(_FIND).all()
        for user_id, ids in found:
            for first in range(0, len(ids), _BATCH):
                with connection.begin():
                    _normalise(connection, user_id, ids[first : first + _BATCH])


def _normalise(connection: sa.Connection, user_id: str, ids: Sequence[UUID]) -> None:
    # Like every write. The tasks are read once no other write can change them.
    connection.execute(_LOCK, {"user_id": user_id})
    rows = connection.execute(_READ, {"user_id": user_id, "ids": ids}).mappings().all()
    if rows:
        connection.execute(_WRITE, [{"user_id": user_id, **row, **_normalised(**row)} for row in rows])


def _normalised(title: str, description: str | None, tags: list[str], **_: object) -> dict[str, Any]:
    """Return a task's text in NFC. Tags that become equal are one tag, in the place of the first."""
    return {
        "title": _nfc(title, 200),
        "description": None if description is None else _nfc(description, 10_000),
        "tags": list(dict.fromkeys(_nfc(tag, 50) for tag in tags)),
    }


def _nfc(text: str, most: int) -> str:
    """Return the text in NFC, or as it is if it would then have more code points than the contract allows."""
    normalised = normalize("NFC", _in_order(text))
    return normalised if len(normalised) <= most else text


def _in_order(text: str) -> str:
    """Return an equivalent text with its marks in canonical order, which `normalize` needs quadratic time to make."""
    letters = "".join(normalize("NFD", letter) for letter in text)
    runs = groupby(letters, lambda letter: combining(letter) > 0)
    return "".join(letter for _, run in runs for letter in sorted(run, key=combining))


def downgrade() -> None:
    """Keep the normalised text, which every release can read."""
