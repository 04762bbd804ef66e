"""The page of unusual changes says why nothing is judged: too short a series, or a month with too little behind it."""

import pytest

from kobe_platform.lounge.tables import TableFacts
from kobe_platform.lounge.unusual import STATE, usual_inserts


@pytest.mark.parametrize(
    ("first", "says", "never"), [("2024-01", "少なくとも28か月", "3月と4月"), ("2021-07", "3月と4月", "少なくとも")]
)
def test_a_month_without_judged_series_asks_for_no_months_that_are_there(first, says, never):
    told = {"first": first, "month": "2025-03", "series": 95, "judged": 0, "listed": 0}
    table = TableFacts("usual_ranges", {}, more={"watches": [], "least_history": 28, "watched": told})
    text = usual_inserts({STATE}, {table.name: table})[STATE]
    assert "まだ判定できません" in text and says in text and never not in text
