"""Failed sign-ins by address and device instead of by account; who an account is at an identity provider."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("bound_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["login"], ["person.login"], name=op.f("fk_identity_login"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identity")),
        sa.UniqueConstraint("login", "issuer", name=op.f("uq_identity_login")),
    )
    op.create_table(
        "guess",
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("locked_until", sa.String(27), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["person.login"], name=op.f("fk_guess_login"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("login", "place", name=op.f("pk_guess")),
    )
    op.create_table(
        "device",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["login"], ["person.login"], name=op.f("fk_device_login"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_device")),
    )
    op.create_index(op.f("ix_device_login"), "device", ["login"], unique=False)
    # Whoever is locked out now stays so: for all that the database knows, the guesses came from anywhere.
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    op.execute(
        sa.text(
            "INSERT INTO guess (login, place, failures, at, locked_until) "
            "SELECT login, 'elsewhere', failures, :now, locked_until FROM password "
            "WHERE failures > 0 OR locked_until IS NOT NULL"
        ).bindparams(now=now)
    )
    op.drop_column("password", "failures")
    op.drop_column("password", "locked_until")


def downgrade() -> None:
    op.add_column("password", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("password", sa.Column("locked_until", sa.String(27), nullable=True))
    for table in ("device", "guess", "identity"):
        op.drop_table(table)
