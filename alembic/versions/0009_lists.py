"""Lists, which tasks may be in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and a column for tasks, which are in no list.

    During a rollout, the previous release creates tasks outside of lists, and leaves the others where they are.
    """
    op.create_table(
        "lists",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("color", sa.Text),
        sa.Column("position", sa.Text(collation="C"), nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("deletion_id", sa.Uuid),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
    )
    op.execute("CREATE INDEX lists_by_deleted_at ON lists (user_id, deleted_at, id) WHERE deleted_at IS NOT NULL")
    op.create_index("lists_by_revision", "lists", ["user_id", "revision"])
    op.add_column("tasks", sa.Column("list_id", sa.Uuid))


def downgrade() -> None:
    """Drop them. All tasks are in no list again."""
    op.drop_column("tasks", "list_id")
    op.drop_table("lists")
