"""Due times, time zones and the users' preferences."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table.

    During a rollout, the previous release changes the date of a task and leaves `due_at` as it is, until its date or
    time changes again, or until `todo-api recompute`.
    """
    op.add_column("tasks", sa.Column("due_time", sa.Time))
    op.add_column("tasks", sa.Column("time_zone", sa.Text))
    op.add_column("tasks", sa.Column("due_at", sa.DateTime(timezone=True)))
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("time_zone", sa.Text),
        sa.Column("week_start", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("preferences")
    op.drop_column("tasks", "due_at")
    op.drop_column("tasks", "time_zone")
    op.drop_column("tasks", "due_time")
