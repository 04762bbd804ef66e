"""Months: one form, and one way of counting with them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from kobe_platform.vocabulary.months import (
    first_day,
    is_month,
    last_day,
    month_after,
    month_before,
    months_between,
    shifted,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("text", ["2025-01", "2025-12", "0001-01"])
def test_a_month_is_four_digits_and_two(text):
    assert is_month(text)


@pytest.mark.parametrize(
    "text", ["2025-00", "2025-13", "2025-1", "2025-01-01", "2025-01\n", "２０２５-01", "2025-0１", ""]
)
def test_whatever_only_looks_like_a_month_is_none(text):
    assert not is_month(text)


def test_months_are_counted_over_the_turn_of_the_year():
    assert month_after("2025-12") == "2026-01"
    assert month_before("2026-01") == "2025-12"
    assert shifted("2026-03", -24) == "2024-03"
    assert shifted("2026-03", -27) == "2023-12"
    assert months_between("2025-11", "2026-02") == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert months_between("2026-02", "2025-11") == []


def test_a_month_has_its_first_and_last_day():
    assert first_day("2024-02") == date(2024, 2, 1)
    assert last_day("2024-02") == date(2024, 2, 29)
    assert last_day("2025-12") == date(2025, 12, 31)


def test_the_form_of_a_month_is_written_in_one_module():
    written = re.compile(r"\(\?*:?0\[1-9\]\|1\[0-2\]\)")
    found = [path.name for path in (ROOT / "kobe_platform").rglob("*.py") if written.search(path.read_text("utf-8"))]
    assert found == ["months.py"]
