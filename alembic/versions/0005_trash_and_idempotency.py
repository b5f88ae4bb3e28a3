"""A trash for deleted tasks, and idempotency keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, tables and indexes. The index on deleted tasks reads all tasks, and blocks writes meanwhile.

    During a rollout, the previous release deletes tasks without a `deletion_id`. They are in the trash like all others.
    """
    op.add_column("accounts", sa.Column("purged", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("deletion_id", sa.Uuid))
    op.add_column("tasks", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.execute("CREATE INDEX tasks_by_deleted_at ON tasks (user_id, deleted_at, id) WHERE deleted_at IS NOT NULL")
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("idempotency_keys_by_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "leases",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop what was added. Erased tasks stay deleted."""
    op.drop_table("leases")
    op.drop_table("idempotency_keys")
    op.drop_index("tasks_by_deleted_at", "tasks")
    op.drop_column("tasks", "erased_at")
    op.drop_column("tasks", "deletion_id")
    op.drop_column("accounts", "purged")
