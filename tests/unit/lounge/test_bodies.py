"""A page is worked out once for what it is made of, and again when any of it changes; its figures are its rows."""

from __future__ import annotations

import json
import shutil
from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.slices import Comparison, SeveralRows, matrices
from kobe_platform.lounge.tables import write_tables

BODY = """
```sql people
SELECT period, area, value AS 人口, status FROM population_ward WHERE age = 'total' AND sex = 'total' ORDER BY period
```

```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

<Dropdown name=area data={areas} value=area label=label title="区"/>
<BigValue data={people} value=人口 date=period filter=area title="人口" fmt=人/>
<LineChart data={people} x=period y=人口 filter=area title="人口の推移" fmt=人/>
"""


@pytest.fixture
def counted(tables, monkeypatch):
    """An open database, and the slugs of the pages whose queries it ran."""
    ran: list[str] = []
    run = ReleaseDatabase.run

    def noted(self, queries):
        ran.append(queries[0].file)
        return run(self, queries)

    monkeypatch.setattr(ReleaseDatabase, "run", noted)
    with ReleaseDatabase(tables) as database:
        yield database, ran


def written(folder, out) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_equal_bodies_are_worked_out_once_whatever_the_page_is_called(write_page, counted, tmp_path):
    database, ran = counted
    write_page(BODY, slug="first", title="一つ目")
    pages = load_pages(write_page(BODY, slug="second", title="二つ目", audience="policy"))
    bodies = Bodies(tmp_path / "bodies")
    for slug in ("first", "second"):
        compile_page(pages[slug], database, tmp_path / "out", bodies=bodies)
    assert ran == ["first.md"]
    first, second = ((tmp_path / f"out/{slug}.md").read_text() for slug in ("first", "second"))
    assert "二つ目" in second and "一つ目" not in second and "first" not in second
    assert '"page":"second"' in second and '"page":"first"' in first
    slices = [{p.name for p in (tmp_path / "out/data" / slug).iterdir()} for slug in ("first", "second")]
    assert slices[0] == slices[1] != set()


def test_a_kept_body_gives_the_same_bytes_as_a_fresh_one(write_page, tables, tmp_path):
    page = load_pages(write_page(BODY))["people"]
    compile_page(page, tables, tmp_path / "fresh")
    bodies = Bodies(tmp_path / "bodies")
    for _ in range(2):
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
        told = compile_page(page, tables, tmp_path / "kept", bodies=bodies)
    assert written(page, tmp_path / "fresh") == written(page, tmp_path / "kept")
    assert told == compile_page(page, tables, tmp_path / "fresh")


def test_a_changed_text_table_or_hierarchy_is_worked_out_again(write_page, city, tables, counted, tmp_path):
    database, ran = counted
    bodies, out = Bodies(tmp_path / "bodies"), tmp_path / "out"
    compile_page(load_pages(write_page(BODY))["people"], database, out, bodies=bodies)
    changed = load_pages(write_page(BODY.replace("推移", "変化")))["people"]
    compile_page(changed, database, out, bodies=bodies)
    assert len(ran) == 2
    frames, dims, facts = city
    other = {**frames, "population_ward": frames["population_ward"].with_columns(pl.col("value") + 1)}
    labels = {**dims, "ward": dims["ward"].with_columns(pl.col("label") + "!")}
    for number, (new_frames, new_dims) in enumerate(((other, dims), (frames, labels), (frames, dims)), start=1):
        write_tables(tmp_path / f"t{number}", new_frames, new_dims, facts["tables"])
        compile_page(changed, tmp_path / f"t{number}", out, bodies=bodies)
    assert len(ran) == 4


def test_a_body_whose_files_are_gone_is_worked_out_again(write_page, counted, tmp_path):
    database, ran = counted
    page, bodies = load_pages(write_page(BODY))["people"], Bodies(tmp_path / "bodies")
    compile_page(page, database, tmp_path / "out", bodies=bodies)
    next((tmp_path / "bodies").glob("*/*[0-9a-f].json")).unlink()
    compile_page(page, database, tmp_path / "again", bodies=bodies)
    assert len(ran) == 2
    assert written(page, tmp_path / "out") == written(page, tmp_path / "again")


def test_what_is_no_longer_used_is_dropped(write_page, tables, tmp_path):
    pages = [load_pages(write_page(body))["people"] for body in (BODY, BODY + "\n終わり。\n")]
    for page in pages:
        bodies = Bodies(tmp_path / "bodies")
        compile_page(page, tables, tmp_path / "out", bodies=bodies)
    assert len(list((tmp_path / "bodies").iterdir())) == 2
    bodies.drop_unused()
    assert len(list((tmp_path / "bodies").iterdir())) == 1


TEXTS = st.sampled_from(["灘区", "北区", '"引用"', "a|b", "2025-11", "2026-02"])
FIGURES = st.one_of(st.none(), st.integers(-5, 10**12), st.just(0))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.dictionaries(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), st.tuples(FIGURES, st.booleans()), max_size=30),
    lags=st.lists(st.integers(1, 3), max_size=2),
)
def test_matrices_hold_each_row_at_its_place_and_nothing_else(rows, lags):
    """Against a look-up written cell by cell; months between the first and the last are gaps."""
    cells = [
        (*place, None if hidden else v, "suppressed" if hidden else "published") for place, (v, hidden) in rows.items()
    ]
    frame = pl.DataFrame(
        cells,
        schema={
            "ward": pl.String,
            "key": pl.String,
            "who": pl.String,
            "x": pl.String,
            "v": pl.Int64,
            "status": pl.String,
        },
        orient="row",
    )
    compared = [Comparison(f"{lag}", lag=lag) for lag in lags]
    found = matrices(frame, x="x", y="v", series="who", sliced_by="ward", keys=["key"], compared=compared)
    assert set(found) == {ward for ward, *_ in rows}
    seen, step = 0, 1 + len(lags)
    for ward, matrix in found.items():
        for key, lines in matrix.cells.items():
            for (i, who), (j, x) in product(enumerate(matrix.series), enumerate(matrix.x)):
                value, hidden = rows.get((ward, key, who, x), (None, False))
                seen += (ward, key, who, x) in rows
                line = lines[step * i]
                assert line[j] == ("X" if hidden else value)
                for n, lag in enumerate(lags, start=1):
                    assert lines[step * i + n][j] == expected_change(line, j, lag)
    assert seen == len(rows)


def expected_change(line: list, j: int, lag: int):
    if j < lag:
        return None
    if "X" in (line[j - lag], line[j]):
        return "X"
    return None if None in (line[j - lag], line[j]) else line[j] - line[j - lag]


def test_two_rows_on_one_cell_are_refused():
    frame = pl.DataFrame({"x": ["a", "a"], "v": [1, 2]})
    with pytest.raises(SeveralRows):
        matrices(frame, x="x", y="v")


def test_figures_that_json_does_not_know_are_not_available():
    frame = pl.DataFrame({"x": ["a", "b", "c"], "v": [float("nan"), float("inf"), 1.5]})
    assert json.loads(matrices(frame, x="x", y="v")[""].cells.text) == {"": [[None, None, 1.5]]}
