"""Gives days and times of the city: they are those of Japan wherever the machine is."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

JAPAN = ZoneInfo("Asia/Tokyo")


def today() -> date:
    """The day in Japan."""
    return datetime.now(JAPAN).date()
