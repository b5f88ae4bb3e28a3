"""The revision of an account's first write becomes a default, which `todo-api reset-sync` raises."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set it, unless `reset-sync` has raised it already, in a backup of an older release.

    Existing accounts, and those that the previous release opens during a rollout, are not affected.
    """
    columns = sa.inspect(op.get_bind()).get_columns("accounts")
    if next(one for one in columns if one["name"] == "revision")["default"] is None:
        op.alter_column("accounts", "revision", server_default="1")


def downgrade() -> None:
    """Remove it."""
    op.alter_column("accounts", "revision", server_default=None)
