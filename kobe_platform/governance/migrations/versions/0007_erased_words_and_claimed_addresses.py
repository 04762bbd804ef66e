"""Words of questions and answers can be erased, and an address is mailed only after its reader confirmed it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = {"page_question": ("at", "who", "section", "page"), "page_answer": ("question", "at", "who", "section")}
"""What stays of a row whose words are erased, beside its number."""


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("withdrawn", sa.String(length=10), nullable=False, server_default=""))
        op.add_column(table, sa.Column("withdrawn_at", sa.String(length=27), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        _erasable_on_postgresql()
    else:
        _erasable_on_sqlite()
    op.create_table(
        "mail_claim",
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["login"], ["person.login"], name=op.f("fk_mail_claim_login_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_mail_claim")),
    )
    # Addresses of before were confirmed by nobody: the screen says so, and its reader asks for the mail again.
    op.execute(
        "INSERT INTO mail_claim (login, address, token_hash, sent, asked_at) "
        f"SELECT login, address, '', {_true()}, '2000-01-01T00:00:00.000000Z' FROM notice_mail"
    )
    op.execute("DELETE FROM notice_mail")


def _true() -> str:
    return "TRUE" if op.get_bind().dialect.name == "postgresql" else "1"


def _erasable_on_sqlite() -> None:
    for table, kept in TABLES.items():
        same = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in ("id", *kept))
        op.execute(f"DROP TRIGGER {table}_no_update")
        op.execute(
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
            f"WHEN NOT (OLD.withdrawn = '' AND NEW.withdrawn <> '' AND NEW.text = '' AND {same}) "
            "BEGIN SELECT RAISE(ABORT, 'append only'); END"
        )


def _erasable_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION only_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF OLD.withdrawn = '' AND NEW.withdrawn <> '' AND NEW.text = '' "
        "AND to_jsonb(NEW) - 'text' - 'withdrawn' - 'withdrawn_at' "
        "= to_jsonb(OLD) - 'text' - 'withdrawn' - 'withdrawn_at' THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'append only'; END $$"
    )
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_only_erased BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION only_erased()"
        )


def downgrade() -> None:
    raise NotImplementedError("words that were erased do not come back")
