"""Favourites of readers, and questions to the sections that own pages, with their answers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "favourite",
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("mailed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["login"], ["person.login"], name=op.f("fk_favourite_login_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("login", "page", name=op.f("pk_favourite")),
    )
    op.create_table(
        "notice_mail",
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["login"], ["person.login"], name=op.f("fk_notice_mail_login_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_notice_mail")),
    )
    op.create_table(
        "page_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("section", sa.String(length=100), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_question")),
    )
    op.create_index(op.f("ix_page_question_page"), "page_question", ["page"], unique=False)
    op.create_table(
        "page_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("section", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["question"], ["page_question.id"], name=op.f("fk_page_answer_question_page_question")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_answer")),
    )
    op.create_index(op.f("ix_page_answer_question"), "page_answer", ["question"], unique=False)
    for table in ("page_question", "page_answer"):
        _only_added_to(table)


def _only_added_to(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'append only'); END"
        )


def downgrade() -> None:
    for table in ("page_answer", "page_question", "notice_mail", "favourite"):
        op.drop_table(table)
