"""A page says whether there is a forecast, why there is none, or from when there may be one; a card tells the rest."""

import re
import shutil
from dataclasses import replace

import polars as pl
import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.forecasts.methods import BEST, LEAST_HISTORY
from kobe_platform.forecasts.methods import METHODS as FUNCTIONS
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.forecasts import EARLY, METHODS, REFUSED, card_html, state_html
from kobe_platform.lounge.pages import load_page
from kobe_platform.lounge.tables import read_index, write_tables
from kobe_platform.settings import Settings
from kobe_platform.synthesis.published import published

DASHBOARDS = Settings().dashboards
PAGE = DASHBOARDS / "pages" / "school_entry.md"


def test_a_method_has_its_words_for_readers_and_a_least_history():
    assert METHODS.keys() == LEAST_HISTORY.keys() == {*FUNCTIONS, BEST}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    made, dims, facts = published()
    write_tables(folder, made, dims, facts["tables"])
    return folder


@pytest.fixture(scope="module")
def facts(tables):
    return read_index(tables)[0]


def judged(facts, *states: str):
    """The facts of the forecast with these states of its horizons."""
    table = facts["school_entry"]
    backtest = table.more["backtest"]
    horizons = [{**one, "state": state} for one, state in zip(backtest["horizons"], states, strict=True)]
    return replace(table, more={**table.more, "backtest": {**backtest, "horizons": horizons}})


def test_a_forecast_that_passed_says_from_when_and_how_wrong_it_was(facts):
    told = state_html(judged(facts, "shown", "shown", "worse"), facts)
    assert "2025年12月までの公表値" in told and "0.6%" in told and "0.80倍" in told
    assert "3年先は、検証の結果、表示していません" in told and REFUSED not in told


def test_a_withheld_forecast_says_so_with_the_reason(facts):
    told = state_html(judged(facts, "worse", "worse", "origins"), facts)
    assert REFUSED in told and "単純な見込みより誤差が大きい" in told


def test_a_short_series_says_from_when_there_may_be_a_forecast(facts):
    early = judged(facts, "origins", "origins", "origins")
    told = state_html(early, facts)
    assert EARLY in told and REFUSED not in told
    assert "30か月以上" in told and "2028年3月のデータが公表されたとき" in told, (
        "2025-07 and 29 months, then the next March"
    )
    never = replace(early, more={name: one for name, one in early.more.items() if name != "backtest"})
    assert state_html(never, facts) == told
    nothing = {**facts, "population_age_ward": replace(facts["population_age_ward"], rows=0)}
    assert "まだありません" in state_html(never, nothing)


def test_a_card_tells_what_the_file_says_and_is_inert(facts):
    table = facts["school_entry"]
    forecast = {**table.more["forecast"], "purpose": "<script>x</script>"}
    card = card_html(replace(table, more={**table.more, "forecast": forecast}), facts)
    assert "<script>" not in card and "&lt;script&gt;" in card
    for words in ("使ってはいけないこと", "学校ごと・校区ごと", "2027-06-30", "コーホート変化率法", "0.80"):
        assert words in card


def test_a_card_names_the_method_that_won_at_each_horizon_and_none_that_was_not_tried(facts):
    table = facts["future_population"]
    backtest = table.more["backtest"]
    told = [
        {**backtest["horizons"][0], "method": "cohort_component"},
        {**backtest["horizons"][1], "method": "cohort_change"},
        {**backtest["horizons"][2], "method": "cohort_change", "origins": 0, "state": "origins"},
    ]
    card = card_html(replace(table, more={**table.more, "backtest": {**backtest, "horizons": told}}), facts)
    rows = re.findall(r'<tr><th scope="row">(.+?)</th>.*?<td>([^<]*)</td></tr>', card)
    assert rows == [("1年先", "コーホート要因法"), ("2年先", "コーホート変化率法"), ("3年先", "…")]
    assert "選んだ手法" in card and "選んだ手法" not in card_html(facts["school_entry"], facts)


def test_a_card_tells_parameters_in_words_and_without_decimals_that_say_nothing(facts):
    one = facts["school_entry"]
    given = {"pseudo_persons": 500.0, "controlled": True, "variant": "difference", "smoothing": 1}
    parameters = {**one.more["forecast"]["parameters"], **given}
    forecast = {**one.more["forecast"], "parameters": parameters}
    card = card_html(replace(one, more={**one.more, "forecast": forecast}), facts)
    [method] = re.findall(r"<dt>手法</dt><dd>(.*?)</dd>", card)
    assert "重み(人) 500、" in method and "取り方 人数の差" in method and "年齢の数 1" in method
    assert not re.search(r"True|difference|\d\.0", method)


def test_a_long_series_whose_gaps_leave_nothing_to_test_promises_no_month_that_is_past(facts):
    table = facts["moves_in_ahead"]
    untried = [{**one, "origins": 0, "state": "origins"} for one in table.more["backtest"]["horizons"]]
    more = {**table.more, "backtest": {**table.more["backtest"], "horizons": untried}}
    source = replace(facts["moves_in_month"], periods=("2020-01", "2025-12"))
    told = state_html(replace(table, more=more), {**facts, "moves_in_month": source})
    assert EARLY in told and "秘匿した値" in told and "早ければ" not in told
    short = replace(source, periods=("2025-01", "2025-12"))
    assert "早ければ、2027年6月" in state_html(replace(table, more=more), {**facts, "moves_in_month": short})


def test_a_card_is_drawn_of_a_release_that_was_made_before_forecasts_had_flows(facts):
    table = facts["school_entry"]
    forecast = {name: one for name, one in table.more["forecast"].items() if name != "flows"}
    before = card_html(replace(table, more={**table.more, "forecast": forecast}), facts)
    assert "公表表「" in before and before == card_html(table, facts)


def page_with(tmp_path, old: str, new: str):
    """The page of school entry with one tag changed."""
    copied = tmp_path / "dashboards"
    shutil.copytree(DASHBOARDS, copied, ignore=shutil.ignore_patterns("theme"))
    text = PAGE.read_text("utf-8")
    assert old in text
    (copied / "pages" / PAGE.name).write_text(text.replace(old, new, 1), "utf-8")
    return load_page(copied / "pages" / PAGE.name, copied)


@pytest.mark.parametrize(
    ("old", "new", "code", "remedy"),
    [
        ("<Forecast table=school_entry/>", "<Forecast table=school_entrie/>", "page.forecast", "school_entry"),
        (' upper="上限（80%区間）"', "", "page.attribute", "upper"),
        (' lower="下限（80%区間）"', "", "page.attribute", "lower"),
        ("series=区分 lower", "lower", "page.attribute", "series"),
    ],
)
def test_a_wrong_tag_is_refused_with_its_line(tmp_path, tables, old, new, code, remedy):
    page = page_with(tmp_path, old, new)
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as refused:
        compile_page(page, database, tmp_path / "out")
    assert refused.value.code.startswith(code) and remedy in refused.value.remedy
    assert refused.value.at["line"] > 0


def test_the_page_stands_without_any_forecast(tmp_path, facts):
    made, dims, told = published()
    made["school_entry"] = made["school_entry"].clear()
    made["population_age_ward"] = made["population_age_ward"].filter(pl.col("period") <= "2025-09")
    told["tables"]["school_entry"].pop("backtest")
    write_tables(tmp_path / "tables", made, dims, told["tables"])
    compiled = compile_page(load_page(PAGE, DASHBOARDS), tmp_path / "tables", tmp_path / "out")
    text = (tmp_path / "out" / "school_entry.md").read_text("utf-8")
    assert EARLY in text and "## 必要な学級数" not in text and "小学校区ごとの入学者数" in text
    assert compiled.components == 3, "the districts have a forecast of their own"
