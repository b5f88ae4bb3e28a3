"""The tables, in SQLAlchemy Core.

Every key begins with `user_id`, so the same schema can be distributed by it across servers (Citus).
"""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Index,
    Label,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
    and_,
    cast,
    extract,
    false,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", Text, primary_key=True),
    # By default that of the account's first write. Restoring a backup must raise it (`todo-api reset-sync`).
    Column("revision", BigInteger, nullable=False, server_default=literal_column("1")),
    # The greatest revision of a purged tombstone. A client that last synchronised before it has missed a deletion.
    Column("purged", BigInteger, nullable=False, server_default=literal_column("0")),
    # Which history the revisions belong to. Restoring a backup must change it (`todo-api reset-sync`).
    Column("epoch", BigInteger, nullable=False, server_default=literal_column("floor(random() * 2147483647) + 1")),
)

tasks = Table(
    "tasks",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("completed", Boolean, nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("priority", SmallInteger, nullable=False),
    Column("due_date", Date),
    # The time on a clock: in this zone, or in whichever one the reader is. There is none without a date.
    Column("due_time", Time),
    Column("time_zone", Text),
    # What date, time and zone mean by the rules of today (`todo-api recompute`). NULL unless all three are there.
    Column("due_at", DateTime(timezone=True)),
    # The rule of a recurring task, complete as the contract's `TaskRecurrence`. NULL unless there is a date.
    Column("recurrence", JSONB),
    Column("series_id", Uuid),
    # The day in the schedule, wherever `due_date` has been moved.
    Column("occurrence_date", Date),
    # What completing this occurrence created, and its revision then.
    Column("next_task_id", Uuid),
    Column("next_revision", BigInteger),
    Column("tags", ARRAY(Text), nullable=False),
    # NULL in the inbox.
    Column("list_id", Uuid),
    # The task that this one is a subtask of.
    Column("parent_id", Uuid),
    # Whether another task is or was its subtask. Unlike those, it is in the row that every write of the task locks.
    Column("is_parent", Boolean, nullable=False, server_default=false()),
    # NULL in what a release before 0.6.0 has created.
    Column("position", Text(collation="C")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    # The request that deleted the task. NULL in what a release before 0.4.0 deleted.
    Column("deletion_id", Uuid),
    # When the text of a deleted task was overwritten. The row is a tombstone from then on.
    Column("erased_at", DateTime(timezone=True)),
)

lists = Table(
    "lists",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("color", Text),
    # Compared by code points, as clients do.
    Column("position", Text(collation="C"), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    # The request that deleted the list, and its tasks with it.
    Column("deletion_id", Uuid),
    Column("erased_at", DateTime(timezone=True)),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # What the request had in common with its repetitions.
    Column("fingerprint", LargeBinary, nullable=False),
    # Its status, ids, counts and revisions, but no text.
    Column("answer", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("time_zone", Text),
    Column("week_start", Text, nullable=False),
    # Where new tasks come: `first` or `last`.
    Column("new_tasks", Text, nullable=False, server_default=literal_column("'last'")),
    Column("revision", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("job", Text, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

is_live = tasks.c.deleted_at.is_(None)
is_in_trash = and_(tasks.c.deleted_at.is_not(None), tasks.c.erased_at.is_(None))
is_live_list = lists.c.deleted_at.is_(None)
is_list_in_trash = and_(lists.c.deleted_at.is_not(None), lists.c.erased_at.is_(None))

# Literals, not parameters: PostgreSQL uses an expression index only if the query contains the same expression.
# The capital X separates title and description. A search term in lower case never contains it, so no match can
# start in the title and end in the description.
searched_text = (
    func.lower(tasks.c.title, type_=Text)
    .concat(literal_column("'X'"))
    .concat(func.lower(func.coalesce(tasks.c.description, literal_column("''")), type_=Text))
)

_utc = tasks.c.created_at.op("AT TIME ZONE")(literal_column("'UTC'"))
_creation = func.to_hex(cast(extract("epoch", _utc) * literal_column("1000000"), BigInteger))
# Until 2112, the microseconds since 1970 have up to 13 digits.
_padded = func.lpad(_creation, literal_column("13"), literal_column("'0'"))
position = func.coalesce(tasks.c.position, literal_column("'lg'").concat(_padded), type_=Text).label("position")
"""The position of a task. Tasks without one are in the order of their creation, before those that are created last."""

NIL: ColumnElement[UUID] = literal_column("'00000000-0000-0000-0000-000000000000'::uuid", Uuid)
list_or_nil: ColumnElement[UUID] = func.coalesce(tasks.c.list_id, NIL)
"""The list of a task, and an id for the inbox, which an index can find. A client may choose that id for a list too."""

Index("tasks_by_created_at", tasks.c.user_id, tasks.c.created_at, tasks.c.id, postgresql_where=is_live)
Index(
    "tasks_by_searched_text",
    tasks.c.user_id,
    # In the form in which PostgreSQL reports it, because `alembic check` compares the text.
    literal_column("((lower(title) || 'X'::text) || lower(COALESCE(description, ''::text)))").label("text"),
    postgresql_using="gin",
    postgresql_ops={"text": "gin_trgm_ops"},
    postgresql_where=is_live,
)
_place: Label[Any] = literal_column(
    "COALESCE(\"position\", 'lg'::text || lpad(to_hex((EXTRACT(epoch FROM (created_at AT TIME ZONE 'UTC'::text))"
    " * 1000000::numeric)::bigint), 13, '0'::text))"
).label("place")
# For the neighbours of a place to which a task is moved.
Index(
    "tasks_by_position",
    tasks.c.user_id,
    literal_column("COALESCE(list_id, '00000000-0000-0000-0000-000000000000'::uuid)").label("list"),
    _place,
    tasks.c.id,
    postgresql_where=is_live,
)
# For the trash, for undoing a deletion, and for purging.
Index(
    "tasks_by_deleted_at",
    tasks.c.user_id,
    tasks.c.deleted_at,
    tasks.c.id,
    postgresql_where=tasks.c.deleted_at.is_not(None),
)
# No two live tasks are the same occurrence. After a completion, the next one may be due on the same day.
Index(
    "tasks_by_occurrence",
    tasks.c.user_id,
    tasks.c.series_id,
    tasks.c.occurrence_date,
    unique=True,
    postgresql_where=and_(
        tasks.c.series_id.is_not(None), is_live, tasks.c.recurrence["from"].astext == literal_column("'due'")
    ),
)
# For what has changed since a revision, deletions included.
Index("tasks_by_revision", tasks.c.user_id, tasks.c.revision)
# For the subtasks of a task, in their order, deleted ones included.
Index(
    "tasks_by_parent",
    tasks.c.user_id,
    tasks.c.parent_id,
    _place,
    tasks.c.id,
    postgresql_where=tasks.c.parent_id.is_not(None),
)
Index(
    "lists_by_deleted_at",
    lists.c.user_id,
    lists.c.deleted_at,
    lists.c.id,
    postgresql_where=lists.c.deleted_at.is_not(None),
)
Index("lists_by_revision", lists.c.user_id, lists.c.revision)
Index("idempotency_keys_by_created_at", idempotency_keys.c.created_at)
