"""Two outsiders: one knows that unknown persons are none or at least k, one reckons with any count of them."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from kobe_platform.disclosure import Dimension, Rule, Spec, Table
from kobe_platform.disclosure.model import build_model
from kobe_platform.disclosure.suppression import programs
from kobe_platform.disclosure.suppression.extremes import Extremes
from kobe_platform.disclosure.suppression.programs import INFINITE, INTEGRALITY, Solver, block_of
from kobe_platform.disclosure.suppression.search import Suppressor

SPEC = Spec(
    rule=Rule(minimum_frequency=10),
    dimensions={
        "area": Dimension(hierarchy={"city": None, "a": "city", "b": "city", "?": "city"}, residual=("?",)),
        "sex": Dimension(hierarchy={"T": None, "m": "T", "f": "T"}),
    },
    tables=(Table(name="t", dimensions=["area", "sex"]),),
)
COUNTS = [("a", "m", 40), ("a", "f", 30), ("b", "m", 50), ("b", "f", 60), ("?", "m", 10)]


def search() -> tuple[Suppressor, dict[tuple[str, str], int]]:
    """A pattern that hides nothing yet, and the variable of each cell."""
    model = build_model(SPEC, {"t": pl.DataFrame(COUNTS, schema=["area", "sex", "persons"], orient="row")})
    layout, nothing = model.layouts["t"], np.zeros(model.size, dtype=bool)
    codes = layout.frame(np.arange(layout.variables.size)).rows()
    return Suppressor(model, nothing, nothing, nothing, nothing), dict(
        zip(codes, layout.variables.ravel(), strict=True)
    )


def test_a_residual_that_can_fall_for_one_outsider_is_opened_for_him_and_proves_nothing_of_other_cells():
    """All ten of unknown district are men. For them to be none, ten women of a ward must be unknown in their place."""
    found, at = search()
    assert not found._wide(at["?", "m"])
    found.widen(at["?", "m"])
    hidden = {codes for codes, variable in at.items() if found.pattern.hidden[variable]}
    assert hidden in ({("a", "m"), ("a", "f")}, {("b", "m"), ("b", "f")})
    assert found._wide(at["?", "m"]) and not found.pattern.proofs.tables()


def test_who_knows_how_residuals_are_filled_up_learns_nothing_small_of_ten():
    found, at = search()
    assert found.filled[[at["?", "m"], at["?", "f"]]].all() and not found.filled[at["a", "m"]]
    assert found.harmless(at["?", "m"])  # exactly ten follow, for both: nothing below k
    found.pattern.hidden[[at["a", "m"], at["b", "m"]]] = True
    assert found.harmless(at["?", "f"])  # exactly none


def test_a_residual_of_one_to_nine_counts_as_filled_by_nobody():
    model = build_model(
        SPEC, {"t": pl.DataFrame([*COUNTS[:4], ("?", "m", 9)], schema=["area", "sex", "persons"], orient="row")}
    )
    nothing = np.zeros(model.size, dtype=bool)
    assert not Suppressor(model, nothing, nothing, nothing, nothing).filled[model.value == 9].any()


def test_whole_numbers_are_looked_for_by_an_integer_program_before_more_is_hidden_for_a_residual(monkeypatch):
    """The farthest table is fractional in more cells than :meth:`Solver.repair` takes on."""
    monkeypatch.setattr(programs, "LARGEST_REPAIR", 0)
    drawn, columns = np.random.default_rng(255), {"area": "abcd?", "age": "wxyz", "sex": "mfo"}
    spec = Spec(
        rule=Rule(minimum_frequency=10),
        dimensions={
            name: Dimension(hierarchy={"T": None, **dict.fromkeys(codes, "T")}, residual=("?",) if "?" in codes else ())
            for name, codes in columns.items()
        },
        tables=(Table(name="t", dimensions=list(columns)),),
    )
    rows = pl.DataFrame(list(itertools.product(*columns.values())), schema=list(columns), orient="row")
    few, unknown = drawn.choice([0, 1, 2, 3, 4, 6], rows.height), drawn.choice([0, 10], rows.height)
    counts = np.where((rows["area"] == "?").to_numpy(), unknown, few)
    model = build_model(spec, {"t": rows.with_columns(persons=pl.Series(counts))})
    nothing = np.zeros(model.size, dtype=bool)
    search = Suppressor(model, nothing, nothing, nothing, nothing)
    search.pattern.hidden |= (drawn.random(model.size) < drawn.choice([0.5, 0.7, 0.9])) & search.may_hide
    hidden = search.pattern.hidden.copy()
    doubtful = [cell for cell in np.flatnonzero(search.filled).tolist() if not search._wide(cell)]
    found = [cell for cell in doubtful if search._wide_in_whole_numbers(cell)]
    assert found and len(found) < len(doubtful)
    for cell in found:
        search.widen(cell)
    assert (search.pattern.hidden == hidden).all()


@pytest.mark.parametrize("inequalities", [0, 40])
@pytest.mark.parametrize("seed", range(6))
def test_programs_that_begin_where_the_last_one_ended_answer_as_ones_from_scratch(seed, inequalities):
    """Whether each cell of random hidden tables stays below or above a limit, asked one after another in any order.

    Inequalities: some cells may not rise by more than a difference falls, which for most of them is no bound at all.
    """
    drawn = np.random.default_rng(seed)
    table = pl.DataFrame(list(itertools.product("abcdef", "ghij", "mf")), schema=["area", "age", "sex"], orient="row")
    table = table.with_columns(persons=drawn.integers(1, 40, table.height))
    spec = Spec(
        rule=Rule(minimum_frequency=10),
        dimensions={name: Dimension(total="T") for name in ("area", "age", "sex")},
        tables=(Table(name="t", dimensions=["area", "age", "sex"]),),
    )
    model = build_model(spec, {"t": table})
    hidden = np.flatnonzero(drawn.random(model.size) < 0.6)
    parts = sparse.csr_array(drawn.random((inequalities, model.size)) < 0.02, dtype=float)
    rows = sparse.block_array([[model.equations, None], [parts, sparse.eye_array(inequalities)]])
    differences = np.arange(rows.shape[1]) >= model.size
    falls = np.concatenate([model.value, drawn.integers(0, 120, inequalities)])
    hidden = np.concatenate([hidden, np.flatnonzero(differences)])
    block, falls = block_of(sparse.csc_array(rows), hidden), falls[hidden]
    kept, asked = Extremes(block, falls, differences[hidden]), 0
    cells = len(hidden) - inequalities
    for at in drawn.permutation(np.tile(np.arange(cells), 2)).tolist():
        limit = float(drawn.integers(1, 12)) * drawn.choice([-1, 1]) + INTEGRALITY
        reward = np.zeros(len(hidden))
        reward[at] = np.sign(limit)
        upper = np.full(len(hidden), INFINITE)
        upper[at] = abs(limit) + 1
        farthest = Solver().extreme(block, -falls.astype(float), upper, reward)[at]
        assert kept.stays(at, limit) == (farthest < limit if limit > 0 else farthest > limit)
        asked += abs(farthest) < abs(limit)
    assert 0 < asked < 2 * cells, "both answers were given"
