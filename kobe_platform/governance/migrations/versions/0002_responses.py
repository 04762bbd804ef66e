"""What sections say of unusual changes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unusual_response",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("section", sa.String(length=100), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("series", sa.String(length=100), nullable=False),
        sa.Column("area", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.CheckConstraint("state IN ('known', 'investigating', 'handled')", name=op.f("ck_unusual_response_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unusual_response")),
    )
    op.create_index(op.f("ix_unusual_response_month"), "unusual_response", ["month"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER unusual_response_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON unusual_response "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER unusual_response_no_{change.lower()} BEFORE {change} ON unusual_response "
            "BEGIN SELECT RAISE(ABORT, 'append only'); END"
        )


def downgrade() -> None:
    op.drop_table("unusual_response")
