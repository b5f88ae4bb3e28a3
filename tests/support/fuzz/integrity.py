"""Checks that the stored data satisfies the tables' constraints and the service's promises."""

import psycopg

# Adds each constraint a second time, for which PostgreSQL checks every row: a primary key as UNIQUE and NOT NULL as
# CHECK, because neither can be added twice.
CONSTRAINTS = r"""
SELECT format('ALTER TABLE %s ADD %s', conrelid::regclass, regexp_replace(
    replace(pg_get_constraintdef(oid), 'PRIMARY KEY', 'UNIQUE'), '^NOT NULL (.*)$', 'CHECK (\1 IS NOT NULL)'))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""

# amcheck raises an error if an index disagrees with its table.
INDEXES = """
SELECT CASE amname
    WHEN 'btree' THEN format('SELECT bt_index_check(%s, heapallindexed => true, checkunique => true)', class.oid)
    WHEN 'gin' THEN format('SELECT gin_index_check(%s)', class.oid) END
FROM pg_class class JOIN pg_am ON pg_am.oid = relam
WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace
"""

PROMISES = {
    "every task has an account, whose revision is at least the task's": """
        SELECT FROM tasks LEFT JOIN accounts USING (user_id)
        WHERE accounts.revision IS NULL OR accounts.revision < tasks.revision""",
    "no two tasks or lists of a user share a revision": """
        SELECT FROM (SELECT user_id, revision FROM tasks UNION ALL SELECT user_id, revision FROM lists)
        GROUP BY user_id, revision HAVING count(*) > 1""",
    "every list has an account, whose revision is at least the list's": """
        SELECT FROM lists LEFT JOIN accounts USING (user_id)
        WHERE accounts.revision IS NULL OR accounts.revision < lists.revision""",
    "a task is in a list that is there, or in none": """
        SELECT FROM tasks LEFT JOIN lists ON lists.user_id = tasks.user_id AND lists.id = tasks.list_id
        WHERE tasks.deleted_at IS NULL AND tasks.list_id IS NOT NULL
        AND (lists.id IS NULL OR lists.deleted_at IS NOT NULL)""",
    "a subtask is on one of three levels, below a task that is there and in the same list": """
        SELECT FROM tasks AS child LEFT JOIN tasks AS parent
        ON parent.user_id = child.user_id AND parent.id = child.parent_id
        LEFT JOIN tasks AS top ON top.user_id = parent.user_id AND top.id = parent.parent_id
        WHERE child.deleted_at IS NULL AND child.parent_id IS NOT NULL
        AND (parent.id IS NULL OR parent.deleted_at IS NOT NULL OR parent.list_id IS DISTINCT FROM child.list_id
        OR NOT parent.is_parent OR top.parent_id IS NOT NULL)""",
    "a subtask does not recur": "SELECT FROM tasks WHERE parent_id IS NOT NULL AND recurrence IS NOT NULL",
    "a list is within the contract's limits": r"""
        SELECT FROM lists WHERE char_length(name) > 100 OR name !~ '[^\s]' AND erased_at IS NULL
        OR name IS NOT NFC NORMALIZED OR char_length(position) > 255
        OR position !~ '^[-0-9A-Z_a-z]*[0-9A-Z_a-z]$' OR created_at > updated_at""",
    "an erased list is deleted, and its text is gone": """
        SELECT FROM lists WHERE erased_at IS NOT NULL AND (deleted_at IS NULL OR name <> '' OR color IS NOT NULL)""",
    "only a deleted list has a deletion, and each has one": """
        SELECT FROM lists WHERE (deletion_id IS NULL) <> (deleted_at IS NULL)""",
    "a later revision never has an earlier time": """
        SELECT FROM (SELECT updated_at < lag(updated_at) OVER (PARTITION BY user_id ORDER BY revision) AS back
            FROM tasks)
        WHERE back""",
    "a task has a time of completion if and only if it is completed": """
        SELECT FROM tasks WHERE completed <> (completed_at IS NOT NULL)""",
    "only a task with a date has a time, and an instant if and only if the time is in a zone": """
        SELECT FROM tasks WHERE due_date IS NULL AND (due_time IS NOT NULL OR time_zone IS NOT NULL)
        OR (due_at IS NOT NULL) <> (due_time IS NOT NULL AND time_zone IS NOT NULL)""",
    "a task is created first, then changed, and deleted last": """
        SELECT FROM tasks WHERE created_at > updated_at OR completed_at > updated_at OR deleted_at <> updated_at""",
    "a task is within the contract's limits": r"""
        SELECT FROM tasks WHERE priority NOT BETWEEN 1 AND 3 OR char_length(title) > 200
        OR title !~ '[^\s]' AND erased_at IS NULL
        OR char_length(description) > 10000 OR cardinality(tags) > 20
        OR cardinality(tags) <> (SELECT count(DISTINCT tag) FROM unnest(tags) AS tag)""",
    "an erased task is deleted, and its text is gone": """
        SELECT FROM tasks WHERE erased_at IS NOT NULL
        AND (deleted_at IS NULL OR title <> '' OR description IS NOT NULL OR tags <> '{}')""",
    "only a deleted task has a deletion": """
        SELECT FROM tasks WHERE deletion_id IS NOT NULL AND deleted_at IS NULL""",
    "the text of a task is in Normalization Form C": """
        SELECT FROM tasks WHERE title IS NOT NFC NORMALIZED OR description IS NOT NFC NORMALIZED
        OR EXISTS (SELECT FROM unnest(tags) AS tag WHERE tag IS NOT NFC NORMALIZED)""",
}


TABLES = (
    "SELECT accounts::text FROM accounts ORDER BY 1",
    "SELECT tasks::text FROM tasks ORDER BY 1",
    "SELECT lists::text FROM lists ORDER BY 1",
    "SELECT preferences::text FROM preferences ORDER BY 1",
    "SELECT idempotency_keys::text FROM idempotency_keys ORDER BY 1",
)


def check_integrity(url: str) -> None:
    """Fail unless every row satisfies its constraints, every index matches its table, and every promise holds."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION amcheck")
        for statements in (CONSTRAINTS, INDEXES):
            for (statement,) in connection.execute(statements.encode()).fetchall():
                connection.execute(statement)
        for promise, offenders in PROMISES.items():
            assert connection.execute(offenders.encode()).fetchall() == [], promise
        connection.rollback()


def rows(url: str) -> list[str]:
    """Return each row of each table as text."""
    with psycopg.connect(url, client_encoding="UTF8") as connection:
        return [row for table in TABLES for (row,) in connection.execute(table.encode())]
