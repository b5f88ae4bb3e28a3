"""Recurring tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = {
    "recurrence": postgresql.JSONB,
    "series_id": sa.Uuid,
    "occurrence_date": sa.Date,
    "next_task_id": sa.Uuid,
    "next_revision": sa.BigInteger,
}


def upgrade() -> None:
    """Add the columns and the index. It reads all tasks, and blocks writes meanwhile.

    During a rollout, the previous release completes a recurring task without creating the next occurrence.
    """
    for name, kind in _COLUMNS.items():
        op.add_column("tasks", sa.Column(name, kind))
    is_indexed = sa.text("series_id IS NOT NULL AND deleted_at IS NULL AND recurrence ->> 'from' = 'due'")
    names = ["user_id", "series_id", "occurrence_date"]
    op.create_index("tasks_by_occurrence", "tasks", names, unique=True, postgresql_where=is_indexed)


def downgrade() -> None:
    """Drop what was added. Tasks recur no more."""
    op.drop_index("tasks_by_occurrence", "tasks")
    for name in reversed(_COLUMNS):
        op.drop_column("tasks", name)
