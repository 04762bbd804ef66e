"""A month delivered once more with corrections: what the engine publishes then the auditor does not refuse.

Small populations in which the correction shows in few figures or in none. Each was refused before, in synthetic cities
of 5,000 to 8,000 residents or in drawn tables like those at the end.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, FormerRelease, Inclusion, Relation, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.auditor.verdict import AuditReport

K = 5
Frames = Mapping[str, pl.DataFrame]


def hierarchy(*codes: str) -> Dimension:
    return Dimension(hierarchy={"all": None, **dict.fromkeys(codes, "all")})


def of(column: str, **counts: int) -> pl.DataFrame:
    return pl.DataFrame({column: list(counts), "persons": list(counts.values())})


def corrected(spec: Spec, before: Frames, now: Frames) -> tuple[Frames, AuditReport]:
    """The tables of now, protected and audited with the protected ones of before behind them."""
    first = protect(spec, before).tables
    assert audit(spec, first).publishable
    former = [FormerRelease(first)]
    tables = protect(spec, now, previous=former).tables
    return tables, audit(spec, tables, previous=former)


PART, WHOLE = (Table(name=name, dimensions=["area"], population=name) for name in ("part", "whole"))
WITHIN = Spec(
    rule=Rule(minimum_frequency=K), dimensions={"area": hierarchy("n", "s", "e")}, tables=(PART, WHOLE),
    includes=(Inclusion(part="part", whole="whole"),),
)  # fmt: skip
BEFORE = {"part": of("area", n=4, s=5), "whole": of("area", n=30, s=30, e=40)}
"""Of the part the total is shown, 9, and neither area."""


def test_an_old_total_is_not_combined_with_a_whole_that_was_corrected():
    """The part's total fell below k, so it is hidden, and no figure of the part differs. The whole's show it.

    Who took 9 for true beside the whole's 6 and 6 would find 3 to 6 in each area. There are two in each.
    """
    now = {"part": of("area", n=2, s=2), "whole": of("area", n=6, s=6, e=40)}
    tables, report = corrected(WITHIN, BEFORE, now)
    assert tables["part"].filter(area="all")["status"].item() == "suppressed"
    assert tables["whole"]["status"].to_list() == ["published"] * 4
    assert report.publishable, report.findings
    assert report.counts["corrected"] == 1


def test_an_old_total_is_combined_with_a_whole_whose_correction_shows_elsewhere():
    """Only the third area of the whole was corrected, where the part has nobody: its old figures may well be true."""
    first = protect(WITHIN, BEFORE).tables
    now = protect(WITHIN, {**BEFORE, "whole": of("area", n=30, s=30, e=39)}).tables
    hidden = pl.col("area").is_in(["all", "n"])
    part = first["part"].with_columns(
        value=pl.when(hidden).then(None).when(pl.col("area") == "s").then(5).otherwise("value"),
        status=pl.when(hidden).then(pl.lit("suppressed")).otherwise(pl.lit("published")),
    )
    report = audit(WITHIN, {"part": part, "whole": now["whole"]}, previous=[first])
    assert ("exact", "part", "n") in {(one.rule, one.table, one.coordinates["area"]) for one in report.findings}


AGES = Table(name="ages", dimensions=["age"])
AREAS = Table(name="areas", dimensions=["area"])
SIDE_BY_SIDE = Spec(
    rule=Rule(minimum_frequency=K),
    dimensions={"age": hierarchy("young", "old"), "area": hierarchy(*"abcde")},
    tables=(AGES, AREAS),
)


def test_a_count_that_is_none_now_shows_that_its_neighbours_may_be_others_too():
    """Six people, five of them young; the one old person left. The five were shown, are still five, and must be hidden.

    Else five people in five areas, none of which is empty, would be one in each.
    """
    before = {"ages": of("age", young=5, old=1), "areas": of("area", a=2, b=1, c=1, d=1, e=1)}
    now = {"ages": of("age", young=5), "areas": of("area", a=1, b=1, c=1, d=1, e=1)}
    tables, report = corrected(SIDE_BY_SIDE, before, now)
    assert report.publishable, report.findings
    assert tables["ages"].filter(age="young")["status"].item() == "suppressed"
    assert tables["ages"].filter(age="old")["value"].item() == 0


FINEST, KINDS = [f"{ward}{number}" for ward in "abc" for number in "123"], "wxyz"
WARDS = {"all": None, **dict.fromkeys("abc", "all"), **{code: code[0] for code in FINEST}}
PEOPLE = {
    "included": {"includes": (Inclusion(part="part", whole="whole"),)},
    "related": {"relations": (Relation(name="within", on=("area",), left=("part",), right=("whole",), sense="<="),)},
}


def drawn(rng: np.random.Generator) -> pl.DataFrame:
    """20 to 200 persons: a district, an age, a sex, and whether each is one of the part."""
    people = int(rng.integers(20, 200))
    return pl.DataFrame(
        {
            "area": rng.choice(FINEST, people, p=rng.dirichlet([0.6] * len(FINEST))),
            "age": rng.choice(list(KINDS), people, p=rng.dirichlet([1] * len(KINDS))),
            "sex": rng.choice(list("mf"), people),
            "inside": rng.random(people) < rng.choice([0.2, 0.5, 0.8]),
        }
    )


@pytest.mark.parametrize("kind", PEOPLE)
@pytest.mark.parametrize("seed", [212, 272, 273])
def test_what_the_engine_publishes_of_a_corrected_people_the_auditor_does_not_refuse(kind, seed):
    """Two tables of a part and two of its whole; the correction lacks a few persons."""
    rng = np.random.default_rng(seed)
    tables = (
        PART, WHOLE, Table(name="part ages", dimensions=["age"], population="part"),
        Table(name="whole ages", dimensions=["age", "sex"], population="whole"),
    )  # fmt: skip
    dimensions = {"area": Dimension(hierarchy=WARDS), "age": Dimension(total="all"), "sex": Dimension(total="all")}
    spec = Spec(rule=Rule(minimum_frequency=K), dimensions=dimensions, tables=tables, **PEOPLE[kind])

    def counts(people: pl.DataFrame) -> Frames:
        chosen = {t.name: people.filter(pl.col("inside") | pl.lit(t.population == "whole")) for t in tables}
        return {
            t.name: chosen[t.name].group_by(*t.dimensions).agg(persons=pl.len().cast(pl.Int64)).sort(*t.dimensions)
            for t in tables
        }

    people = drawn(rng)
    gone = int(rng.choice([1, 3, 8]))
    _, report = corrected(spec, counts(people), counts(people[np.sort(rng.permutation(people.height)[gone:])]))
    assert report.publishable, report.findings
