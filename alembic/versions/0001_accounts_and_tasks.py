"""Accounts and tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, their indexes, and the extensions that the search index needs."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    op.create_table(
        "accounts",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tasks",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("due_date", sa.Date),
        sa.Column("tags", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    )
    op.execute("CREATE INDEX tasks_by_created_at ON tasks (user_id, created_at, id) WHERE deleted_at IS NULL")
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, (title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )


def downgrade() -> None:
    """Drop both tables. Keep the extensions, which other applications may use."""
    op.drop_table("tasks")
    op.drop_table("accounts")
