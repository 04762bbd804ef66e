"""Published means are part of the attack: those that tell a hidden count give way, the others stay."""

import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, Mean, Rule, Spec, Table, audit
from kobe_platform.settings import Settings
from kobe_platform.statistics import groups, load_statistics
from kobe_platform.statistics.protection import audited, specification
from kobe_platform.vocabulary.codes import OLDEST_AGE
from tests.unit.statistics.lake_frames import AREAS

STOCKS = groups(load_statistics(Settings().statistics).values())["stocks/month"]
AREA = {"city": None, "w": "city", "v": "city", "a": "w", "b": "w"}
AGE = {"all": None, "young": "all", "old": "all"}
SPEC = Spec(
    rule=Rule(minimum_frequency=10),
    dimensions={"area": Dimension(hierarchy=AREA), "age": Dimension(hierarchy=AGE)},
    tables=(Table(name="persons", dimensions=["area", "age"]),),
    means=(Mean(table="mean", of="persons", dimension="age", values={"young": (0, 4), "old": (5, 90)}, on=("area",)),),
)


def counts(hidden, **persons) -> pl.DataFrame:
    """Rows of areas a, b, v given as (young, old), and of what they add up to."""
    told = dict(persons)
    told["w"] = tuple(x + y for x, y in zip(told["a"], told["b"], strict=True))
    told["city"] = tuple(x + y for x, y in zip(told["w"], told["v"], strict=True))
    rows = []
    for area in AREA:
        young, old = told[area]
        for age, value in (("all", young + old), ("young", young), ("old", old)):
            away = area in hidden and age != "all"
            rows.append((area, age, None if away else value, "suppressed" if away else "published"))
    return pl.DataFrame(rows, schema=["area", "age", "value", "status"], orient="row")


def means(**shown) -> pl.DataFrame:
    rows = [(area, shown.get(area), "published" if area in shown else "suppressed") for area in AREA]
    return pl.DataFrame(rows, schema={"area": pl.String, "value": pl.Float64, "status": pl.String}, orient="row")


def shown(table: pl.DataFrame) -> set[str]:
    return set(table.filter(status="published")["area"])


def test_the_platforms_means_are_told_to_the_auditor():
    (mean,) = specification(STOCKS, AREAS).means
    assert (mean.table, mean.of, mean.on, mean.decimals) == ("mean_age", "population_district", ("area", "sex"), 1)
    assert mean.values["0-4"] == (0, 4) and mean.values["85-89"] == (85, 89)
    assert mean.values["90+"] == (OLDEST_AGE, OLDEST_AGE) and len(mean.values) == 19


@pytest.mark.parametrize("mean, stay", [(0.3, {"city"}), (20.0, {"a", "b", "city"})])
def test_a_mean_that_tells_a_hidden_count_is_hidden(mean, stay):
    """At a mean of 0.3 of a hundred at most seven are five or older."""
    table = counts("ab", a=(95, 5), b=(5, 95), v=(300, 300))
    told = means(a=mean, b=30.0, city=12.0)
    assert audit(SPEC, {"persons": table, "mean": told}).publishable == (mean != 0.3)
    verdict, left = audited(SPEC, {"persons": table}, {"mean": told})
    assert verdict.publishable and shown(left["mean"]) == stay
    assert left["mean"].filter(status="suppressed")["value"].null_count() == 5 - len(stay)


def test_a_mean_that_tells_a_count_elsewhere_is_hidden_too():
    """The ward's count lies at k or above whatever its mean says; less a published district it is the other one's."""
    table = counts("awv", a=(400, 4), b=(457, 39), v=(300, 50))
    told = means(w=0.2, b=3.0)
    found = audit(SPEC, {"persons": table, "mean": told}).findings
    assert {(f.rule, f.coordinates["area"]) for f in found} == {("narrow", "a")}
    verdict, left = audited(SPEC, {"persons": table}, {"mean": told})
    assert verdict.publishable and shown(left["mean"]) == {"b"}


def test_what_the_counts_give_away_is_not_helped_by_hiding_means():
    table = counts("a", a=(400, 4), b=(457, 39), v=(300, 50))
    verdict, left = audited(SPEC, {"persons": table}, {"mean": means(city=9.0)})
    assert not verdict.publishable and shown(left["mean"]) == {"city"}
