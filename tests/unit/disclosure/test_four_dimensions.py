"""Tables of four dimensions against brute force: nothing is narrow, and the auditor sees what the oracle sees."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect

sys.path.insert(0, str(Path(__file__).parent))
from oracle import hidden_ranges
from test_oracle import CHECKED, narrow_cells, refused_cells

COLUMNS = ["ward", "age", "sex", "reason"]
TREE = {"T": None, "0": "T", "1": "T"}
FEW = settings(CHECKED, max_examples=30)


@st.composite
def sparse_problems(draw):
    """Sixteen finest cells, most of them empty."""
    counts = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 4, 6]), min_size=16, max_size=16))
    assume(4 <= sum(n > 0 for n in counts) <= 8)
    codes = itertools.product("01", repeat=4)
    cells = pl.DataFrame([(*c, n) for c, n in zip(codes, counts, strict=True)], schema=[*COLUMNS, "n"], orient="row")
    spec = Spec(
        rule=Rule(minimum_frequency=draw(st.integers(2, 3))),
        dimensions={column: Dimension(hierarchy=TREE) for column in COLUMNS},
        tables=(Table(name="t", dimensions=COLUMNS, measure="n"),),
    )
    return spec, {"t": cells}, dict.fromkeys(COLUMNS, TREE)


def grand_total_shown(tables):
    return tables["t"].filter(pl.all_horizontal(pl.col(COLUMNS) == "T"))["status"].item() == "published"


@pytest.mark.slow
@FEW
@given(sparse_problems())
def test_no_interval_is_narrow_in_four_dimensions(problem):
    spec, frames, trees = problem
    tables = protect(spec, frames).tables
    assert audit(spec, tables).publishable
    assume(grand_total_shown(tables))
    assert narrow_cells(spec, hidden_ranges(spec, frames, tables, trees)) == set()


@FEW
@given(sparse_problems(), st.data())
def test_the_auditor_sees_what_the_oracle_sees_in_four_dimensions(problem, data):
    """Everything small is hidden, and of the rest whatever is drawn: hardly ever is that safe."""
    spec, frames, trees = problem
    k = spec.rule.minimum_frequency
    sums = frames["t"]
    for column in COLUMNS:
        whole = sums.group_by([c for c in COLUMNS if c != column]).agg(pl.col("n").sum())
        sums = pl.concat([sums, whole.with_columns(pl.lit("T").alias(column)).select(*COLUMNS, "n")])
    rows = []
    for *codes, n in sums.sort(COLUMNS).iter_rows():
        grand = set(codes) == {"T"}
        away = n > 0 and not grand and (n < k or data.draw(st.booleans(), label="".join(codes)))
        rows.append((*codes, None if away else n, "suppressed" if away else "published"))
    assume(rows[-1][-2] is not None and rows[-1][-2] >= k)
    tables = {"t": pl.DataFrame(rows, schema=[*COLUMNS, "value", "status"], orient="row")}
    narrow = narrow_cells(spec, hidden_ranges(spec, frames, tables, trees))
    report = audit(spec, tables)
    assert refused_cells(report) == narrow and {f.rule for f in report.findings} <= {"exact", "narrow"}
