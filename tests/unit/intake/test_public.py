"""Public figures are taken as their contract says, or refused at their file, line and column."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

import pytest

from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Number
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.extracts import take_in
from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.codes import wards

from .handmade import deliver

ESTIMATES, MONTH = "estimated_population", "2025-11"
REAL = PROJECT.parent / "shared" / "data" / "kobe_estimated_population_monthly_2010-10_2018-01.csv"
FORMS = [
    "2025-11-01", "2025/11/1", "20251101", "2025年11月1日", "令和7年11月1日", "R7.11.1", "２０２５／１１／０１",
    "2025年11月",
]  # fmt: skip
NUMBERS = [("1,234", 1234), ("1234.0", 1234), ("１，２３４", 1234), ("12,345,678.00", 12345678)]


@pytest.fixture
def contract(contracts) -> Contract:
    return contracts[ESTIMATES]


def rows(**changed) -> list[dict[str, str]]:
    """A city of nine wards of 11 men and 9 women each in 4 households."""

    def row(code: str, times: int) -> dict[str, str]:
        figures = {"households": 4, "population": 20, "male": 11, "female": 9}
        told = {name: str(value * times) for name, value in figures.items()}
        return {"as_of": f"{MONTH}-01", "ward_code": code, **told, "basis": "published", **changed}

    return [row("28100", 9), *(row(code, 1) for code in wards())]


def take(tmp_path, contract, told, month=MONTH):
    return take_in(deliver(tmp_path, contract, told, month), contract).frame


def refusal(tmp_path, contract, told, month=MONTH) -> tuple:
    with pytest.raises(DeliveryRejected) as caught:
        take(tmp_path, contract, told, month)
    at = caught.value.at
    return caught.value.code, at.get("line"), at.get("column")


@pytest.mark.parametrize("as_of", FORMS)
def test_days_are_read_in_every_form_that_cities_write(tmp_path, contract, as_of):
    assert take(tmp_path, contract, rows(as_of=as_of))["as_of"].unique().to_list() == ["2025-11-01"]


@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        ("2019-11-01", "period.other"),
        ("2025-12-01", "period.other"),
        ("2025-02-31", "value.form"),
        ("2025-11-02", "value.form"),
        ("2025-13-01", "value.form"),
        ("11月", "value.form"),
        ("", "value.form"),
    ],
)
def test_a_day_of_another_period_or_of_no_calendar_is_refused(tmp_path, contract, as_of, code):
    told = rows()
    told[3]["as_of"] = as_of
    assert refusal(tmp_path, contract, told) == (code, 5, "as_of")


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_numbers_are_read_as_tables_print_them(tmp_path, contract, text, number):
    free = contract.model_copy(update={"sums": (), "totals": ()})
    told = rows()
    told[1]["population"] = text
    assert take(tmp_path, free, told)["population"][1] == number


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("population", "27,90", "value.form"),
        ("population", "1,2345", "value.form"),
        ("population", "20.5", "value.form"),
        ("population", "－", "value.form"),
        ("population", "***", "value.form"),
        ("population", "-5", "value.range"),
        ("population", "▲5", "value.range"),
        ("population", "△1,234", "value.range"),
        ("ward_code", "28199", "code.unlisted"),
        ("ward_code", "28103", "code.unlisted"),
        ("ward_code", "東灘区", "code.unlisted"),
        ("population", "21", "sum.parts"),
        ("households", "5", "sum.whole"),
        ("basis", "guessed", "value.form"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_at_its_place(tmp_path, contract, column, text, code):
    told = rows()
    told[4][column] = text
    line = 2 if code == "sum.whole" else 6
    assert refusal(tmp_path, contract, told) == (code, line, column)


@pytest.mark.parametrize("text", ["－", "-", "…", "***", "X", "・・・"])
def test_marks_for_no_figure_are_read_where_the_contract_declares_them(tmp_path, contract, text):
    marks = ("－", "…", "***", "X", "・・・")
    columns = tuple(
        column.model_copy(update={"missing": marks}) if isinstance(column, Number) else column
        for column in contract.columns
    )
    told = rows()
    told[4]["households"] = text
    frame = take(tmp_path, contract.model_copy(update={"columns": columns}), told)
    assert frame["households"][4] is None and frame.height == 10


def test_a_ward_or_the_city_that_is_missing_is_named(tmp_path, contract):
    assert refusal(tmp_path, contract, rows()[1:]) == ("key.absent", None, "ward_code")
    without_totals = contract.model_copy(update={"totals": ()})
    assert refusal(tmp_path, without_totals, rows()[:-1]) == ("key.absent", None, "ward_code")
    assert refusal(tmp_path, contract, rows()[:-1])[0] == "sum.whole"


def test_a_figure_that_stands_twice_with_other_values_is_refused(tmp_path, contract):
    told = [*rows(), {**rows()[2], "households": "6"}]
    assert refusal(tmp_path, contract, told)[:2] == ("key.conflict", 12)


def test_a_month_comes_as_published_and_as_revised(tmp_path, contract):
    assert take(tmp_path, contract, [*rows(), *rows(basis="revised")]).height == 20


def test_a_share_of_wrong_rows_is_set_aside_and_counted_where_the_contract_allows_it(tmp_path, contract):
    told = rows()
    told[4]["households"] = "many"
    lenient = contract.thresholds.model_copy(update={"set_aside": 0.2})
    free = contract.model_copy(update={"thresholds": lenient, "sums": (), "totals": (), "complete": ()})
    taken = take_in(deliver(tmp_path, free, told, MONTH), free)
    assert taken.frame.height == 9 and taken.facts["set_aside"] == {"value.form": 1}


def test_relations_between_figures_belong_to_public_contracts(contracts):
    told = contracts["resident_register"].model_dump(by_alias=True)
    told["complete"] = [{"column": "sex", "values": ["1"]}]
    with pytest.raises(ValueError, match="belong to public contracts"):
        Contract(**told)


def test_a_list_that_the_vocabulary_lacks_is_refused_at_loading(contracts):
    told = contracts[ESTIMATES].model_dump(by_alias=True)
    told["columns"][1]["list"] = "prefectuers"
    with pytest.raises(ValueError, match="no list prefectuers"):
        Contract(**told)


@pytest.mark.skipif(not REAL.is_file(), reason="the shared figures are not here")
def test_every_month_that_the_city_published_is_taken_as_it_is(tmp_path, contract):
    months: dict[str, list[dict]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(REAL.read_text("utf-8"))):
        months[row["as_of"][:7]].append(row)
    for month, told in sorted(months.items())[::8]:
        assert take(tmp_path, contract, told, month).height == len(told)
