"""Places that open in place: rows of the query under one place at a time, and what an author is told."""

from __future__ import annotations

import json

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.explanations import UNEXPLAINED, explain
from kobe_platform.lounge.pages import load_pages

INSIDE = """
```sql inside
SELECT p.area_label AS 地域, u.label AS 上位, p.value AS 人口, p.status
FROM population_district p JOIN dim_district u ON u.code = p.area_parent
WHERE p.age = 'total' AND p.sex = 'total' AND p.period = '2025-12' {where} ORDER BY p.area_level, p.area_sort
```

"""
BAR = '<BarChart data={inside} x=地域 y=人口 drill=上位 title="内訳" fmt=人/>\n'


def compiled(folder, tables, out) -> tuple[str, dict]:
    compile_page(load_pages(folder)["people"], tables, out)
    text = (out / "people.md").read_text("utf-8")
    return text, json.loads(text.partition('id="lounge-spec"')[2].partition(">")[2].partition("</script>")[0])


def test_a_chart_opens_to_the_rows_that_stand_under_a_place(write_page, tables, tmp_path):
    text, spec = compiled(write_page(INSIDE.format(where="") + BAR), tables, tmp_path / "out")
    drill = spec["components"][0]["opts"]["drill"]
    assert drill["root"] == "神戸市" and drill["up"]["灘区"] == "神戸市" and len(drill["up"]) == 9
    files = spec["slices"]["c1.in"]
    assert set(files) == {"神戸市", *drill["up"]}
    top, below = (
        json.loads(next((tmp_path / "out").rglob(files[at])).read_text("utf-8"))["c1"] for at in ("神戸市", "灘区")
    )
    assert set(top["x"]) == set(drill["up"]) and not set(below["x"]) & set(top["x"])
    assert '<th scope="row">灘区</th>' in text and f'<th scope="row">{below["x"][0]}</th>' not in text


def test_a_table_opens_by_its_first_column_and_needs_its_columns(write_page, tables, tmp_path):
    table = '<DataTable data={inside} %s drill=上位 title="内訳" fmt=人/>\n'
    _, spec = compiled(write_page(INSIDE.format(where="") + table % 'columns="地域 人口"'), tables, tmp_path / "out")
    assert [column["head"] for column in spec["components"][0]["columns"]] == ["地域", "人口"]
    with pytest.raises(LoungeError, match="lacks columns"):
        compiled(write_page(INSIDE.format(where="") + table % ""), tables, tmp_path / "none")


def test_a_place_that_leads_to_no_top_stops_the_page(write_page, tables, tmp_path):
    page = INSIDE.format(where="AND p.area <> '28102'") + BAR
    with pytest.raises(LoungeError, match="names 灘区, which does not stand under 神戸市") as caught:
        compiled(write_page(page), tables, tmp_path / "out")
    assert caught.value.code == "page.drill" and UNEXPLAINED not in explain(caught.value)
