"""What intake makes of the synthetic city equals an independent count of it, less what was set aside by name."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.abstraction import Abstracted, abstract, validate
from kobe_platform.contracts import load_contracts
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts import take_in
from kobe_platform.settings import Settings
from kobe_platform.synthesis import CityPlan, Form, synthesize

MONTHS = ("2025-07", "2025-08", "2025-09")
PERSONAL = ("resident_register", "resident_movements")


REASONS = {
    "01": "in_domestic", "02": "in_abroad", "03": "birth", "21": "out_domestic", "22": "out_abroad", "23": "death",
}  # fmt: skip


def _taken_in(folder: Path, dirt: float, form: Form) -> tuple[dict[str, dict], dict[str, dict[str, Abstracted]]]:
    """Truth and abstracted extracts by month."""
    synthesize(CityPlan(folder / "inbox", 20_000, MONTHS[0], MONTHS[-1], 11, form, dirt, (), folder / "truth"))
    contracts = load_contracts(Settings().contracts)
    deliveries = {(d.source, d.month): d for d in find(folder / "inbox", contracts, "28100")}
    towns = take_in(deliveries["town_districts", MONTHS[0]], contracts["town_districts"]).frame
    truths, found = {}, {}
    for month in MONTHS:
        truths[month] = json.loads((folder / "truth" / f"{month}.json").read_text("utf-8"))
        raw, found[month] = {}, {}
        for source in PERSONAL:
            contract = contracts[source]
            raw[source] = take_in(deliveries[source, month], contract).frame
            made = abstract(
                raw[source], contract, month=month, references={"town_districts": towns}, companions=raw,
                pseudonym_key=lambda purpose: purpose.encode().ljust(32, b"\0"),
            )  # fmt: skip
            validate(made, contract, month=month, previous_rows=None)
            found[month][source] = made
    return truths, found


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return _taken_in(tmp_path_factory.mktemp("clean"), 0.0, Form())


@pytest.fixture(scope="module", params=[Form(), Form("utf-8-sig"), Form(layout="fixed")], ids=["cp932", "bom", "fixed"])
def dirty(request, tmp_path_factory):
    return _taken_in(tmp_path_factory.mktemp("dirty"), 1.0, request.param)


def _counted(frame: pl.DataFrame, *keys: str) -> Counter:
    return Counter({row[:-1]: row[-1] for row in frame.group_by(keys).len().iter_rows()})


def _told(rows: list[list]) -> Counter:
    return Counter({tuple(row[:-1]): row[-1] for row in rows})


def test_every_table_of_a_clean_city_is_exact(clean):
    for month, truth in clean[0].items():
        people = clean[1][month]["resident_register"].frame
        homes = people.filter("is_representative")
        assert _counted(people, "ward", "district") == _told(truth["districts"])
        assert _counted(homes, "ward", "household_size") == _told(truth["households"])
        assert _counted(homes, "ward", "family_type") == _told(truth["families"])
        ages = Counter()
        for ward, sex, age, kind, count in truth["population"]:
            ages[ward, sex, min(age, 90), kind] += count
        assert _counted(people, "ward", "sex", "age", "resident_type") == ages


def test_stock_and_flow_of_a_clean_city_tie(clean):
    stock: dict[str, Counter] = {}
    for month in MONTHS:
        stock[month] = _counted(clean[1][month]["resident_register"].frame, "ward")
    for former, month in pairwise(MONTHS):
        events = clean[1][month]["resident_movements"].frame.filter(pl.col("reason") != "non_demographic")
        entered = _counted(events.drop_nulls("ward_after"), "ward_after")
        left = _counted(events.drop_nulls("ward_before"), "ward_before")
        for ward, count in stock[month].items():
            assert stock[former][ward] + entered[ward] - left[ward] == count


def test_population_by_ward_is_the_truth_less_what_was_set_aside_by_name(dirty):
    for month, truth in dirty[0].items():
        expected = Counter()
        for ward, *_, count in truth["population"]:
            expected[(ward,)] += count
        for _, treatment, ward, *_, count in truth["planted"]["resident_register"]:
            expected[(ward,)] -= count * (treatment == "Q")
        assert _counted(dirty[1][month]["resident_register"].frame, "ward") == expected


def test_every_row_is_in_the_lake_set_aside_by_a_rule_filtered_or_superseded(dirty):
    for month, truth in dirty[0].items():
        for source in PERSONAL:
            facts = dirty[1][month][source].facts
            planted = Counter()
            for name, treatment, *_, count in truth["planted"][source]:
                planted[treatment] += count
                planted["repeated"] += count * (name == "row_repeated")
            netted = sum(count for *_, count in truth["netted"]) if source == "resident_movements" else 0
            aside, filtered = sum(facts["set_aside"].values()), sum(facts["filtered"].values())
            assert facts["rows"] == facts["kept"] + aside + filtered + facts["superseded"]
            assert aside == planted["Q"]
            assert filtered == planted["filter"]
            assert facts["superseded"] == planted["repeated"] + netted


def test_flows_by_ward_are_the_truth_with_what_was_planted(dirty):
    for month, truth in dirty[0].items():
        expected = Counter()
        for ward, reason, _, count in truth["flows"]:
            expected[ward, reason] += count
        for _, treatment, ward, *_, reason, count in truth["planted"]["resident_movements"]:
            if reason in REASONS and treatment in ("Q", "net"):
                expected[ward, REASONS[reason]] += count if treatment == "net" else -count
        events = dirty[1][month]["resident_movements"].frame
        here = events.with_columns(pl.coalesce("ward_after", "ward_before").alias("ward"))
        found = _counted(here.filter(pl.col("reason").is_in(list(REASONS.values()))), "ward", "reason")
        assert found == Counter({key: n for key, n in expected.items() if key[1] in REASONS.values() and n})
