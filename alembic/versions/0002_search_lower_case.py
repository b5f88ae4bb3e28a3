"""Index the searched text in lower case, because pg_trgm folds the case of some letters differently from ILIKE."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Recreate the search index on `lower(...)`."""
    op.drop_index("tasks_by_text", "tasks")
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, lower(title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )


def downgrade() -> None:
    """Recreate the search index on the unchanged text."""
    op.drop_index("tasks_by_text", "tasks")
    op.execute(
        "CREATE INDEX tasks_by_text ON tasks USING gin "
        "(user_id, (title || ' ' || coalesce(description, '')) gin_trgm_ops) WHERE deleted_at IS NULL"
    )
