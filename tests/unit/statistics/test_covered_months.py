"""A yearly partition tells the months that it counts, and the release carries them by year."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl

from kobe_platform.lake import PartitionId
from kobe_platform.release.collect import COVERS, _told, content_digest
from kobe_platform.statistics.inputs import covered_months


def shelf(**held: list[str]):
    return SimpleNamespace(months=lambda stage, source: held[source] if stage == "lake" else [])


def yearly(*sources: str):
    return [SimpleNamespace(sources=sources, period="year")]


def test_a_year_covers_the_months_that_are_there_up_to_its_own():
    held = ["2024-12", "2025-07", "2025-08", "2025-10", "2025-12", "2026-01"]
    found = covered_months(shelf(moves=held), yearly("moves"), "2025-12")
    assert found == ["2025-07", "2025-08", "2025-10", "2025-12"]


def test_a_month_that_one_of_two_sources_lacks_is_not_covered():
    both = shelf(moves=["2025-11", "2025-12"], births=["2025-12"])
    assert covered_months(both, yearly("moves", "births"), "2025-12") == ["2025-12"]


def test_a_release_tells_the_months_of_each_year_and_nothing_of_tables_without():
    told = {COVERS: ["2025-07", "2025-08"], "rows": 3}
    held = [SimpleNamespace(id=PartitionId("published", "births_year", "2025-12"), facts=told)]
    assert _told(held) == {"months": {"2025": ["2025-07", "2025-08"]}}
    assert _told([SimpleNamespace(id=held[0].id, facts={})]) == {}


def test_equal_counts_over_other_months_are_other_content():
    table = pl.DataFrame({"period": ["2025"], "value": [0]})
    assert content_digest(table, ["2025-12"]) != content_digest(table) == content_digest(table, ())
