"""Lines, notes and shares over charts: what the browser is given, what readers are told, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.explanations import UNEXPLAINED, explain
from kobe_platform.lounge.pages import load_pages
from tests.unit.lounge.conftest import PROJECT

PEOPLE = """
```sql people
SELECT period, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' ORDER BY period
```

```sql hidden
SELECT value AS 外国人, status FROM foreigners_nationality_ward WHERE status = 'suppressed' LIMIT 1
```

```sql first
SELECT value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' AND period = '2025-07'
```

"""
AGES = """
```sql ages
SELECT period, age_label AS 年齢, value AS 人口, status FROM population_ward
WHERE {which} AND sex = 'total' AND area = '28100' ORDER BY period, age_sort
```

"""


def compiled(folder, tables, out) -> tuple[str, dict]:
    compile_page(load_pages(folder)["people"], tables, out)
    text = (out / "people.md").read_text("utf-8")
    spec = text.partition('id="lounge-spec"')[2].partition(">")[2].partition("</script>")[0]
    return text, json.loads(spec)["components"][0]


def line(inside: str) -> str:
    return f'{PEOPLE}<LineChart data={{people}} x=period y=人口 title="線" fmt=人>\n{inside}\n</LineChart>\n'


def test_lines_and_notes_reach_the_browser_and_stand_below_the_chart_in_words(write_page, tables, tmp_path):
    import polars as pl

    inside = (
        '<ReferenceLine y={first.人口} label="はじめ"/>\n<ReferenceLine x=2025-09 label="調査"/>\n'
        '<Annotation x=2025-08 to=2025-10 label="期間 <b>"/>\n<Annotation x=2030-01 y=5.5 label="点"/>'
    )
    text, spec = compiled(write_page(line(inside)), tables, tmp_path / "out")
    first = pl.read_parquet(tables / "population_ward.parquet").filter(
        (pl.col("area") == "28100") & (pl.col("period") == "2025-07") & (pl.col("age") == "total")
        & (pl.col("sex") == "total")
    )["value"][0]  # fmt: skip
    assert spec["opts"]["lines"] == [{"y": first, "label": "はじめ"}, {"x": "2025-09", "label": "調査"}]
    assert spec["opts"]["notes"] == [
        {"x": "2025-08", "to": "2025-10", "label": "期間 <b>"},
        {"x": "2030-01", "y": 5.5, "label": "点"},
    ]
    assert '<span class="lounge-guide" data-x="2025-09">目印「調査」：2025年9月</span>' in text
    assert '<span class="lounge-guide" data-x="2030-01" hidden>注記「点」' in text, "outside the axis, so not listed"
    assert f"基準線「はじめ」：{first:,}人" in text and "注記「期間 &lt;b&gt;」：2025年8月～2025年10月" in text


def test_a_hidden_figure_draws_no_line_and_says_so(write_page, tables, tmp_path):
    text, spec = compiled(
        write_page(line('<ReferenceLine y={hidden.外国人} label="外国人"/>')), tables, tmp_path / "out"
    )
    assert "lines" not in spec["opts"]
    assert "基準線「外国人」：秘匿のため描いていません" in text


FAULTS = [
    ('<ReferenceLine y=多い label="a"/>', "page.attribute", "write a number"),
    ('<ReferenceLine y={frist.人口} label="a"/>', "page.attribute", "did you mean first?"),
    ('<ReferenceLine y={first.人ロ} label="a"/>', "page.column", "did you mean 人口?"),
    ('<ReferenceLine y={people.人口} label="a"/>', "page.value", "LIMIT 1"),
    ('<ReferenceLine y={people.period} label="a"/>', "page.value", "LIMIT 1"),
    ('<ReferenceLine label="a"/>', "page.attribute", "x and y"),
    ('<ReferenceLine y=1 x=2025-08 label="a"/>', "page.attribute", "x and y"),
    ("<ReferenceLine y=1/>", "page.attribute", "add label"),
    ('<ReferenceLine z=1 label="a"/>', "page.attribute", "there are"),
    ('<ReferenceLine x=8月 label="a"/>', "page.place", "2025-12"),
    ('<Annotation x=2025 to=2025-10 label="a"/>', "page.place", "2025-12"),
    ('<Annotation x=2025-10 to=2025-10 label="a"/>', "page.place", "later"),
    ('<Annotation x=2025-10 label="a"/>', "page.attribute", "y and to"),
    ('<Notice title="a">b</Notice>', "page.nesting", "there are"),
    ("文章", "page.nesting", "below"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("inside", "code", "remedy"), FAULTS)
def test_a_line_or_note_that_the_chart_cannot_hold_is_refused(write_page, tables, tmp_path, inside, code, remedy):
    folder = write_page(line(inside))
    with pytest.raises(LoungeError) as caught:
        compile_page(load_pages(folder)["people"], tables, tmp_path / "out")
    assert caught.value.code == code and remedy in caught.value.remedy
    assert caught.value.at["line"] == 27
    assert UNEXPLAINED not in explain(caught.value)


def test_a_line_outside_of_charts_is_told_by_the_check(write_page):
    folder = write_page('\n<ReferenceLine y=1 label="a"/>\n')
    found = check_folder(folder, {"population_ward": "public"}).faults
    assert [(fault.code, fault.at["line"]) for fault in found] == [("page.nesting", 12)]
    assert "LineChart" in found[0].remedy and "グラフの中" in explain(found[0])


def shares(which: str, normalize: str = "総数") -> str:
    chart = f'<AreaChart data={{ages}} x=period y=人口 series=年齢 normalize={normalize} title="割合" fmt=人/>'
    return AGES.format(which=which) + chart + "\n"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_browser_never_draws_a_stack_with_a_hidden_part_as_the_whole():
    record = {"x": ["a", "b", "c", "d", "e"], "s": ["計", "一", "二"]}
    rows = [[10, 10, "X", None, 0], [4, 7, 5, 1, 0], [6, "X", 5, 2, 0]]
    cases = [
        [{"kind": "BarChart", "opts": {"stacked": True, "total": "計"}}, record, rows],
        [{"kind": "AreaChart", "opts": {"stacked": True}}, {**record, "s": ["一", "二"]}, rows[1:]],
        [{"kind": "BarChart", "opts": {"stacked": True}}, {**record, "s": ["一", "二"]}, rows[1:]],
        [{"kind": "LineChart", "opts": {}}, record, rows],
    ]
    script = (
        f"import {{ roomy, stacked }} from '{PROJECT}/dashboards/theme/src/stacks.js';"
        f"const drawn = {json.dumps(cases)}.map((one) => stacked(...one));"
        "console.log(JSON.stringify([drawn, roomy([0, 1, 2, 5, 6], 10, 100)]))"
    )
    run = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    (share, area, bars, lines), places = json.loads(run.stdout)
    nothing = [None] * 4
    assert share == {"names": ["一", "二"], "rows": [[40, *nothing], [60, *nothing]], "hidden": [1, 2]}
    assert area == {"names": ["一", "二"], "rows": [[4, None, 5, 1, 0], [6, None, 5, 2, 0]], "hidden": [1]}
    assert bars == {"names": ["一", "二"], "rows": rows[1:], "hidden": [1]}
    assert lines == {"names": record["s"], "rows": rows, "hidden": []}
    assert places == [0, 2, 5], "ten pixels apart is too near"


def test_shares_keep_their_counts_in_the_table_and_name_the_published_total(write_page, tables, tmp_path):
    text, spec = compiled(write_page(shares("(age_level = 1 OR age = 'total')")), tables, tmp_path / "out")
    assert spec["opts"]["total"] == "総数" and spec["opts"]["stacked"] is True
    assert '<th scope="col">総数</th>' in text


@pytest.mark.parametrize(
    ("which", "normalize", "remedy"),
    [
        ("age_level = 1", "総数", "there are: 0〜14歳"),
        ("(age_level = 1 OR age = 'total')", "総敷", "did you mean 総数?"),
        ("(age_level = 1 OR age_leaf OR age = 'total')", "総数", "the parts of one total, each once"),
    ],
)
def test_shares_without_a_published_total_or_of_overlapping_parts_are_refused(
    write_page, tables, tmp_path, which, normalize, remedy
):
    folder = write_page(shares(which, normalize))
    with pytest.raises(LoungeError) as caught:
        compile_page(load_pages(folder)["people"], tables, tmp_path / "out")
    assert caught.value.code == "page.shares" and remedy in caught.value.remedy
    assert UNEXPLAINED not in explain(caught.value)


def test_an_axis_in_eras_tells_its_periods_so_in_table_and_words(write_page, tables, tmp_path):
    inside = '<ReferenceLine x=2025-09 label="調査"/>'
    page = line(inside).replace("x=period", "x=period axis=和暦")
    text, spec = compiled(write_page(page), tables, tmp_path / "out")
    assert spec["opts"]["era"] is True
    assert "目印「調査」：令和7年9月" in text and '<th scope="row">令和7年7月</th>' in text
    assert "2025年7月</th>" not in text


def test_an_axis_in_eras_is_one_of_periods(write_page, tables, tmp_path):
    page = AGES.format(which="age_leaf AND period = '2025-12'") + (
        '<BarChart data={ages} x=年齢 y=人口 axis=和暦 title="棒" fmt=人/>'
    )
    with pytest.raises(LoungeError, match="axis=和暦 is for periods") as caught:
        compile_page(load_pages(write_page(page))["people"], tables, tmp_path / "out")
    assert caught.value.code == "page.axis"
    assert UNEXPLAINED not in explain(caught.value)


WARDS = """
```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql people
SELECT period, area, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' ORDER BY period
```

```sql goals
SELECT area, CASE WHEN area = '28109' THEN NULL ELSE value + 5 END AS 目標,
  CASE WHEN area = '28109' THEN 'suppressed' ELSE status END AS status
FROM population_ward WHERE age = 'total' AND sex = 'total' AND period = '{period}' AND area <> '28102'
```

<Dropdown name=area data={{areas}} value=area label=label title="区"/>
<LineChart data={{people}} x=period y=人口 filter=area title="線" fmt=人>
<ReferenceLine y={{goals.目標}} label="目標"/>
<ReferenceLine y=7 label="七"/>
</LineChart>
"""


def test_a_figure_of_a_query_with_the_charts_filter_follows_it(write_page, tables, tmp_path):
    import polars as pl

    text, spec = compiled(write_page(WARDS.format(period="2025-07")), tables, tmp_path / "out")
    assert spec["opts"]["lines"] == [{"g": 0, "label": "目標"}, {"y": 7, "label": "七"}]
    slices = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "out/data/people").iterdir()]
    found = sorted((one["c1"]["g"][""] for one in slices), key=str)
    totals = pl.read_parquet(tables / "population_ward.parquet").filter(
        (pl.col("period") == "2025-07") & (pl.col("age") == "total") & (pl.col("sex") == "total")
    )
    goals = [[n + 5] for n in totals.filter(~pl.col("area").is_in(["28102", "28109"]))["value"]]
    assert found == sorted([*goals, ["X"], [None]], key=str)
    city = totals.filter(pl.col("area") == "28100")["value"][0] + 5
    assert (
        f'基準線「目標」：<span data-level="0">{city:,}人</span></span>　<span class="lounge-guide">基準線「七」：7人'
        in text
    )


def test_a_figure_that_follows_is_one_for_each_choice(write_page, tables, tmp_path):
    page = WARDS.format(period="2025-07").replace("AND period = '2025-07' ", "")
    with pytest.raises(LoungeError, match="several rows for one choice of area") as caught:
        compile_page(load_pages(write_page(page))["people"], tables, tmp_path / "out")
    assert caught.value.code == "page.value" and UNEXPLAINED not in explain(caught.value)
