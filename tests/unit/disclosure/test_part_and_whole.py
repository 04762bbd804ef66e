"""A part shown in coarser crosses than its whole: no cross of the two that nobody shows tells a hidden count."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.optimize import LinearConstraint, milp

from kobe_platform.disclosure import Costs, Dimension, Inclusion, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure import joints as engine_joints
from kobe_platform.disclosure.auditor import joints as auditor_joints
from kobe_platform.errors import DisclosureError

CODES = {"ward": ("w1", "w2", "w3"), "age": ("young", "old"), "sex": ("m", "f")}
FINEST = list(itertools.product(*CODES.values()))
COLUMNS = list(CODES)
SHOWN = {
    "pairs": {"residents": COLUMNS, "foreign_age": ["ward", "age"], "foreign_sex": ["age", "sex"]},
    "other pairs": {"residents": COLUMNS, "foreign_sex": ["ward", "sex"], "foreign_age": ["age", "sex"]},
    "wholes by pairs": {
        "residents_age": ["ward", "age"], "residents_sex": ["age", "sex"],
        "foreign_ward": ["ward", "sex"], "foreign_age": ["age"],
    },
}  # fmt: skip


def specification(shown: str, k: int) -> Spec:
    populations = {name: name.split("_")[0] for name in SHOWN[shown]}
    return Spec(
        rule=Rule(minimum_frequency=k),
        dimensions={name: Dimension(total="T") for name in CODES},
        tables=tuple(
            Table(name=name, dimensions=columns, population=populations[name]) for name, columns in SHOWN[shown].items()
        ),
        includes=(Inclusion(part="foreign", whole="residents"),),
    )


def counted(spec: Spec, japanese: list[int], foreign: list[int]) -> dict[str, pl.DataFrame]:
    """The finest cells of every table, of so many people in each cell of all columns."""
    people = pl.DataFrame(FINEST, schema=COLUMNS, orient="row").with_columns(
        foreign=pl.Series(foreign), residents=pl.Series(foreign) + pl.Series(japanese)
    )
    return {
        t.name: people.group_by(list(t.dimensions), maintain_order=True).agg(persons=pl.col(t.population).sum())
        for t in spec.tables
    }


def too_narrow(spec: Spec, tables: dict[str, pl.DataFrame]) -> list[tuple[str, ...]]:
    """Tables with a suppressed row whose interval is below k and reaches below k, by programs over both populations."""
    size, k = len(FINEST), spec.rule.minimum_frequency
    sums, low, high, hidden = [], [], [], []
    for table in spec.tables:
        for row in tables[table.name].rows(named=True):
            inside = [
                float(all(row[c] in (code, "T") for c, code in zip(COLUMNS, codes, strict=True) if c in row))
                for codes in FINEST
            ]
            sums.append([*(inside if table.population == "residents" else [0.0] * size), *inside])
            shown = row["status"] == "published"
            low.append(row["value"] if shown else 1.0)
            high.append(row["value"] if shown else np.inf)
            if not shown:
                hidden.append((table.name, np.array(sums[-1])))
    fits = LinearConstraint(np.array(sums), low, high)
    found = []
    for name, aim in hidden:
        least = milp(aim, constraints=fits, integrality=1, options={"presolve": False}).fun
        most = milp(-aim, constraints=fits, integrality=1, options={"presolve": False})
        if least < k - 0.5 and most.status == 0 and -most.fun - least < k - 0.5:
            found.append((name,))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("seed", [3, 20, 25, 30])
def test_no_interval_is_narrower_than_the_width(shown, seed):
    drawn = np.random.default_rng(seed)
    spec = specification(shown, int(drawn.integers(3, 8)))
    people = [drawn.poisson(drawn.choice([0.5, 4, 15], len(FINEST))).tolist() for _ in range(2)]
    try:
        tables = protect(spec, counted(spec, *people)).tables
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected"
        return
    assert audit(spec, tables).publishable
    assert not too_narrow(spec, tables)


JAPANESE = [0, 1, 0, 0, 14, 12, 2, 1, 0, 1, 2, 3]
FOREIGN = [8, 4, 12, 14, 0, 5, 8, 0, 0, 3, 12, 2]


def test_the_few_who_are_left_beside_the_foreigners_of_a_ward_are_found(monkeypatch):
    """Nearly all men of a ward are foreign, and few foreign men are of some age: its men of that age are few."""
    spec = specification("other pairs", 7).model_copy(update={"costs": Costs(rounds=0)})
    cells = counted(spec, JAPANESE, FOREIGN)
    monkeypatch.setattr(engine_joints._Population, "_finer_crosses", lambda self: [])
    missed = protect(spec, cells).tables
    monkeypatch.undo()
    assert too_narrow(spec, missed) and not audit(spec, missed).publishable
    tables = protect(spec, cells).tables
    assert audit(spec, tables).publishable and not too_narrow(spec, tables)


def test_a_cross_that_is_too_large_is_left_out_by_both_and_refuses_nothing(monkeypatch):
    spec = specification("pairs", 7)
    for module in (engine_joints, auditor_joints):
        monkeypatch.setattr(module, "MOST_JOINT_CELLS", 3)
    report = audit(spec, protect(spec, counted(spec, JAPANESE, FOREIGN)).tables)
    assert report.publishable and not report.counts["joints_left_out"]
