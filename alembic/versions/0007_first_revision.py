"""The revision of an account's first write becomes a default, which `todo-api reset-sync` raises."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set it. Existing accounts, and those that the previous release opens during a rollout, are not affected."""
    op.alter_column("accounts", "revision", server_default="1")


def downgrade() -> None:
    """Remove it."""
    op.alter_column("accounts", "revision", server_default=None)
