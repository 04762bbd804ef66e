"""What a record says of a protection follows from the published rows and the specification, and from nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from command_trials import call

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, TableReport, commands, protect
from kobe_platform.disclosure.reports import PUBLIC

AREA = {"city": None, "n": "city", "s": "city", "n1": "n", "n2": "n", "n3": "n", "s1": "s", "s2": "s", "?": "s"}
KINDS = ("k1", "k2", "k3", "k4", "unknown")
STEPS = [{"column": "kind", "keep": 2, "into": "others"}]
METHODS = {
    "suppression": {},
    "zeros hidden": {"zeros": "hidden"},
    "rounding": {"method": "rounding", "base": 5},
    "cell_key": {"method": "cell_key", "noise": {"most": 5, "variance": 4.0}},
    "coarsened by cells": {"coarsen": {"until": 0.9, "of": "cells", "steps": STEPS}},
    "coarsened by persons": {"coarsen": {"until": 0.99, "of": "persons", "steps": STEPS}},
}


def specification(method: str) -> Spec:
    dimensions = {"area": Dimension(hierarchy=AREA, residual=("?",)), "kind": Dimension(residual=("unknown",))}
    table = Table(name="t", dimensions=["area", "kind"], **METHODS[method])
    return Spec(rule=Rule(minimum_frequency=5), dimensions=dimensions, tables=(table,))


def counts(seed: int) -> pl.DataFrame:
    """Sparse counts, some of unknown area or kind."""
    rng = np.random.default_rng(seed)
    rows = [
        (area, kind, int(rng.poisson(9)) if rng.random() < 0.6 else 0)
        for area in ("n1", "n2", "n3", "s1", "s2", "?")
        for kind in KINDS
    ]
    rows += [("n1", "k1", 0)] if ("n1", "k1") not in {row[:2] for row in rows} else []
    frame = pl.DataFrame(rows, schema=["area", "kind", "persons"], orient="row")
    residual = (pl.col("area") == "?") | (pl.col("kind") == "unknown")
    return frame.with_columns(persons=pl.when(residual).then(pl.col("persons") // 5 * 5).otherwise("persons"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("method", METHODS)
def test_all_that_is_told_of_a_table_can_be_worked_out_from_its_rows(method, seed):
    made = protect(specification(method), {"t": counts(seed)}, secret=b"0" * 32)
    table = made.tables["t"]
    told = made.report.tables[0].public()
    finest = table.filter(~pl.col("area").is_in(["city", "n", "s"]), pl.col("kind") != "total")
    shown, hidden = finest.filter(pl.col("value") > 0), finest.filter(status="suppressed")
    total = table.filter(area="city", kind="total")["value"].item() or 0
    assert told["cells"] == table.height and told["suppressed"] == table.filter(status="suppressed").height
    some = shown.height + hidden.height
    assert told["share_published"] == (round(shown.height / some, 6) if some else 1.0)
    assert told["share_shown"] == (round(int(shown["value"].sum()) / total, 6) if total else 0.0)
    if "coarsening" in told["parameters"]:
        said = told["parameters"]["coarsening"]
        share = told["share_published" if said["of"] == "cells" else "share_shown"]
        assert said["reached"] == (share >= said["until"])
    assert set(told) == set(PUBLIC)


def test_no_share_of_a_hidden_total_is_told():
    frame = pl.DataFrame({"area": ["n1", "n2", "s1"], "kind": ["k1", "k1", "k2"], "persons": [40, 50, 60]})
    total = pl.DataFrame({"area": ["city"], "kind": ["total"]})
    made = protect(specification("suppression"), {"t": frame}, sensitive={"t": total})
    assert made.tables["t"].filter(area="city", kind="total")["status"].item() == "suppressed"
    assert made.tables["t"].filter(pl.col("value") > 0, pl.col("area").is_in(["n1", "n2", "s1"])).height
    assert made.report.tables[0].public()["share_shown"] == 0


def test_nothing_new_in_the_report_is_told_unless_it_is_named():
    """Every field is either a word of the specification, worked out from rows (above), or the operator's own."""
    fields = {field.name for field in dataclasses.fields(TableReport)}
    assert fields - set(PUBLIC) == {"primary", "quality", "kept_in_vain"}


def test_codes_that_stay_are_told_in_their_own_order_and_not_by_size():
    frame = pl.DataFrame({"area": ["n1"] * 4, "kind": ["k1", "k2", "k3", "k4"], "persons": [6, 2, 90, 3]})
    made = protect(specification("coarsened by persons"), {"t": frame})
    assert made.coarsening["t"]["kept"] == [["k1", "k3"]]


def test_two_sets_of_counts_with_the_same_published_rows_give_the_same_files(tmp_path):
    """One person of unknown kind more, and one in a hidden cell less: rows and record do not tell."""
    (tmp_path / "spec.toml").write_text(
        '[rule]\nminimum_frequency = 5\n[dimensions.kind]\nresidual = ["unknown"]\n'
        '[[tables]]\nname = "t"\ndimensions = ["area", "kind"]\nmeasure = "persons"\n',
        encoding="utf-8",
    )
    made = {}
    for name, few, unknown in (("one", 4, 20), ("other", 3, 21)):
        cells = tmp_path / f"cells {name}"
        cells.mkdir()
        rows = [f"a,k1,{few}", "a,k2,30", f"a,unknown,{unknown}", "b,k1,0", "b,k2,40"]
        (cells / "t.csv").write_text("\n".join(["area,kind,persons", *rows]) + "\n", encoding="utf-8")
        done = call(commands.protect, tmp_path / "spec.toml", cells, tmp_path / name)
        assert done.exit_code == 0, done.output
        made[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert b"suppressed" in made["one"]["t.csv"]
    assert made["one"] == made["other"]
