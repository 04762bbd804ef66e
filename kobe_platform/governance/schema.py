"""Defines the tables of the governance database; :mod:`kobe_platform.governance.migrations` creates them.

Moments are stored as UTC text of one width, so that SQLite and PostgreSQL sort and compare them alike. No figure and no
personal data of residents ever stands here: names are those of the city's own staff.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)  # fmt: skip

ROLES = {
    "operator": "運用者（実行できる）",
    "analyst": "分析者（オンデマンド統計だけ実行できる）",
    "auditor": "監査者（読むだけ）",
    "decider": "審査者（所管課のデータの利用申請を決める）",
    "administrator": "管理者（利用者を登録する）",
}
"""Roles beside that of every member of staff: to open dashboards and to apply."""

RESPONSES = {"known": "既知", "investigating": "調査中", "handled": "業務対応"}
"""What a section says of an unusual change: it knows of it, looks into it, has dealt with it."""

WITHDRAWN = {
    "author": "書いた人による取下げ",
    "person": "個人や世帯が分かるおそれ",
    "mistaken": "内容の誤り",
    "unfit": "この画面についての質問・意見ではない",
}
"""Why the words of a question or an answer were erased: the first by who asked, the others by who is responsible."""

STATES = ("draft", "submitted", "approved", "returned", "rejected", "expired", "withdrawn")


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored as ``2026-11-23T01:02:03.000004Z``."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> str | None:
        """To UTC text."""
        return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: object) -> datetime | None:
        """From UTC text."""
        return None if value is None else datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

person = Table(
    "person",
    metadata,
    Column("login", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("section", String(100), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("created_at", Moment, nullable=False),
)

person_role = Table(
    "person_role",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("role", String(20), primary_key=True),
    CheckConstraint(f"role IN ({', '.join(repr(role) for role in ROLES)})", name="known"),
)

person_group = Table(
    "person_group",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("audience", String(64), primary_key=True),
)

password = Table(
    "password",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("hash", String(200), nullable=False),
    Column("changed_at", Moment, nullable=False),
)

guess = Table(
    "guess",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("place", String(80), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("locked_until", Moment),
)

device = Table(
    "device",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), nullable=False, index=True),
    Column("seen_at", Moment, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("issuer", String(200), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), nullable=False),
    Column("bound_at", Moment, nullable=False),
    UniqueConstraint("login", "issuer"),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), nullable=False, index=True),
    Column("method", String(10), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

application = Table(
    "application",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("applicant", String(64), nullable=False, index=True),
    Column("section", String(100), nullable=False),
    Column("audience", String(64), nullable=False),
    Column("period_from", String(10), nullable=False),
    Column("period_to", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Moment, nullable=False),
    CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="known"),
    CheckConstraint("period_from <= period_to", name="period"),
)

application_source = Table(
    "application_source",
    metadata,
    Column("number", ForeignKey("application.number", ondelete="CASCADE"), primary_key=True),
    Column("source", String(64), primary_key=True),
)

application_page = Table(
    "application_page",
    metadata,
    Column("number", ForeignKey("application.number", ondelete="CASCADE"), primary_key=True),
    Column("slug", String(64), primary_key=True),
)

application_step = Table(
    "application_step",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", ForeignKey("application.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(10), nullable=False),
    Column("section", String(100), nullable=False, default=""),
    Column("state", String(10), nullable=False),
    Column("note", Text, nullable=False, default=""),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("who", String(64), nullable=False),
    Column("action", String(40), nullable=False, index=True),
    Column("object", String(200), nullable=False, default=""),
    Column("outcome", String(10), nullable=False),
    Column("detail", Text, nullable=False, default=""),
)

survey_answer = Table(
    "survey_answer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("page", String(64), nullable=False),
    Column("rating", Integer, nullable=False),
    Column("comment", Text, nullable=False, default=""),
)

unusual_response = Table(
    "unusual_response",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", String(64), nullable=False),
    Column("section", String(100), nullable=False),
    Column("month", String(7), nullable=False, index=True),
    Column("series", String(100), nullable=False),
    Column("area", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("note", String(200), nullable=False, default=""),
    CheckConstraint(f"state IN ({', '.join(repr(state) for state in RESPONSES)})", name="known"),
)

short_link = Table(
    "short_link",
    metadata,
    Column("code", String(16), primary_key=True),
    Column("address", String(2000), nullable=False),
    Column("used_on", String(10), nullable=False, index=True),
)

page_views = Table(
    "page_views",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("page", String(64), primary_key=True),
    Column("section", String(100), primary_key=True),
    Column("views", Integer, nullable=False),
)

favourite = Table(
    "favourite",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("page", String(64), primary_key=True),
    Column("seen", Integer, nullable=False),
    Column("mailed", Integer, nullable=False),
)

notice_mail = Table(
    "notice_mail",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("address", String(254), nullable=False),
)

mail_claim = Table(
    "mail_claim",
    metadata,
    Column("login", ForeignKey("person.login", ondelete="CASCADE"), primary_key=True),
    Column("address", String(254), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("asked_at", Moment, nullable=False),
)

page_question = Table(
    "page_question",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("who", String(64), nullable=False),
    Column("section", String(100), nullable=False),
    Column("page", String(64), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("withdrawn", String(10), nullable=False, server_default=""),
    Column("withdrawn_at", Moment),
)

page_answer = Table(
    "page_answer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("question", ForeignKey("page_question.id"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("who", String(64), nullable=False),
    Column("section", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("withdrawn", String(10), nullable=False, server_default=""),
    Column("withdrawn_at", Moment),
)
