"""Coarsening by rule, homogeneity and cells given by hand: what is merged, what it costs, and that it stays merged."""

from __future__ import annotations

import itertools
import json

import numpy as np
import polars as pl
import pytest
from command_trials import SPEC, call, write_trial

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.commands import audit as audit_command
from kobe_platform.disclosure.commands import protect as protect_command
from kobe_platform.disclosure.methods.coarsening import coarsened_spec
from kobe_platform.errors import DisclosureError

WARDS = {"city": None, "w": "city", "v": "city", "u": "city"}
AREA = {**WARDS, **{f"{w}{i}": w for w in "wvu" for i in range(4)}, "w?": "w"}
NATIONS = [f"n{i}" for i in range(8)]
STEPS = [{"column": "nation", "keep": 3, "into": "その他"}, {"column": "area"}]


def cells(seed=0, mean=30.0):
    random = np.random.default_rng(seed)
    leaves = [code for code in AREA if code not in set(AREA.values())]
    rows = [
        (area, nation, int(random.poisson(mean / (1 + i) ** 2)))
        for area, (i, nation) in itertools.product(leaves, enumerate(NATIONS))
    ]
    return pl.DataFrame(rows, schema=["area", "nation", "persons"], orient="row")


def spec_of(until, of="cells", steps=STEPS, *more, nation=None):
    coarsen = {"until": until, "of": of, "steps": steps} if steps else None
    table = Table(name="t", dimensions=["area", "nation"], coarsen=coarsen)
    dimensions = {"area": Dimension(hierarchy=AREA, residual=["w?"]), "nation": nation or Dimension(total="T")}
    return Spec(rule=Rule(minimum_frequency=5), dimensions=dimensions, tables=(table, *more))


def total(frame):
    return frame.filter(area="city", nation="T")["value"].item()


def test_steps_are_taken_until_enough_can_be_shown_and_the_cost_is_told():
    fine = protect(spec_of(0.01), {"t": cells()})
    assert fine.coarsening["t"]["steps"] == 0
    coarse = protect(spec_of(0.9), {"t": cells()})
    report = coarse.report.tables[0]
    told = report.parameters["coarsening"]
    assert coarse.coarsening["t"]["steps"] >= 1 and told["reached"] and report.share_published >= 0.9
    assert report.quality["share_before_at_most"] < 0.9 <= report.quality["share_after"]
    assert told["steps"][0] == STEPS[0]
    assert set(coarse.tables["t"]["nation"]) == {"T", "n0", "n1", "n2", "その他"}
    assert audit(coarse.spec, coarse.tables).publishable
    assert total(coarse.tables["t"]) == cells()["persons"].sum()


def test_all_steps_may_not_suffice_and_that_is_told():
    thin = protect(spec_of(1.0), {"t": cells(1, 6.0)})
    assert thin.coarsening["t"]["steps"] == 2
    assert thin.report.tables[0].parameters["coarsening"]["reached"] is (thin.report.tables[0].share_published >= 1.0)
    assert set(thin.tables["t"]["area"]) == set(WARDS)


def test_what_was_merged_last_month_stays_merged():
    before = protect(spec_of(1.0), {"t": cells(1, 6.0)})
    rich = cells(2, 4000.0)
    assert protect(spec_of(0.5), {"t": rich}).coarsening["t"]["steps"] == 0
    after = protect(spec_of(0.5), {"t": rich}, coarsening=before.coarsening)
    assert after.coarsening == before.coarsening
    assert set(after.tables["t"]["nation"]) == set(before.tables["t"]["nation"])
    new = pl.concat([rich, pl.DataFrame({"area": ["w0"], "nation": ["new"], "persons": [9000]})])
    later = protect(spec_of(0.5), {"t": new}, coarsening=before.coarsening)
    assert "new" not in later.tables["t"]["nation"].to_list()


def test_a_coarsened_table_stays_tied_to_a_finer_one_of_its_population():
    by_area = cells().group_by("area").agg(pl.col("persons").sum())
    spec = spec_of(1.0, "cells", STEPS, Table(name="u", dimensions=["area"]))
    result = protect(spec, {"t": cells(), "u": by_area})
    assert result.coarsening["t"]["steps"] == 2
    wards = result.tables["u"].filter(pl.col("area").is_in(list(WARDS)))
    same = result.tables["t"].filter(pl.col("nation") == "T").join(wards, on="area")
    assert same["value"].equals(same["value_right"]) and same.height == 4
    assert audit(result.spec, result.tables).publishable


def test_a_gathered_column_stays_tied_where_it_has_a_hierarchy():
    nation = Dimension(hierarchy={"T": None, **dict.fromkeys(NATIONS, "T")})
    by_nation = cells().group_by("nation").agg(pl.col("persons").sum())
    spec = spec_of(1.0, "cells", STEPS, Table(name="u", dimensions=["nation"]), nation=nation)
    result = protect(spec, {"t": cells(), "u": by_nation})
    assert audit(result.spec, result.tables).publishable
    other = result.tables["t"].filter(area="city", nation="その他")["value"].item()
    rest = result.tables["u"].filter(~pl.col("nation").is_in(["T", "n0", "n1", "n2"]))
    if other is not None and not rest["value"].null_count():
        assert other == rest["value"].sum()
    flat = spec_of(1.0, "cells", STEPS, Table(name="u", dimensions=["nation"]))
    with pytest.raises(DisclosureError, match="needs a hierarchy"):
        protect(flat, {"t": cells(), "u": by_nation})


@pytest.mark.parametrize("choice", [{"steps": 3, "kept": [None] * 3}, {"steps": 1}, {"steps": 1, "kept": [None]}])
def test_a_former_choice_that_does_not_fit_is_refused(choice):
    with pytest.raises(DisclosureError, match=r"disclosure\.coarsening"):
        coarsened_spec(spec_of(0.9), {"t": choice})


def test_a_step_that_leaves_only_the_total_is_refused():
    with pytest.raises(DisclosureError, match="nothing but the total"):
        protect(spec_of(1.0, "cells", [{"column": "area"}, {"column": "area"}]), {"t": cells(1, 3.0)})


def test_all_of_one_kind_is_hidden_where_zeros_are():
    kind = Dimension(hierarchy={"T": None, "x": "T", "y": "T", "z": "T"})
    table = Table(name="t", dimensions=["area", "kind"], homogeneity=["kind"], zeros="hidden")
    spec = Spec(
        rule=Rule(minimum_frequency=5), dimensions={"area": Dimension(hierarchy=WARDS), "kind": kind}, tables=(table,)
    )
    rows = [
        ("w", "x", 40),
        ("v", "x", 30),
        ("v", "y", 20),
        ("v", "z", 9),
        ("u", "x", 50),
        ("u", "y", 60),
        ("u", "z", 70),
    ]
    protected = protect(spec, {"t": pl.DataFrame(rows, schema=["area", "kind", "persons"], orient="row")})
    status = {(r["area"], r["kind"]): r["status"] for r in protected.tables["t"].iter_rows(named=True)}
    assert {status["w", code] for code in "xyz"} == {"suppressed"}
    assert audit(spec, protected.tables).publishable
    (told,) = protected.report.published_record()["tables"]
    assert "homogeneity" in told["rule"] and not {"nonzero", "primary", "quality"} & set(told)
    with pytest.raises(ValueError, match="shown zeros tell it"):
        Spec(tables=(table.model_copy(update={"zeros": None}),))


@pytest.fixture
def trial(tmp_path):
    links = [f"{code},{parent or ''}" for code, parent in AREA.items() if code != "w?"]
    leaves = [code for code in AREA if code not in set(AREA.values()) and code != "w?"]
    rows = [f"{area},{sex},{20 + 3 * i}" for i, (area, sex) in enumerate(itertools.product(leaves, "mf"))]
    rows[0] = "w0,m,2"
    rows[5] = "w2,f,1"
    return write_trial(tmp_path, links, rows)


def run(trial, extra, *options):
    (trial / "spec.toml").write_text(SPEC + extra, encoding="utf-8")
    made = call(protect_command, trial / "spec.toml", trial / "cells", trial / "out", *options, "--json")
    assert made.exit_code == 0, made.output
    return call(audit_command, trial / "spec.toml", trial / "out", "--json"), json.loads(
        (trial / "out" / "disclosure.json").read_text(encoding="utf-8")
    )


def test_the_audit_command_follows_what_was_coarsened(trial):
    verdict, record = run(trial, 'coarsen = { until = 1.0, steps = [ { column = "area" } ] }\n')
    assert verdict.exit_code == 0, verdict.output
    assert record["coarsening"] == {"t": {"steps": 1, "kept": [None]}}
    assert (trial / "out" / "t.csv").read_text(encoding="utf-8").count("\n") == 1 + 4 * 3
    again = call(
        protect_command, trial / "spec.toml", trial / "cells", trial / "next", "--start", trial / "out", "--json"
    )
    assert again.exit_code == 0, again.output
    assert (trial / "next" / "t.csv").read_bytes() == (trial / "out" / "t.csv").read_bytes()


def test_rows_given_by_hand_are_hidden(trial):
    (trial / "hand").mkdir()
    (trial / "hand" / "t.csv").write_text("area,sex\nv1,f\n", encoding="utf-8")
    verdict, _ = run(trial, "", "--sensitive", trial / "hand")
    assert verdict.exit_code == 0
    assert "v1,f,,suppressed" in (trial / "out" / "t.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "method", ['method = "rounding"\nbase = 5\n', 'method = "cell_key"\nnoise = {most = 8, variance = 9}\n']
)
def test_perturbed_tables_are_written_and_audited_by_their_method(trial, method):
    (trial / "secret").write_bytes(b"s3cret--" * 4)
    verdict, record = run(trial, method, "--key", trial / "secret")
    assert verdict.exit_code == 0, verdict.output
    text = (trial / "out" / "t.csv").read_text(encoding="utf-8")
    assert "suppressed" not in text and "w0,m,2," not in text
    assert record["tables"][0]["method"] in ("rounding", "cell_key") and record["audit"]["safe"]
    assert "s3cret" not in text + json.dumps(record)
