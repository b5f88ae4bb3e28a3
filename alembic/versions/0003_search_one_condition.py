"""Separate title and description in the search index, so that a search needs only one condition."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the new index before dropping the old one: creating blocks only writes, dropping also blocks reads.

    During a rollout, the previous release searches without its index, which is slow: it reads all tasks of a user.
    """
    op.execute(
        "CREATE INDEX tasks_by_searched_text ON tasks USING gin "
        "(user_id, (lower(title) || 'X' || lower(coalesce(description, ''))) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
    op.drop_index("tasks_by_text", "tasks")


def downgrade() -> None:
    """Recreate the index on title and description as one text."""
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, lower(title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
    op.drop_index("tasks_by_searched_text", "tasks")
