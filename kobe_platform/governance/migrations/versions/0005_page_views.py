"""How often pages were opened: counts by day and section."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_views",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("section", sa.String(length=100), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "page", "section", name=op.f("pk_page_views")),
    )


def downgrade() -> None:
    op.drop_table("page_views")
