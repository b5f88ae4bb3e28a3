"""The order in which a user has arranged the tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and an index, which reads all tasks, and blocks writes meanwhile.

    Existing tasks, and those that the previous release creates during a rollout, have no position. They are in the
    order of their creation, so that none has to be written again.
    """
    op.add_column("preferences", sa.Column("new_tasks", sa.Text, nullable=False, server_default="last"))
    op.add_column("tasks", sa.Column("position", sa.Text(collation="C")))
    position = (
        "coalesce(position, "
        "'lg' || lpad(to_hex((extract(epoch FROM created_at AT TIME ZONE 'UTC') * 1000000)::bigint), 13, '0'))"
    )
    in_list = "coalesce(list_id, '00000000-0000-0000-0000-000000000000'::uuid)"
    op.execute(
        f"CREATE INDEX tasks_by_position ON tasks (user_id, ({in_list}), ({position}), id) WHERE deleted_at IS NULL"
    )


def downgrade() -> None:
    """Drop them. The order is lost."""
    op.drop_index("tasks_by_position", "tasks")
    op.drop_column("tasks", "position")
    op.drop_column("preferences", "new_tasks")
