"""Short links of pages with readers' choices."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "short_link",
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=2000), nullable=False),
        sa.Column("used_on", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_short_link")),
    )
    op.create_index(op.f("ix_short_link_used_on"), "short_link", ["used_on"], unique=False)


def downgrade() -> None:
    op.drop_table("short_link")
