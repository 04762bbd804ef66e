"""Figures: how they read, how suppressed ones show, and what the browser is given to look up."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.bigvalues import gauge_html
from kobe_platform.lounge.charts import canvas_height
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.formats import Format, period_label
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.slices import SeveralRows, cells_of, matrices, write_slice
from kobe_platform.lounge.tables import read_index, write_tables
from tests.unit.lounge.conftest import PROJECT


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("人", 1234, "1,234人"),
        ("±人", 12, "+12人"),
        ("±人", 0, "±0人"),
        ("人", -1593, "\u22121,593人"),
        ("0.0歳", 46.04, "46.0歳"),
        ("±0.0歳", -0.04, "±0.0歳"),
        ("人", "X", "X"),
        ("人", None, "…"),
        ("", 5, "5"),
    ],
)
def test_figures_read_as_in_japanese_statistics(code, value, text):
    assert Format.parse(code).text(value) == text


@pytest.mark.parametrize(
    ("value", "difference", "width", "told"),
    [(5, -5, 50, "50%"), (16, 5, 100, "145%"), (0, -11, 0, "0%"), ("X", "X", 0, ""), (5, None, 0, ""), (5, 5, 0, "")],
)
def test_a_gauge_shows_how_much_is_reached_and_nothing_of_what_is_hidden(value, difference, width, told):
    shown = gauge_html(value, difference)
    assert f'<rect width="{width}"' in shown and f"<b>{told}</b>" in shown and "style" not in shown


@pytest.mark.parametrize(
    ("places", "height"), [(3, "normal"), (12, "normal"), (13, "tall"), (24, "tall"), (41, "long")]
)
def test_a_long_chart_is_only_as_long_as_its_bars_need(places, height):
    assert canvas_height("long", places) == height
    assert [canvas_height(fixed, places) for fixed in ("", "low", "tall")] == ["normal", "low", "tall"]


def test_periods_read_as_years_and_months():
    assert (period_label("2025-07"), period_label("2025"), period_label("総数")) == ("2025年7月", "2025年", "総数")


ROWS = pl.DataFrame(
    {
        "area": ["a", "a", "a", "b"],
        "period": ["2025-01", "2025-01", "2025-03", "2025-01"],
        "sex": ["男", "女", "男", "女"],
        "value": [5, None, 0, 7],
        "status": ["published", "suppressed", "published", "published"],
    }
)


def test_a_suppressed_cell_is_x_an_absent_one_a_gap_and_a_zero_stays_zero():
    found = matrices(ROWS, x="period", y="value", series="sex", sliced_by="area")
    assert found["a"].x == ("2025-01", "2025-02", "2025-03")
    assert found["a"].series == ("男", "女")
    assert found["a"].cells == {"": [[5, None, 0], ["X", None, None]]}
    assert found["b"].cells == {"": [[7, None, None]]}


def test_each_choice_of_the_other_filters_has_its_own_matrix():
    found = matrices(ROWS, x="sex", y="value", sliced_by="area", keys=["period"])
    assert found["a"].cells == {"2025-01": [[5, "X"]], "2025-03": [[0, None]]}


def test_two_rows_for_one_cell_are_refused_rather_than_summed():
    with pytest.raises(SeveralRows):
        matrices(ROWS, x="period", y="value", sliced_by="area")


def test_a_status_of_its_own_goes_before_the_common_one():
    frame = ROWS.with_columns(value_status=pl.lit("published"))
    assert cells_of(frame, "value") == [5, None, 0, 7]


def test_a_slice_is_named_by_its_content(tmp_path):
    one = write_slice(tmp_path, {"a": [1, "X", None]})
    assert one == write_slice(tmp_path, {"a": [1, "X", None]})
    assert one != write_slice(tmp_path, {"a": [1, "X", 0]})
    assert json.loads((tmp_path / one).read_text()) == {"a": [1, "X", None]}


PAGE = """
```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql people
SELECT period, area, sex_label AS 性別, value AS 人口, status FROM population_ward WHERE age = '0-4' AND sex_leaf
```

```sql latest
SELECT value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' AND period = '2025-12'
```

市の人口は{latest.人口 fmt=人}です。

<Filters>
<Dropdown name=area data={areas} value=area label=label title="区"/>
</Filters>

<LineChart data={people} x=period y=人口 series=性別 filter="area" title="人口" fmt=人/>
"""


def compiled(folder, tables, out, slug="people"):
    result = compile_page(load_pages(folder)[slug], tables, out, basis="synthetic")
    return result, (out / f"{slug}.md").read_text()


def spec_of(markdown: str) -> dict:
    return json.loads(markdown.split('id="lounge-spec">')[1].split("</script>")[0])


def test_a_compiled_page_carries_its_table_and_finds_its_slices(write_page, tables, tmp_path, city):
    result, markdown = compiled(write_page(PAGE), tables, tmp_path)
    spec = spec_of(markdown)
    assert set(spec["slices"]) == {"area"}
    assert len(spec["slices"]["area"]) == 10 == result.slices
    slice_ = json.loads((tmp_path / spec["data"] / spec["slices"]["area"]["28105"]).read_text())["c1"]
    cells = city[0]["population_ward"].filter(
        (pl.col("area") == "28105") & (pl.col("age") == "0-4") & (pl.col("sex") == "female")
    )
    assert slice_["v"][""][slice_["s"].index("女")] == cells.sort("period")["value"].to_list()
    assert '<th scope="row">2025年7月</th>' in markdown
    assert "合成データ" in markdown
    assert result.periods == ("2025-07", "2025-12")


def test_an_inline_value_is_the_published_figure(write_page, tables, tmp_path, city):
    _, markdown = compiled(write_page(PAGE), tables, tmp_path)
    total = city[0]["population_ward"].filter(
        (pl.col("area") == "28100")
        & (pl.col("age") == "total")
        & (pl.col("sex") == "total")
        & (pl.col("period") == "2025-12")
    )["value"][0]
    assert f"{total:,}人" in markdown


def test_suppressed_cells_show_as_x_with_an_explanation_in_the_readable_table(write_page, tables, tmp_path):
    body = (
        "\n```sql cells\nSELECT period, area_label || nationality_label AS 区, value AS 件数, status "
        "FROM foreigners_nationality_ward WHERE area_leaf ORDER BY area_sort\n```\n\n"
        '<BarChart data={cells} x=period y=件数 series=区 title="件数"/>\n'
    )
    _, markdown = compiled(write_page(body), tables, tmp_path)
    assert '<td class="is-x"><abbr title="秘匿">X</abbr></td>' in markdown
    assert '<p class="lounge-x">「X」は' in markdown
    spec = spec_of(markdown)
    slice_ = json.loads((tmp_path / spec["data"] / spec["slices"][""][""]).read_text())
    assert any("X" in row for row in slice_["c1"]["v"][""])


@pytest.mark.parametrize(
    ("changed", "to", "code", "line"),
    [
        ("x=period", "x=perod", "page.column", 31),
        ('filter="area"', "", "page.several_rows", 31),
        ("{latest.人口", "{latest.人数", "page.value", 25),
        ("{latest.人口", "{people.人口", "page.value", 25),
        ("value=area label=label", "value=area label=labels", "page.column", 28),
    ],
)
def test_a_page_that_does_not_fit_its_queries_fails_at_its_line(write_page, tables, tmp_path, changed, to, code, line):
    folder = write_page(PAGE.replace(changed, to, 1))
    with pytest.raises(LoungeError) as caught:
        compiled(folder, tables, tmp_path)
    assert (caught.value.code, caught.value.at["line"]) == (code, line)
    assert caught.value.remedy


def test_markup_in_the_data_stays_text(write_page, city, tmp_path):
    evil = '</script><img src=x onerror="alert(1)"> *a* [b](c) `d`'
    frames, dims, facts = city
    ward = dims["ward"].with_columns(
        label=pl.when(pl.col("code") == "28101").then(pl.lit(evil)).otherwise(pl.col("label"))
    )
    told = {**facts["tables"], "population_ward": {**facts["tables"]["population_ward"], "title": evil}}
    write_tables(tmp_path / "tables", frames, {**dims, "ward": ward}, told)
    body = PAGE + (
        "\n```sql name\nSELECT label FROM dim_ward WHERE code = '28101'\n```\n\n区は{name.label}。\n"
        "\n```sql wards\nSELECT area_label AS 区, value AS 人口, status FROM population_ward "
        "WHERE age = 'total' AND sex = 'total' AND period = '2025-12'\n```\n\n"
        '<BarChart data={wards} x=区 y=人口 title="a<b"/>\n<DataTable data={wards} title=表/>\n'
    )
    _, markdown = compiled(write_page(body), tmp_path / "tables", tmp_path)
    assert "<img" not in markdown
    assert markdown.count("</script>") == 1
    assert "*a*" not in markdown.split("区は")[1].split("。")[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": 3, "status": "suppressed"}, "tables.status_leaked"),
        ({"value": None, "status": "published"}, "tables.status_empty"),
        ({"value": 3, "status": "secret"}, "tables.status_unknown"),
        ({"area": "99999"}, "tables.codes"),
    ],
)
def test_cells_that_contradict_their_status_are_never_published(city, tmp_path, change, code):
    frames, dims, facts = city
    frame = frames["births_year"]
    row = frame.head(1).with_columns(**{k: pl.lit(v, dtype=frame.schema[k]) for k, v in change.items()})
    broken = {"births_year": pl.concat([row, frame.slice(1)])}
    with pytest.raises(LoungeError) as caught:
        write_tables(tmp_path / "t", broken, dims, facts["tables"])
    assert caught.value.code == code
    assert not (tmp_path / "t" / "births_year.parquet").exists()


def test_published_tables_are_the_same_bytes_each_time(city, tmp_path):
    frames, dims, facts = city
    for name in ("one", "two"):
        write_tables(
            tmp_path / name, {k: v.sample(fraction=1, shuffle=True) for k, v in frames.items()}, dims, facts["tables"]
        )
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert set(read_index(tmp_path / "one")[0]) == set(frames)


@pytest.mark.slow
def test_every_page_of_the_project_compiles_over_the_statistics(tables, tmp_path):
    for page in load_pages(PROJECT / "dashboards").values():
        result = compile_page(page, tables, tmp_path)
        assert result.components or not any(result.periods), "only a page without any figure may be empty"


_TEXTS = st.sampled_from(["灘区", "2025-01", "2025-03", "a|b", "a|a", "b", "a", ""])


@given(st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS, _TEXTS | st.none(), st.integers(0, 9) | st.none()), max_size=12))
def test_columns_held_as_numbers_give_the_matrices_of_their_texts(rows):
    texts = pl.DataFrame(
        rows, {"x": pl.String, "k": pl.String, "l": pl.String, "s": pl.String, "y": pl.Int64}, orient="row"
    )
    numbers = texts.with_columns(pl.col(pl.String).cast(pl.Categorical))

    def cut(frame):
        try:
            found = matrices(frame, x="x", y="y", series="s", sliced_by="l", keys=("k", "x"))
        except SeveralRows:
            return "several rows"
        return [(part, one.x, one.series, dict(one.cells)) for part, one in found.items()]

    told: dict = {}
    for x, k, part, s, y in rows:
        told.setdefault((part, f"{k}|{x}", "不明" if s is None else s, x), []).append(y)
    expected = "several rows" if any(len(several) > 1 for several in told.values()) else told
    for found in (cut(texts), cut(numbers)):
        if expected == "several rows":
            assert found == expected
        else:
            shown = {
                (part, key, s, x): [y]
                for part, xs, series, cells in found
                for key, lines in cells.items()
                for s, line in zip(series, lines, strict=True)
                for x, y in zip(xs, line, strict=True)
            }
            assert {place: shown.get(place) for place in expected} == expected
            assert all(y == [None] for place, y in shown.items() if place not in expected)
    assert cut(texts) == cut(numbers)
