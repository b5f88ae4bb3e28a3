"""Subtasks."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and an index on subtasks, of which there are none yet. It reads all tasks, and blocks writes.

    During a rollout, the previous release deletes, moves and completes a task without its subtasks.
    """
    op.add_column("tasks", sa.Column("parent_id", sa.Uuid))
    op.add_column("tasks", sa.Column("is_parent", sa.Boolean, nullable=False, server_default=sa.false()))
    position = (
        "coalesce(position, "
        "'lg' || lpad(to_hex((extract(epoch FROM created_at AT TIME ZONE 'UTC') * 1000000)::bigint), 13, '0'))"
    )
    names = f"user_id, parent_id, ({position}), id"
    op.execute(f"CREATE INDEX tasks_by_parent ON tasks ({names}) WHERE parent_id IS NOT NULL")


def downgrade() -> None:
    """Drop them. All tasks are at the top again."""
    op.drop_index("tasks_by_parent", "tasks")
    op.drop_column("tasks", "is_parent")
    op.drop_column("tasks", "parent_id")
