"""Many tasks of a user, inserted by SQL: through the API they would take a minute."""

import psycopg

from tests.support.client import User

_INSERT = """
    INSERT INTO tasks (user_id, id, revision, title, description, completed, priority, tags, created_at, updated_at)
    SELECT %(user)s, gen_random_uuid(), n, 'task ' || n, %(description)s, false, 2, %(tags)s, time, time
    FROM generate_series(1, %(number)s) AS n, LATERAL (SELECT now() - (%(number)s - n) * interval '1 ms' AS time) AS t
"""


def insert_tasks(database: str, user: User, number: int, tags: list[str], description: str | None = None) -> None:
    """Store this many tasks of a user who has none, with revisions in the order of their creation."""
    values = {"user": user.id, "number": number, "tags": tags, "description": description}
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO accounts (user_id, revision) VALUES (%s, %s)", [user.id, number])
        connection.execute(_INSERT, values)


def revisions(database: str, user: User) -> list[int]:
    """Return the revisions of all of the user's tasks, in the order of creation."""
    with psycopg.connect(database) as connection:
        statement = "SELECT revision FROM tasks WHERE user_id = %s ORDER BY created_at, id"
        return [revision for (revision,) in connection.execute(statement, [user.id])]


def has_account(database: str, user: User) -> bool:
    """Return whether the user has ever written."""
    with psycopg.connect(database) as connection:
        return bool(connection.execute("SELECT FROM accounts WHERE user_id = %s", [user.id]).rowcount)
