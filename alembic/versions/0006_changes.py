"""What the feed of changes reads: an epoch for each account, and an index on revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them. The index reads all tasks, and blocks writes meanwhile.

    The default also gives an epoch to the accounts that the previous release opens during a rollout.
    """
    default = sa.text("floor(random() * 2147483647) + 1")
    op.add_column("accounts", sa.Column("epoch", sa.BigInteger, nullable=False, server_default=default))
    op.create_index("tasks_by_revision", "tasks", ["user_id", "revision"])


def downgrade() -> None:
    """Drop them. The tokens of clients become meaningless."""
    op.drop_index("tasks_by_revision", "tasks")
    op.drop_column("accounts", "epoch")
