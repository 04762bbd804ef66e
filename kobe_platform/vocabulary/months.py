"""Computes with reference months, texts ``YYYY-MM`` that sort in the order of time."""

from __future__ import annotations

import re
from datetime import date, timedelta

FORM = r"[0-9]{4}-(?:0[1-9]|1[0-2])"
"""The form as a regular expression without ends: ASCII digits only."""
_FORM = re.compile(FORM)


def is_month(text: str) -> bool:
    """Whether a text is a month, and nothing else."""
    return _FORM.fullmatch(text) is not None


def shifted(month: str, months: int) -> str:
    """The month so many months after ``month``; before it where the number is negative."""
    return _named(_number(month) + months)


def month_after(month: str) -> str:
    """The month after ``month``."""
    return shifted(month, 1)


def month_before(month: str) -> str:
    """The month before ``month``."""
    return shifted(month, -1)


def months_between(first: str, last: str) -> list[str]:
    """Every month from ``first`` to ``last``, both included; none where the last lies before the first."""
    return [_named(number) for number in range(_number(first), _number(last) + 1)]


def first_day(month: str) -> date:
    """The day on which a month begins."""
    return date(int(month[:4]), int(month[5:]), 1)


def last_day(month: str) -> date:
    """The day on which a month ends."""
    return first_day(month_after(month)) - timedelta(days=1)


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _named(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
