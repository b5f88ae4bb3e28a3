"""Whether announcements are heard: LISTEN does not work behind a connection pooler in transaction mode."""

from secrets import token_hex

from psycopg import sql

from storage.administration.connection import connect, failing_as

NOT_HEARD = (
    "LISTEN does not work through DATABASE_URL, as behind a connection pooler in transaction mode: what one worker or "
    "replica changes, the others look for every second, instead of hearing of it at once. A direct URL avoids that."
)
"""What an operator should know in this case."""
_SECONDS = 1.0


def hears(url: str) -> bool:
    """Return whether a session hears, within a second, what another session announces.

    One session would not prove it: a pooler in transaction mode passes on to a session what it announces itself. Raises
    Unavailable if the database does not respond, and UnsuitableDatabase if it refuses, as a replica does.
    """
    channel = f"todo_api_{token_hex(8)}"
    name = sql.Identifier(channel)
    with (
        failing_as("Announcements cannot be tried"),
        connect(url, autocommit=True) as listener,
        connect(url, autocommit=True) as other,
    ):
        listener.execute(sql.SQL("LISTEN {}").format(name))
        other.execute("SELECT pg_notify(%s, '')", [channel])
        is_heard = any(listener.notifies(timeout=_SECONDS, stop_after=1))
        # The pooler may keep the server's session, for others.
        listener.execute(sql.SQL("UNLISTEN {}").format(name))
        return is_heard
