"""The tables (SQLAlchemy Core). Every key begins with `user_id`, so that the same schema can be distributed by it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
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
    Column("tags", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
)

is_live = tasks.c.deleted_at.is_(None)

# Literals, not parameters: PostgreSQL matches an expression to its index only when both are written the same.
# No text in lower case has a capital letter, so that nothing that is searched for straddles title and description.
searched_text = (
    func.lower(tasks.c.title, type_=Text)
    .concat(literal_column("'X'"))
    .concat(func.lower(func.coalesce(tasks.c.description, literal_column("''")), type_=Text))
)

Index("tasks_by_created_at", tasks.c.user_id, tasks.c.created_at, tasks.c.id, postgresql_where=is_live)
Index(
    "tasks_by_searched_text",
    tasks.c.user_id,
    # Written as PostgreSQL repeats it, which is how `alembic check` compares it.
    literal_column("((lower(title) || 'X'::text) || lower(COALESCE(description, ''::text)))").label("text"),
    postgresql_using="gin",
    postgresql_ops={"text": "gin_trgm_ops"},
    postgresql_where=is_live,
)
