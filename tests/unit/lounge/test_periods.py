"""A year that lacks months says so wherever it is printed, and is compared with no year of other months."""

from __future__ import annotations

import json
import shutil

import pytest

from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.periods import DIFFERS, UNLIKE, Periods, latest_label, span_label
from kobe_platform.lounge.tables import TableFacts, read_index, write_tables
from kobe_platform.synthesis.published import published


def months(*numbers: int, year: str = "2025") -> list[str]:
    return [f"{year}-{number:02d}" for number in numbers]


@pytest.mark.parametrize(
    ("there", "label"),
    [
        (range(1, 13), "2025年"),
        (range(7, 13), "2025年（7〜12月）"),
        ([12], "2025年（12月）"),
        ([m for m in range(1, 13) if m != 3], "2025年（3月を除く）"),
        ([m for m in range(1, 13) if m not in (3, 4, 8)], "2025年（3〜4・8月を除く）"),
        ([1, 12], "2025年（1・12月）"),
        ([2, 3, 12], "2025年（2〜3・12月）"),
    ],
)
def test_a_year_names_the_months_that_it_has_or_the_few_that_it_lacks(there, label):
    table = TableFacts("births_year", {}, months={"2025": tuple(months(*there))})
    assert Periods.of([table]).label("2025") == label


def test_labels_follow_eras_and_leave_other_texts_alone():
    periods = Periods({"2025": (7, 8)})
    assert periods.label("2025", era=True) == "令和7年（7〜8月）"
    assert [periods.label(text) for text in ("2024", "2025-07", "総数")] == ["2024年", "2025年7月", "総数"]


def test_tables_of_other_months_under_one_figure_are_told_apart():
    half, whole = (
        TableFacts(name, {}, months={"2025": tuple(months(*there))})
        for name, there in (("a", range(7, 13)), ("b", range(1, 13)))
    )
    periods = Periods.of([half, whole])
    assert periods.label("2025") == f"2025年（{DIFFERS}）"
    assert not periods.alike("2025", "2025")


def test_only_years_of_the_same_months_are_alike():
    periods = Periods({"2024": (7, 8), "2025": (7, 8), "2026": (1,)})
    assert periods.alike("2024", "2025") and periods.alike("2022", "2023")
    assert not periods.alike("2025", "2026") and not periods.alike("2023", "2024")


def test_the_manual_names_every_year_of_a_table_that_lacks_months():
    told = {"2023": months(7, 8, year="2023"), "2024": months(*range(2, 13), year="2024")}
    table = TableFacts("a", {}, periods=("2023", "2025"), rows=1, months=told)
    assert span_label(table) == "2023年（7〜8月）〜2025年（2024年（2〜12月））"
    assert latest_label([table]) == "2025年"


PAGE = """
```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql years
SELECT DISTINCT period FROM births_year ORDER BY period
```

```sql births
SELECT period, area, value AS 件数, status FROM births_year WHERE area_level <= 1 ORDER BY period
```

```sql rows
SELECT period, period_label AS 年, value AS 件数, status FROM births_year WHERE area = '28100' ORDER BY period
```

<Filters>
<Dropdown name=area data={areas} value=area label=label title="区"/>
<Period name=period data={years} value=period title="年"/>
</Filters>

<BigValue data={births} value=件数 date=period filter="area period" title="出生" fmt=件/>
<LineChart data={births} x=period y=件数 filter="area" title="推移" fmt=件/>
<BarChart data={births} x=area y=件数 filter="period" title="区別" fmt=件/>
<DataTable data={rows} title="表" fmt=件/>
"""


@pytest.fixture(scope="module")
def half_years(tmp_path_factory):
    """Tables of 2024, which is whole, and of 2025, which has half its months; another of 2025 alone."""

    def write(*those: str):
        frames, dims, facts = published(months=those)
        told = {year: [m for m in those if m[:4] == year] for year in {m[:4] for m in those}}
        facts["tables"]["births_year"]["months"] = told
        directory = tmp_path_factory.mktemp("half") / "tables"
        write_tables(directory, frames, dims, facts["tables"])
        return directory

    return write(*months(*range(1, 13), year="2024"), *months(*range(7, 13))), write(*months(*range(7, 13)))


def compiled(folder, tables, out):
    compile_page(load_pages(folder)["people"], tables, out)
    text = (out / "people.md").read_text(encoding="utf-8")
    spec = json.loads(text.split('id="lounge-spec">')[1].split("</script>")[0])
    return text, spec


@pytest.mark.slow
def test_every_place_of_a_page_that_prints_such_a_year_names_its_months(write_page, half_years, tmp_path):
    text, spec = compiled(write_page(PAGE), half_years[0], tmp_path / "out")
    assert '<option value="2025" selected>2025年（7〜12月）</option>' in text
    assert '<option value="2024">2024年</option>' in text
    assert '<th scope="row">2025年（7〜12月）</th>' in text
    assert '<figcaption>区別<span class="lounge-covers">2025年（7〜12月）</span></figcaption>' in text
    assert "<td>2025（7〜12月）</td><td>2025年（7〜12月）</td>" in text
    assert "月がそろっていない年があります：2025年（7〜12月）。" in text
    assert "<dt>最新のデータ</dt><dd>2025年（7〜12月）</dd>" in text
    assert "<td>2024年〜2025年（7〜12月）</td>" in text
    assert all(component["opts"]["months"] == {"2025": "7〜12月"} for component in spec["components"])


def test_a_chart_over_a_change_of_districts_says_so_below_it_and_no_other_does(write_page, half_years, tmp_path):
    told, words = tmp_path / "told", "甲・乙は丙に変わりました"
    shutil.copytree(half_years[0], told)
    record = json.loads((told / "tables.json").read_text())
    record["tables"]["births_year"]["more"] |= {"areas_changed": [["2025-04", words]]}
    (told / "tables.json").write_text(json.dumps(record))
    text, _ = compiled(write_page(PAGE), told, tmp_path / "out")
    note = text.index(f"小学校区の変更：2025年4月に{words}。")
    assert text.index(">推移<") < note < text.index(">区別<") and text.count(words) == 1


def test_a_year_of_half_its_months_is_not_compared_with_a_whole_one(write_page, half_years, tmp_path):
    text, _ = compiled(write_page(PAGE), half_years[0], tmp_path / "out")
    assert f"<span>前年比</span> <b>{UNLIKE}</b>" in text


def test_one_period_is_a_bar_and_says_so(write_page, half_years, tmp_path):
    text, _ = compiled(write_page(PAGE), half_years[1], tmp_path / "out")
    assert "データが1時点だけなので、推移の線ではなく棒で示しています。" in text
    assert "推移（棒グラフ）" in text and "折れ線グラフ" not in text


def test_a_release_without_the_key_has_whole_years(write_page, half_years, tmp_path):
    record = json.loads((half_years[0] / "tables.json").read_text())
    for table in record["tables"].values():
        del table["months"]
    old = tmp_path / "old"
    old.mkdir()
    for path in half_years[0].iterdir():
        (old / path.name).write_bytes(path.read_bytes())
    (old / "tables.json").write_text(json.dumps(record))
    facts, _ = read_index(old)
    assert not Periods.of(facts.values()).incomplete
    text, spec = compiled(write_page(PAGE), old, tmp_path / "out")
    assert "（7〜12月）" not in text and "months" not in spec["components"][0]["opts"]


def test_tables_that_differ_in_their_months_alone_make_other_pages(half_years, tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in half_years[0].iterdir():
        (aside / path.name).write_bytes(path.read_bytes())
    text = (aside / "tables.json").read_text().replace('"2025-12"', '"2025-11"')
    (aside / "tables.json").write_text(text)
    with ReleaseDatabase(half_years[0]) as one, ReleaseDatabase(aside) as other:
        assert one.digest(["births_year"]) != other.digest(["births_year"])
