"""The catalogue finds what staff type, as the browser compares it too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import LoungeError
from kobe_platform.lounge.catalogue import catalogue_html, entry, fold, new_pages, newest_html, related_html
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.formats import Format
from kobe_platform.lounge.pages import CATEGORIES, load_pages
from kobe_platform.lounge.tables import write_tables
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.vocabulary.codes import hierarchies
from tests.unit.lounge.conftest import PROJECT

STATISTICS = Settings.model_fields["statistics"].default
WORDS = (
    "人口ピラミッド",
    "区別の人口",
    "転入・転出",
    "５歳階級",
    "ぴらみっど",
    "ＡＢＣ　abc",
    "ﾋﾟﾗﾐｯﾄﾞ",
    "ヶ月・ヵ所",
    "（年次）",
)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("人口ピラミッド", "ward_population"),
        ("区別の人口", "ward_population"),
        ("転入・転出", "ward_moves"),
        ("転入転出", "district_moves"),
        ("５歳階級", "ward_population"),
        ("ぴらみっど", "ward_population"),
        ("ﾋﾟﾗﾐｯﾄﾞ", "district_population"),
        ("在留資格", "district_foreigners"),
        ("県内", "monthly_moves"),
    ],
)
def test_free_words_find_their_page(tables, tmp_path, typed, found):
    page = load_pages(PROJECT / "dashboards")[found]
    text = entry(page, compile_page(page, tables, tmp_path), [])["text"]
    assert fold(typed) in text


def test_words_do_not_run_together_over_items(tables, tmp_path):
    page = load_pages(PROJECT / "dashboards")["ward_population"]
    text = entry(page, compile_page(page, tables, tmp_path), [])["text"]
    assert fold("天気予報") not in text
    assert "\n" in text


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_browser_folds_and_formats_as_the_server_does():
    cases = [["人", 1234], ["±人", 0], ["±0.0歳", -0.04], ["0.0歳", 46.05], ["人", -1593], ["人", None], ["人", "X"]]
    formats = [Format.parse(code) for code, _ in cases]
    told = [
        [{"unit": f.unit, "digits": f.digits, "signed": f.signed}, v] for f, (_, v) in zip(formats, cases, strict=True)
    ]
    script = (
        f"import {{ fold }} from '{PROJECT}/dashboards/theme/src/folding.js';"
        f"import {{ figure }} from '{PROJECT}/dashboards/theme/src/formats.js';"
        f"const figures = {json.dumps(told)}.map(([f, v]) => figure(v, f));"
        f"console.log(JSON.stringify([{json.dumps(WORDS)}.map(fold), figures]))"
    )
    run = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    folded, figures = json.loads(run.stdout)
    assert folded == [fold(word) for word in WORDS]
    assert figures == [f.text(v) for f, (_, v) in zip(formats, cases, strict=True)]


def pages_of(*days: str | None):
    """Pages that only differ in slug and day of release."""
    page = load_pages(PROJECT / "dashboards")["ward_population"]
    return [
        replace(
            page,
            slug=f"page{number}",
            meta=page.meta.model_copy(update={"published": day and date.fromisoformat(day), "related": ("page1",)}),
        )
        for number, day in enumerate(days)
    ]


def test_pages_of_the_last_ninety_days_are_new_but_not_those_of_the_first_day():
    pages = pages_of("2025-01-01", "2025-10-31", "2025-11-02", "2026-01-31", None)
    assert new_pages(pages) == {"page2", "page3"}
    assert new_pages(pages_of("2026-01-09", "2026-01-09")) == frozenset()
    assert new_pages(pages_of(None)) == frozenset()


def test_the_list_of_new_pages_goes_by_day_of_release():
    html = newest_html(pages_of("2025-01-01", "2026-01-31", "2025-11-02"))
    assert re.findall(r"page\d", html) == ["page1", "page2", "page0"]
    assert "2026年1月31日" in html


def test_every_card_says_what_a_reader_chooses_by():
    html = catalogue_html(pages_of("2026-01-09"), {"page0": "2025年12月"})
    for words in (
        "データ：2025年12月まで",
        "公開：",
        "所管：企画調整局政策課",
        'data-star="page0"',
        'aria-pressed="false"',
    ):
        assert words in html
    assert "まだありません" in catalogue_html(pages_of("2026-01-09"), {})


@pytest.mark.parametrize(
    ("code", "example"), [("28100", "例：東灘区 人口、"), ("28203", "例：人口、"), ("28000", "例：神戸市 人口、")]
)
def test_the_example_of_a_search_is_of_the_place(monkeypatch, code, example):
    monkeypatch.setenv("KOBE_MUNICIPALITY", code)
    assert f'placeholder="{example}' in catalogue_html(pages_of("2026-01-09"), {})


def test_every_category_stands_there_and_one_without_a_page_cannot_be_chosen():
    html = catalogue_html(pages_of(None), {})
    for category in CATEGORIES:
        button = html.split(f'data-category="{category}"')[1].split(">")[0]
        assert (" disabled" in button) == (category != "人口"), category


def test_related_pages_are_named_only_to_those_who_may_see_them():
    page, other = pages_of(None, None)
    assert 'href="page1.html" data-carry' in related_html(page, [page, other])
    assert related_html(page, [page]) == ""


def test_a_related_page_that_is_not_there_is_refused_with_its_line(dashboards, write_page):
    folder = write_page("\n人口\n")
    path = folder / "pages/people.md"
    path.write_text(path.read_text().replace("application: R7-1\n", "application: R7-1\nrelated: [indeks]\n"))
    with pytest.raises(LoungeError) as caught:
        load_pages(folder)
    assert caught.value.at == {"file": "people.md", "line": 9, "key": "related"}
    assert "index" in caught.value.remedy


def test_the_portal_reads_public_figures_only():
    """A portal over personal data would be withheld without an application, and every site with it."""
    portal = load_pages(PROJECT / "dashboards")["index"]
    statistics = load_statistics(STATISTICS)
    assert portal.tables
    assert {statistics[table].kind for table in portal.tables} == {"public"}


def test_other_cities_are_the_same_in_contract_and_hierarchy():
    columns = {column.id: column for column in load_contracts(PROJECT / "assets/contracts")["city_comparison"].columns}
    for column, hierarchy in (("city_code", "compared_city"), ("figure", "compared_figure")):
        assert columns[column].list == hierarchy
        assert columns[column].listed == hierarchies()[hierarchy].leaves


BODY = """
```sql cities
SELECT DISTINCT period FROM city_comparison WHERE period < '2000' ORDER BY period
```

```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

<When data={cities} rows=none>
まだない
</When>

<When data={cities}>
<Dropdown name=area data={areas} value=area label=label title="区"/>
もうある
</When>

<When data={areas}>
区はある
</When>
"""


def test_a_part_stands_only_while_its_query_gives_rows(write_page, tables, tmp_path):
    page = load_pages(write_page(BODY))["people"]
    compile_page(page, tables, tmp_path)
    text = (tmp_path / "people.md").read_text()
    assert "まだない" in text
    assert "区はある" in text
    assert "もうある" not in text
    assert '"filters":[]' in text


def test_a_figure_whose_filter_does_not_stand_is_refused_with_its_line(write_page, tables, tmp_path):
    people = "```sql people\nSELECT period, area, value AS 人口, status FROM estimated_population\n```\n"
    value = '<BigValue data={people} value=人口 date=period filter="area" title="人口" fmt=人/>\n'
    page = load_pages(write_page(f"{BODY}\n{people}\n{value}"))["people"]
    with pytest.raises(LoungeError) as caught:
        compile_page(page, tables, tmp_path)
    assert caught.value.code == "page.filter" and "area" in str(caught.value)


def test_the_comparison_says_how_to_bring_figures_until_there_are_some(city, tmp_path):
    frames, dims, facts = city
    page = load_pages(PROJECT / "dashboards")["city_comparison"]
    nothing = {**frames, "city_comparison": frames["city_comparison"].clear()}
    write_tables(tmp_path / "empty", nothing, dims, facts["tables"])
    compile_page(page, tmp_path / "empty", tmp_path)
    assert "取り込まれていません" in (tmp_path / "city_comparison.md").read_text()
    rows = [
        ("2025-10", city_code, figure, value, "published")
        for city_code, figure, value in (
            ("28100", "population", 1_000_000),
            ("28100", "elderly", 291_000),
            ("28202", "population", 450_000),
        )
    ]
    told = pl.DataFrame(rows, schema=["period", "city", "figure", "value", "status"], orient="row")
    write_tables(tmp_path / "filled", {**frames, "city_comparison": told}, dims, facts["tables"])
    compile_page(page, tmp_path / "filled", tmp_path)
    text = (tmp_path / "city_comparison.md").read_text()
    assert "取り込まれていません" not in text
    assert "29.1" in text
    assert "尼崎市" in text
