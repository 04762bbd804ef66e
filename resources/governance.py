"""Gives access to the governance database: applications, approvals, the record of what happened."""

from __future__ import annotations

from functools import cache

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from kobe_platform.governance.database import open_database
from resources.shown import shown_as


@shown_as("利用申請・承認・記録の台帳(データベース)。")
class Governance(dg.ConfigurableResource):
    """The governance database of one installation.

    Attributes:
        url: SQLAlchemy URL.
    """

    url: str = Field(description="台帳の場所(SQLAlchemyのURL)")

    @property
    def database(self) -> Engine:
        """The database, opened and brought up to date once a process."""
        return _open(self.url)


@cache
def _open(url: str) -> Engine:
    return open_database(url)
