"""Small multiples, ranges, points and other ways to look: what the browser is given and what an author is told."""

from __future__ import annotations

import json

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.explanations import UNEXPLAINED, explain
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.slices import APART

QUERIES = """
```sql months
SELECT DISTINCT period FROM population_ward ORDER BY period
```

```sql wards
SELECT period, area_label AS 区, sex_label AS 性別, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex_leaf AND area_leaf ORDER BY area_sort, sex_sort, period
```

```sql now
SELECT nationality_label AS 国籍, value AS 外国人, status FROM foreigners_nationality_ward
WHERE area = '28100' AND period = '2025-12' AND nationality_leaf ORDER BY nationality_sort
```

```sql pairs
SELECT w.area_label AS 区, w.value AS 人口, w.status AS 人口_status, f.value AS 韓国, f.status AS 韓国_status
FROM population_ward w JOIN foreigners_nationality_ward f ON f.area = w.area AND f.period = w.period
WHERE w.age = 'total' AND w.sex = 'total' AND w.period = '2025-12' AND w.area_leaf AND f.nationality = 'KOR'
ORDER BY w.area_sort
```

"""


def compiled(folder, tables, out) -> tuple[str, dict]:
    compile_page(load_pages(folder)["people"], tables, out)
    text = (out / "people.md").read_text("utf-8")
    return text, json.loads(text.partition('id="lounge-spec"')[2].partition(">")[2].partition("</script>")[0])


def slice_of(spec: dict, out) -> dict:
    name = next(iter(spec["slices"][""].values()))
    return json.loads(next(out.rglob(name)).read_text("utf-8"))["c1"]


def test_small_multiples_name_panel_and_series_and_read_well_without_javascript(write_page, tables, tmp_path):
    page = QUERIES + '<LineChart data={wards} x=period y=人口 series=性別 facet=区 title="区ごと" fmt=人/>\n'
    text, spec = compiled(write_page(page), tables, tmp_path / "out")
    assert spec["components"][0]["opts"]["facet"] is True
    assert f"東灘区{APART}男" in slice_of(spec, tmp_path / "out")["s"]
    assert '<th scope="col">東灘区 男</th>' in text and APART not in text


def test_a_range_offers_its_periods_and_starts_whole(write_page, tables, tmp_path):
    page = QUERIES + '<Filters>\n<Range name=span data={months} value=period title="期間"/>\n</Filters>\n'
    text, spec = compiled(write_page(page), tables, tmp_path / "out")
    assert spec["filters"] == [{"name": "span", "default": "2025-07..2025-12", "period": False, "range": True}]
    assert '<select aria-label="期間（から）"><option value="2025-07" selected>2025年7月' in text
    assert '<option value="2025-12" selected>2025年12月</option></select></div></fieldset>' in text


def test_points_are_two_series_and_a_hidden_figure_is_x(write_page, tables, tmp_path):
    page = QUERIES + '<Scatter data={pairs} label=区 x=人口 y=韓国 title="点" fmt="人口:人 韓国:0.0人"/>\n'
    text, spec = compiled(write_page(page), tables, tmp_path / "out")
    record = slice_of(spec, tmp_path / "out")
    assert record["s"] == ["人口（人）", "韓国（人）"] and len(record["x"]) == 9
    assert spec["components"][0]["formats"] == [{"unit": "人", "digits": 0}, {"unit": "人", "digits": 1}]
    figures, hidden = record["v"][""][1], text.count('<td class="is-x">')
    assert figures.count("X") == hidden
    assert f"{figures[0]:,.1f}" in text if figures[0] != "X" else hidden


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        ("<LineChart data={now} x=国籍 y=外国人 views=index", "views=index is for periods"),
        ("<BarChart data={now} x=国籍 y=外国人 views=year", "views=year is for periods"),
        ("<BarChart data={wards} x=period y=人口 series=性別 facet=区 views=rank", "views=rank is for groups"),
        ("<BarChart data={wards} x=period y=人口 series=性別 facet=区 stacked views=year", "has views and is a stack"),
    ],
)
def test_a_view_that_does_not_fit_its_chart_stops_the_page(write_page, tables, tmp_path, chart, message):
    with pytest.raises(LoungeError, match=message) as caught:
        compile_page(load_pages(write_page(f'{QUERIES}{chart} title="図"/>\n'))["people"], tables, tmp_path / "out")
    assert caught.value.code == "page.views" and UNEXPLAINED not in explain(caught.value)


@pytest.mark.parametrize(
    ("chart", "told"),
    [
        ("<LineChart data={wards} x=period y=人口 series=性別 facet=くく", "facet names column くく"),
        ("<LineChart data={wards} x=period y=人口 series=性別 facett=区", "did you mean facet?"),
        ("<LineChart data={wards} x=period y=人口 series=性別 facet=区 views=indx", "did you mean index?"),
        ("<LineChart data={wards} x=period y=人口 series=性別 facet=区 filter=span", "filter of <LineChart> is not as"),
    ],
)
def test_a_misspelt_attribute_is_told_with_what_was_meant(write_page, tables, chart, told):
    page = f'{QUERIES}<Range name=span data={{months}} value=period title="期間"/>\n\n{chart} title="図"/>\n'
    with ReleaseDatabase(tables) as database:
        found = check_folder(write_page(page), {}, database).faults
    assert any(told in f"{fault} {fault.remedy}" for fault in found)
