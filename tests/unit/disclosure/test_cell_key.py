"""The cell-key method: the perturbation table is what the papers ask for, equal cells agree, nothing small is shown."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.methods.cell_key import read_secret
from kobe_platform.disclosure.methods.perturbation import greatest_entropy, perturbation_table
from kobe_platform.errors import DisclosureError

SECRET, OTHER = b"0" * 32, b"1" * 32
NOISE = {"most": 8, "variance": 9.0}


def spec_of(*tables, noise=NOISE, k=5):
    update = {"method": "cell_key", "noise": noise}
    given = [{**table.model_dump(exclude_none=True), **update} for table in tables]
    dimensions = {name: Dimension(total="T") for name in ("area", "sex", "kind")}
    return Spec(rule=Rule(minimum_frequency=k), dimensions=dimensions, tables=given)


def cells(seed=1, columns=("area", "sex"), mean=12):
    codes = list(itertools.product("abcdef", "mf")) if "sex" in columns else list(itertools.product("abcdef", "xyz"))
    counts = np.random.default_rng(seed).poisson(mean, len(codes))
    return pl.DataFrame(codes, schema=list(columns), orient="row").with_columns(persons=pl.Series(counts))


AREA_SEX = Table(name="t", dimensions=["area", "sex"])


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.floats(0.5, 60), st.integers(1, 12))
def test_every_row_keeps_the_count_on_average_and_shows_nothing_small(most, variance, least):
    if most < least - 1:
        with pytest.raises(DisclosureError):
            perturbation_table(most, variance, least)
        return
    table = perturbation_table(most, variance, least)
    for count, chances in enumerate(table.chances):
        assert chances.min() >= 0 and chances.sum() == pytest.approx(1)
        assert chances @ table.changes == pytest.approx(0, abs=1e-6)
        results = count + table.changes[chances > 0]
        assert ((results == 0) | (results >= least)).all()
    assert table.chances[0, most] == 1


def test_the_variance_is_reached_where_it_can_be():
    table = perturbation_table(12, 20.0, 5)
    spread = table.chances @ table.changes**2
    assert spread[-1] == pytest.approx(20, abs=1e-6) and spread[1] >= 4


def test_no_distribution_with_the_same_moments_has_more_entropy():
    support = np.arange(-4, 5)
    best = greatest_entropy(support, 3.0)
    entropy = -(best * np.log(best)).sum()
    features = np.stack([np.ones(9), support, support**2])
    for seed in range(50):
        step = np.random.default_rng(seed).normal(size=9)
        step -= np.linalg.pinv(features) @ (features @ step)
        other = best + step * 0.5 * best.min() / np.abs(step).max()
        assert other @ support == pytest.approx(0, abs=1e-6)
        assert -(other * np.log(other)).sum() <= entropy + 1e-9


def test_what_one_figure_tells_is_bounded_by_the_table():
    """The stated chance against counting out all (count, figure) pairs."""
    table = perturbation_table(6, 4.0, 3)
    pairs = {}
    for count in range(1, 60):
        for change, chance in zip(table.changes, table.chances[int(table.row(np.array(count)))], strict=True):
            pairs.setdefault(count + int(change), []).append(chance)
    worst = max(max(chances) / sum(chances) for figure, chances in pairs.items() if 3 <= figure <= 40)
    assert table.most_certain() == pytest.approx(worst)


def test_equal_cells_show_equal_figures_in_all_tables_and_runs_and_another_secret_others():
    sexes, kinds = cells(), cells(2, ("area", "kind"))
    areas = sexes.group_by("area").agg(pl.col("persons").sum())
    spec = spec_of(AREA_SEX, Table(name="u", dimensions=["area"]))
    first = protect(spec, {"t": sexes, "u": areas}, secret=SECRET)
    assert audit(spec, first.tables).publishable
    margin = dict(first.tables["t"].filter(pl.col("sex") == "T").select("area", "value").rows())
    assert margin == dict(first.tables["u"].select("area", "value").rows())
    alone = protect(spec_of(Table(name="z", dimensions=["area"])), {"z": areas}, secret=SECRET).tables["z"]
    assert dict(alone.select("area", "value").rows()) == margin
    other = protect(spec, {"t": sexes, "u": areas}, secret=OTHER)
    assert not other.tables["t"].equals(first.tables["t"])
    assert kinds.height


def test_a_total_with_one_part_shows_what_its_part_shows():
    only = cells().filter(~((pl.col("area") == "a") & (pl.col("sex") == "f")))
    table = protect(spec_of(AREA_SEX), {"t": only}, secret=SECRET).tables["t"].filter(area="a")
    assert table.filter(sex="m")["value"].item() == table.filter(sex="T")["value"].item()
    assert table.filter(sex="f")["value"].item() == 0


def test_record_keys_give_one_group_of_people_one_figure_wherever_it_is_counted():
    keyed = cells().with_columns(key=pl.Series(np.random.default_rng(5).integers(0, 2**32, 12)))
    moved = keyed.with_columns(pl.col("area").replace({"a": "q"}))
    spec = spec_of(AREA_SEX, noise={**NOISE, "keys": "key"})
    here, there = (protect(spec, {"t": f}).tables["t"] for f in (keyed, moved))
    assert here.filter(area="a")["value"].to_list() == there.filter(area="q")["value"].to_list()
    assert here.filter(area="T", sex="T")["value"].item() == there.filter(area="T", sex="T")["value"].item()


def test_the_secret_is_in_no_output_and_missing_or_short_it_is_refused(tmp_path):
    spec = spec_of(AREA_SEX)
    with pytest.raises(DisclosureError, match=r"disclosure\.key"):
        protect(spec, {"t": cells()})
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(DisclosureError, match=r"disclosure\.key"):
        read_secret(tmp_path / "key")
    told = protect(spec, {"t": cells()}, secret=b"canary-" * 8).report.as_record()
    assert "canary" not in str(told)


def test_the_record_tells_no_distance_from_the_counts():
    record = protect(spec_of(AREA_SEX), {"t": cells()}, secret=SECRET).report.published_record()
    (table,) = record["tables"]
    assert "quality" not in table and table["parameters"]["noise"] == NOISE


def test_the_audit_refuses_small_impossible_and_hidden_figures():
    spec = spec_of(AREA_SEX)
    table = protect(spec, {"t": cells()}, secret=SECRET).tables["t"]

    def with_value(value):
        here = (pl.col("area") == "b") & (pl.col("sex") == "m")
        return {"t": table.with_columns(value=pl.when(here).then(pl.lit(value)).otherwise("value"))}

    assert {f.rule for f in audit(spec, with_value(2)).findings} == {"small"}
    assert not audit(spec, with_value(900)).publishable


def test_a_figure_that_follows_from_the_largest_change_is_refused():
    """Two parts at the far end of their noise and a total at the other leave one table: the true one."""
    spec = spec_of(Table(name="t", dimensions=["area"]), noise={"most": 5, "variance": 4.0})
    rows = [("T", 10, "published"), ("a", 10, "published"), ("b", 10, "published")]
    tight = pl.DataFrame(rows, schema=["area", "value", "status"], orient="row")
    assert audit(spec, {"t": tight}).publishable
    exact = tight.with_columns(value=pl.when(pl.col("area") == "T").then(5).otherwise("value"))
    assert not audit(spec, {"t": exact}).publishable


@pytest.mark.parametrize("rows", [[], [("a", "m", 0)], [("a", "m", 3)]])
def test_next_to_nothing_gets_noise_too(rows):
    given = {"t": pl.DataFrame(rows, schema={"area": pl.String, "sex": pl.String, "persons": pl.Int64}, orient="row")}
    spec = spec_of(AREA_SEX)
    protected = protect(spec, given, secret=SECRET)
    assert audit(spec, protected.tables).publishable


@pytest.mark.parametrize("rows", [[("a", "m", -1)], [("a", "m", 1), ("a", "m", 2)]])
def test_unsound_cells_are_refused(rows):
    given = {"t": pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")}
    with pytest.raises(DisclosureError):
        protect(spec_of(AREA_SEX), given, secret=SECRET)
