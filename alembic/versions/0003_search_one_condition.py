"""The index for search keeps title and description apart, so that what it finds needs no other condition."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new index, and only then drop the old one: writes wait for the first, reads for the second.

    The release before searches without the old one, too, if slowly: it reads all of a user's tasks.
    """
    op.execute(
        "CREATE INDEX tasks_by_searched_text ON tasks USING gin "
        "(user_id, (lower(title) || 'X' || lower(coalesce(description, ''))) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
    op.drop_index("tasks_by_text", "tasks")


def downgrade() -> None:
    """Make the index of both as one text."""
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, lower(title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
    op.drop_index("tasks_by_searched_text", "tasks")
