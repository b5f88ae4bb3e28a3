"""The index for search is of the text in lower case: pg_trgm, by itself, does not see some letters as ILIKE does."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew, of `lower(...)`."""
    op.drop_index("tasks_by_text", "tasks")
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, lower(title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )


def downgrade() -> None:
    """Make the index anew, of the text as it is."""
    op.drop_index("tasks_by_text", "tasks")
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, (title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
