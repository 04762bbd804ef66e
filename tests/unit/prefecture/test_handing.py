"""Which groups of a month a municipality hands over, and which of its counts go along."""

from types import SimpleNamespace

import polars as pl
import pytest

from kobe_platform.bench.prefecture import prefecture
from kobe_platform.prefecture import handing
from kobe_platform.prefecture.handed import Handed
from kobe_platform.prefecture.handing import Hander
from kobe_platform.settings import Settings

STOCKS, FLOWS, YEARS = "stocks/month", "flows/month", "flows/year"


def statistic(name: str, key: str, population: str) -> SimpleNamespace:
    return SimpleNamespace(
        name=name,
        key=key,
        period=key.rpartition("/")[2],
        population=population,
        above="prefecture",
        ward_column="area",
        dimensions={"area": "ward"},
        measure="events",
        sources=("resident_register",),
        is_protected=True,
        ties=(),
    )


@pytest.fixture
def hander(monkeypatch) -> Hander:
    """A town that has released the stocks and flows of November, and those and the year of December."""
    (town,) = prefecture(1, seed=4)
    counts = pl.DataFrame({"area": ["00001"], "events": [12]})
    store = SimpleNamespace(
        municipality="00001", present=lambda _: SimpleNamespace(facts={}), read=lambda _: counts, current=lambda _: None
    )
    every = [
        statistic("residents", STOCKS, "residents"),
        statistic("moves", FLOWS, "moves"),
        statistic("moves_year", YEARS, "moves"),
    ]
    made = Hander(Settings(), store)
    made.__dict__["statistics"] = {one.name: one for one in every}
    made.__dict__["groups"] = {one.key: (one,) for one in every}
    monkeypatch.setattr(handing, "current", lambda _: SimpleNamespace(facts={"basis": "synthetic"}))
    monkeypatch.setattr(handing, "is_settled", lambda *_: True)
    monkeypatch.setattr(handing, "stored_for_audit", lambda *_: (town.spec, town.tables, []))
    monkeypatch.setattr(Hander, "_shows", lambda *_: True)
    known = {"2025-11": {STOCKS: "1", FLOWS: "2"}, "2025-12": {STOCKS: "3", FLOWS: "4", YEARS: "5"}}
    monkeypatch.setattr(Hander, "_released_of", lambda _, month: known.get(month, {}))
    return made


def handed(hander: Hander, month: str) -> list[Handed]:
    over, refused = hander.hand_over([month])
    assert not refused
    return over


def test_a_month_without_a_year_is_handed_over_without_one(hander):
    assert [one.group for one in handed(hander, "2025-11")] == [STOCKS, FLOWS]
    assert [one.group for one in handed(hander, "2025-12")] == [STOCKS, FLOWS, YEARS]


def test_counts_go_along_only_where_a_total_may_be_more_than_a_sum_of_published_figures(hander):
    assert [set(one.cells) for one in handed(hander, "2025-12")] == [{"residents"}, set(), set()]
