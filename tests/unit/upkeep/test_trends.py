"""Trends come from published cells alone: what is hidden hides the figure, and a gap is never bridged."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kobe_platform.upkeep.condition import share_of
from kobe_platform.upkeep.trends import trends, ward_changes
from kobe_platform.vocabulary.months import months_between

ROOT = Path(__file__).resolve().parents[3]
WARDS = pl.DataFrame(
    {"code": ["28100", "28101"], "label": ["神戸市", "東灘区"], "level": pl.Series([0, 1], dtype=pl.Int8)}
)


def people(month: str, area: str, age: str, sex: str, value: int | None) -> dict:
    return {
        "period": month, "area": area, "age": age, "sex": sex, "value": value,
        "status": "suppressed" if value is None else "published",
    }  # fmt: skip


@pytest.fixture
def tables(tmp_path):
    """A city of one ward, whose population grows by 1 % a month; the young of the last month are hidden."""

    def write(months: list[str], last: int | None) -> Path:
        rows = []
        for place, month in enumerate(months):
            count = last if last is not None and month == months[-1] else round(100_000 * 1.01**place)
            for area in ("28100", "28101"):
                rows.append(people(month, area, "total", "total", count))
            young = None if month == months[-1] else 10_000
            rows += [people(month, "28100", "0-14", "total", young), people(month, "28100", "total", "male", 40_000)]
            rows.append(people(month, "28100", "total", "female", 50_000))
        pl.DataFrame(rows).write_parquet(tmp_path / "population_ward.parquet")
        WARDS.write_parquet(tmp_path / "dim_ward.parquet")
        return tmp_path

    return write


def test_a_share_of_hidden_cells_is_hidden_and_ratios_are_of_what_is_published(tables):
    months, found = trends(tables(months_between("2025-01", "2025-03"), None), 2)
    by_title = {trend.title: values for trend, values in found}
    assert months == ["2025-02", "2025-03"]
    assert by_title["0〜14歳の割合(%)"] == [9.9, None]
    assert by_title["女性100人に対する男性"] == [80.0, 80.0]
    assert by_title["1世帯の人数"] == [None, None], "there is no table of households here"


@pytest.mark.parametrize(("last", "outside"), [(None, False), (120_000, True), (100_000, True)])
def test_a_ward_that_changes_as_it_never_did_is_outside_of_its_usual_range(tables, last, outside):
    month, (ward,) = ward_changes(tables(months_between("2025-01", "2025-12"), last))
    assert (month, ward.ward, ward.outside) == ("2025-12", "東灘区", outside)


def test_a_municipality_without_wards_is_followed_as_a_whole(tables):
    folder = tables(months_between("2025-01", "2025-12"), 120_000)
    WARDS.head(1).write_parquet(folder / "dim_ward.parquet")
    _, (whole,) = ward_changes(folder)
    assert (whole.ward, whole.outside) == ("神戸市", True)


def test_the_change_after_a_missing_month_is_not_told(tables):
    _, (ward,) = ward_changes(tables(["2025-01", "2025-02", "2025-04"], None))
    assert ward.change is None and not ward.outside


def test_too_little_history_gives_no_range(tables):
    _, (ward,) = ward_changes(tables(months_between("2025-01", "2025-03"), 150_000))
    assert ward.usual is None and not ward.outside


def test_a_share_is_told_in_whole_percent():
    assert [share_of(0, 10), share_of(1, 1000), share_of(123, 1000), share_of(0, 0)] == [
        "なし",
        "1%未満",
        "12%",
        "なし",
    ]
