"""Districts that are merged, divided or closed are found in the dated tables, and told on charts that cross them."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.release.collect import collect
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.vocabulary.district_changes import district_changes

START = "2000-04-01"
NAMES = {"01": "甲", "02": "乙", "03": "丙", "04": "丁"}


def table(*rows: tuple[str, str, str, str]) -> pl.DataFrame:
    """Town, district, first and last day; in ward 28101, named by :data:`NAMES`."""
    schema = ("town_code", "district_code", "valid_from", "valid_to")
    text = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String), orient="row")
    name = pl.col("district_code").replace_strict(NAMES).alias("district_name")
    return text.with_columns(name, ward_code=pl.lit("28101"), lot_from=pl.lit(None, pl.Int64))


def held(*pairs: str) -> pl.DataFrame:
    """A table without history: ``a01`` is town a in district 01."""
    return table(*((pair[0], pair[1:], START, "") for pair in pairs))


DATED = table(("a", "01", START, "2024-04-01"), ("b", "02", START, "2024-04-01"), ("a", "03", "2024-04-01", ""),
              ("b", "03", "2024-04-01", ""))  # fmt: skip
CASES = {
    "merged within a dated table": ([("2020-01", DATED)], [("2024-04", "甲・乙は丙に変わりました")]),
    "merged by a later table": (
        [("2020-01", held("a01", "b02")), ("2024-05", held("a03", "b03"))],
        [("2024-05", "甲・乙は丙に変わりました")],
    ),
    "taken over by a neighbour": (
        [("2020-01", held("a01", "b02")), ("2024-05", held("a01", "b01"))],
        [("2024-05", "乙は甲に変わりました")],
    ),
    "divided": (
        [("2020-01", held("a01", "b01")), ("2024-05", held("a02", "b03"))],
        [("2024-05", "甲は乙・丙に変わりました")],
    ),
    "cut out of two": (
        [("2020-01", held("a01", "b01", "c02", "d02")), ("2024-05", held("a01", "b04", "c02", "d04"))],
        [("2024-05", "甲・乙の一部から丁ができました")],
    ),
    "a town that goes over": ([("2020-01", held("a01", "b02")), ("2024-05", held("a01", "b01", "c02"))], []),
    "no table": ([], []),
    "nothing": ([("2020-01", held("a01")), ("2024-05", held("a01"))], []),
}


@pytest.mark.parametrize(("references", "changes"), CASES.values(), ids=CASES)
def test_changes_are_found_with_their_month_and_names(references, changes):
    assert [(one.month, one.ja) for one in district_changes(references)] == changes


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (["2024-03", "2024-04"], True),
        (["2023", "2024"], True),
        (["2024-04", "2024-05"], False),
        (["2024-01", "2024-03"], False),
        (["2024"], False),
        (["東灘区", "灘区"], False),
    ],
)
def test_a_chart_tells_the_changes_that_it_crosses(shown, told):
    facts = TableFacts("a", {"area": "district"}, more={"areas_changed": [["2024-04", "甲・乙は丙に変わりました"]]})
    words = Periods.of([facts]).crossed(shown)
    assert ("2024年4月に甲・乙は丙に変わりました。" in words) is told and bool(words) is told


def test_many_changes_are_told_by_the_newest():
    many = [[f"2024-{month:02}", f"{month}は校に変わりました"] for month in range(2, 9)]
    words = Periods.of([TableFacts("a", {}, more={"areas_changed": many})]).crossed(["2024-01", "2024-12"])
    assert "2024年8月に" in words and "2024年4月に" not in words and "（ほか3件）" in words


def test_a_release_tells_the_changes_with_its_tables_by_district_alone(tmp_path):
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    store = PartitionStore(tmp_path / "store", keys, municipality="28100")
    store.write(PartitionId("raw", "town_districts", "2020-01"), DATED)
    every = load_statistics(Settings().statistics)
    statistics = {name: every[name] for name in ("foreigners_district", "foreigners_stay_ward")}
    told = collect(store, statistics).facts["tables"]
    assert told["foreigners_district"]["areas_changed"] == [["2024-04", "甲・乙は丙に変わりました"]]
    assert "areas_changed" not in told["foreigners_stay_ward"]
