"""Counts are those of the rows; the unknown of every line are none or at least k; totals stay exact."""

from contextlib import contextmanager
from functools import partial

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.errors import StatisticsError
from kobe_platform.statistics import columns_needed, compute, compute_group, groups
from kobe_platform.statistics.compute import counted, engine, prepare, run
from kobe_platform.statistics.finest import FinestCells
from kobe_platform.statistics.means import with_margins
from kobe_platform.statistics.residual_floor import apply_residual_floor
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary.codes import hierarchies
from tests.unit.statistics.lake_frames import AREAS, countable, movements, register

STATISTICS = countable()
GROUPS = groups(STATISTICS.values())


def stocks(frame):
    return compute_group(GROUPS["stocks/month"], {"resident_register": frame}, AREAS)


def count(cells, **codes):
    return cells.filter(*(pl.col(column) == code for column, code in codes.items())).select(pl.last().sum()).item()


def residual_lines(statistic, cells):
    """Counts of every finest line of one dimension's unknown, the other dimensions as they are."""
    for column, name in statistic.dimensions.items():
        residual = tree(name, AREAS).residual
        yield from cells.filter(pl.col(column).is_in(residual))[statistic.measure].to_list()


def test_cells_that_are_kept_while_rows_become_unknown_are_those_of_a_fresh_count():
    members = GROUPS["stocks/month"]
    rows = prepare(register(1500, 7, 0.02), {column for statistic in members for column in statistic.counts.columns})
    with engine({"resident_register": rows}) as connection:
        finest = FinestCells(connection, counted)
        assert apply_residual_floor(connection, members, {"resident_register": rows.columns}, finest=finest)
        for statistic in members:
            kept, fresh = (
                cells.sort(cells.columns) for cells in (finest.of(statistic), counted(connection, statistic))
            )
            assert kept.equals(fresh), statistic.name


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(200, 6000), st.integers(0, 10_000), st.floats(0, 0.05))
def test_the_unknown_of_every_line_are_none_or_at_least_k_or_the_whole_line(rows, seed, unknown):
    computed = stocks(register(rows, seed, unknown))
    for statistic in GROUPS["stocks/month"]:
        if statistic.kind != "frequency":
            continue
        cells = computed.cells[statistic.name]
        for column, name in statistic.dimensions.items():
            residual = list(tree(name, AREAS).residual)
            ward = pl.col(column).str.slice(0, 5) if name == "district" else pl.lit("all")
            others = [other for other in statistic.dimensions if other != column]
            lines = cells.group_by(ward.alias("line_of"), *others).agg(
                pl.col(statistic.measure).filter(pl.col(column).is_in(residual)).sum().alias("unknown"),
                pl.col(statistic.measure).filter(~pl.col(column).is_in(residual)).sum().alias("known"),
            )
            if name == "district":
                index = {code.code: code.parent for code in AREAS.codes}
                lines = (
                    cells.with_columns(pl.col(column).replace_strict(index).alias("line_of"))
                    .group_by("line_of", *others)
                    .agg(
                        pl.col(statistic.measure).filter(pl.col(column).is_in(residual)).sum().alias("unknown"),
                        pl.col(statistic.measure).filter(~pl.col(column).is_in(residual)).sum().alias("known"),
                    )
                )
            bare = lines.filter((pl.col("unknown") > 0) & (pl.col("unknown") < 10) & (pl.col("known") > 0))
            assert bare.height == 0, (statistic.name, column)


@pytest.mark.slow
def test_ward_and_city_totals_are_those_of_the_register():
    frame = register()
    cells = stocks(frame).cells
    for ward, people in frame.group_by("ward").len().iter_rows():
        assert count(cells["population_ward"], area=ward) == people
    assert cells["population_district"]["persons"].sum() == frame.height
    assert cells["households_size_ward"]["households"].sum() == frame["is_representative"].sum()


@pytest.mark.slow
def test_districts_leave_out_only_the_unknown_and_their_cover():
    frame = register(unknown=0.002)
    computed = stocks(frame)
    moved = frame.filter(pl.col("district") == "unknown").height + computed.facts["covered_district"]
    cells = computed.cells["population_district"]
    placed = cells.filter(~pl.col("area").str.ends_with("unknown"))["persons"].sum()
    assert placed == frame.height - moved


def test_without_anything_unknown_nobody_is_covered_and_every_cell_is_exact():
    frame = register(unknown=0.0)
    computed = stocks(frame)
    assert computed.facts == {"rows": frame.height}
    expected = frame.with_columns(hierarchies()["age5"].expression()).group_by("district", "age5", "sex").len()
    cells = computed.cells["population_district"].rename({"area": "district", "age": "age5"})
    joined = cells.join(expected, on=["district", "age5", "sex"], how="full")
    assert joined.filter(pl.col("persons") != pl.col("len")).height == 0
    assert joined.null_count().sum_horizontal().item() == 0


@pytest.mark.slow
def test_the_cover_is_stable_when_few_people_change():
    """Whoever compares two months must not see a cover that was drawn anew."""
    frame = register(unknown=0.002)
    later = frame.head(frame.height - 20)
    former, now = (stocks(f).cells["population_district"] for f in (frame, later))
    joined = former.join(now, on=["area", "age", "sex"], how="full", coalesce=True).fill_null(0)
    changed = joined.filter(pl.col("persons") != pl.col("persons_right"))
    assert changed.select((pl.col("persons") - pl.col("persons_right")).abs().sum()).item() <= 20 * 4


def test_a_district_of_fewer_than_seven_households_men_or_women_is_not_shown_apart():
    frame = register(unknown=0.0)
    men = frame.filter((pl.col("district") == "0101") & (pl.col("sex") == "male")).head(6)
    rest = frame.filter(~((pl.col("district") == "0101") & (pl.col("sex") == "male")))
    cells = stocks(pl.concat([rest, men])).cells
    assert count(cells["population_district"], area="0101") == 0
    assert count(cells["population_district"], area="0102") > 0
    assert count(cells["population_ward"], area="28101") == rest.vstack(men).filter(pl.col("ward") == "28101").height


@pytest.mark.slow
def test_every_statistic_computes_over_the_lake_and_only_with_the_columns_that_it_names():
    frames = {"resident_register": register(), "resident_movements": movements()}
    for members in GROUPS.values():
        (source,) = {source for statistic in members for source in statistic.sources}
        needed = columns_needed(members, source, frames[source].columns)
        computed = compute_group(members, {source: frames[source].select(needed)}, AREAS)
        assert set(computed.cells) == {statistic.name for statistic in members}


@pytest.mark.slow
def test_the_same_rows_in_another_order_give_the_same_cells():
    frame = register(unknown=0.003)
    one, other = stocks(frame).cells, stocks(frame.sample(fraction=1.0, shuffle=True, seed=5)).cells
    assert all(one[name].equals(other[name]) for name in one)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM frames",
        "COPY resident_register TO '/tmp/kobe-leak.csv'",
        "INSTALL httpfs",
        "SET enable_external_access=true",
        "ATTACH '/tmp/kobe-leak.db'",
    ],
)
def test_a_select_reaches_nothing_but_its_sources(sql):
    frames = register(10)
    with engine({"resident_register": frames}) as connection, pytest.raises(StatisticsError):
        run(connection, STATISTICS["population_ward"], sql)


def test_a_failing_select_names_the_file_and_shows_no_value():
    canary = pl.DataFrame({"ward": ["鏑木鳴門"], "age": [1]})
    with engine({"resident_register": canary}) as connection, pytest.raises(StatisticsError) as refusal:
        run(connection, STATISTICS["population_ward"], "SELECT CAST(ward AS INTEGER) FROM resident_register")
    assert refusal.value.at["file"] == "population_ward.sql"
    assert "鏑木" not in str(refusal.value) and refusal.value.__cause__ is None


def test_a_district_outside_the_months_list_stops_the_table():
    frame = register(100).with_columns(pl.lit("9999").alias("district"))
    with pytest.raises(StatisticsError) as refusal:
        stocks(frame)
    assert "9999" not in str(refusal.value)


def test_margins_are_sums_of_the_finest_cells():
    cells = pl.DataFrame({"sex": ["male", "female", "unknown"], "n": [3, 4, 1]})
    margins = with_margins(cells, {"sex": hierarchies()["sex"]}, ["n"])
    assert margins.filter(pl.col("sex") == "total")["n"].item() == 8


@pytest.mark.parametrize("group", ["stocks/month", "flows/month"])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_what_is_derived_of_numbers_is_what_a_hierarchy_makes_of_texts(group, rows):
    frame = (register(300, unknown=0.2) if group == "stocks/month" else movements().head(300)).head(rows)
    blank = [pl.when(pl.int_range(pl.len()) % 7 > 0).then(name).alias(name) for name in frame.columns if name != "ward"]
    frame = frame.with_columns(blank)
    names = {column for member in GROUPS[group] for column in member.counts.columns}
    made = prepare(frame, names)
    for name in names & hierarchies().keys():
        if hierarchies()[name].source in frame.columns and name not in compute.SIDES:
            texts = frame.select(hierarchies()[name].expression()).to_series()
            assert made[name].cast(pl.String).equals(texts), name
    for side in ("", "_before", "_after"):
        if {f"ward{side}", f"district{side}"} <= set(frame.columns):
            ward, district = frame[f"ward{side}"], frame[f"district{side}"]
            told = [
                d if d not in (None, "unknown") else None if w is None else f"{w}-unknown"
                for w, d in zip(ward, district, strict=True)
            ]
            assert made[f"district{side}"].cast(pl.String).to_list() == told


@pytest.mark.parametrize("group", ["stocks/month", "flows/month"])
def test_a_month_without_rows_counts_nobody(group):
    frame = register(50) if group == "stocks/month" else movements()
    made = compute_group(GROUPS[group], {GROUPS[group][0].sources[0]: frame.head(0)}, AREAS)
    assert made.facts["rows"] == 0
    counts = [cells.select(pl.last().sum()).item() for cells in made.cells.values()]
    assert len(counts) == len(GROUPS[group]) and not any(counts)


@pytest.mark.parametrize("group", ["stocks/month", "flows/month"])
def test_texts_that_are_held_as_numbers_count_and_become_unknown_as_texts_do(group, monkeypatch):
    rows = register(6_000, unknown=0.02) if group == "stocks/month" else movements()
    frames = {GROUPS[group][0].sources[0]: rows}
    held: list[dict[str, str]] = []

    def watched(frames, *, numbered=(), texts=False):
        with engine(frames, numbered=() if texts else numbered) as connection:
            (name,) = frames
            held.append(
                dict(connection.execute(f'SELECT column_name, column_type FROM (DESCRIBE "{name}")').fetchall())
            )
            yield connection

    monkeypatch.setattr(compute, "engine", contextmanager(watched))
    numbers = compute.compute_group(GROUPS[group], frames, AREAS)
    monkeypatch.setattr(compute, "engine", contextmanager(partial(watched, texts=True)))
    texts = compute.compute_group(GROUPS[group], frames, AREAS)
    assert numbers.facts == texts.facts and any(n for name, n in texts.facts.items() if name.startswith("covered"))
    assert all(numbers.cells[name].equals(cells) for name, cells in texts.cells.items())
    assert any(kind.startswith("ENUM") for kind in held[0].values())
    assert not any(kind.startswith("ENUM") for kind in held[1].values())
    conditions = {column for member in GROUPS[group] for column in member.counts.conditions}
    assert not [column for column in conditions & held[0].keys() if held[0][column].startswith("ENUM")]
