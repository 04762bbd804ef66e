"""The city's clock: days of law and of records are days in Japan, wherever the machine stands."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

JAPAN = ZoneInfo("Asia/Tokyo")


def today() -> date:
    """The day in Japan."""
    return datetime.now(JAPAN).date()
