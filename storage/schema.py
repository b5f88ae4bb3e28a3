"""The tables, in SQLAlchemy Core.

Every key begins with `user_id`, so the same schema can be distributed by it across servers (Citus).
"""

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

# Literals, not parameters: PostgreSQL uses an expression index only if the query contains the same expression.
# The capital X separates title and description. A search term in lower case never contains it, so no match can
# start in the title and end in the description.
searched_text = (
    func.lower(tasks.c.title, type_=Text)
    .concat(literal_column("'X'"))
    .concat(func.lower(func.coalesce(tasks.c.description, literal_column("''")), type_=Text))
)

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
