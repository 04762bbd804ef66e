"""Cases of docs/field_reports.md: small files of kinds that people in the field reported, taken by contract alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kobe_platform.contracts import Contract
from kobe_platform.errors import DeliveryRejected
from kobe_platform.settings import PROJECT

from .conftest import REGISTER
from .handmade import abstracted, person
from .published_tables import column, contract, layout
from .test_published_tables import taken

SHARED = PROJECT.parent / "shared" / "data" / "field_reports"
DISTRICTS = {"12番地": "0102", "十二番地": "0102", "二十三番地": "0102", "一二番地": "0102", "百五番地": "unknown",
             "5番地": "0101", "一千二百番地": "unknown", "廿三番地": "0102"}  # fmt: skip
"""Where lots 1 to 10 of a town are one school district and 11 to 30 another."""


def lots() -> list[str]:
    if (SHARED / "lots.csv").is_file():
        return [row["番地"] for row in csv.DictReader((SHARED / "lots.csv").read_text("utf-8").splitlines())]
    return list(DISTRICTS)


def test_lots_in_kanji_find_their_school_district_or_none(tmp_path, contracts, monkeypatch):
    from . import handmade

    lot_from, lot_to = (
        handmade.TOWNS["lot_from"].replace(101, 11),
        handmade.TOWNS["lot_to"].replace([100, 200], [10, 30]),
    )
    towns = handmade.TOWNS.with_columns(lot_from, lot_to)
    monkeypatch.setattr(handmade, "TOWNS", towns)
    rows = [
        person(number, household_no=f"{number:012d}", lot=lot, school_district="")
        for number, lot in enumerate(lots(), 1)
    ]
    made = abstracted(tmp_path, contracts[REGISTER], rows)
    found = made.frame["district"].to_list()
    assert sorted(found) == sorted(DISTRICTS[lot] for lot in lots())


COMPARED = """key = ["city", "figure"]---""" + layout(spread="(?P<figure>人口|世帯数|出生)", figures="value") + """
[[complete]]
column = "city"
values = ["28100"]
""" + (
    column("city", "団体コード", more='list = "compared_city"\nsystem = "local-government"')
    + column("name", "都市", "drop")
    + column("as_of", "時点", "day", 'within = "any"')
    + column("figure", "指標", more='codes = { "人口" = "population", "世帯数" = "households", "出生" = "births" }')
)  # fmt: skip
VALUE = column("value", "値", "number", "least = 0")
MARKED = column("value", "値", "number", 'least = 0\nmissing = ["－", "…"]')
HEADER = "団体コード,都市,時点,人口,世帯数,出生\n"
SOUND = "281000,神戸市,2025/10/1,1500000,750000,9000\n"


def compared(tmp_path: Path, text: str, value: str = VALUE) -> tuple:
    read = contract(COMPARED + value)
    rows = text.count("\n") - 1
    try:
        return taken(tmp_path, read, {"odd.csv": text}, {"odd.csv": rows}).frame.height
    except DeliveryRejected as error:
        at = error.at
        return error.code, at.get("line"), at.get("column"), at.get("column_number"), at.get("declare")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('271004,大阪市,2025/10/1,"2,790,000",1468000.0,21000', 6),
        ("011002,札幌市,令和7年10月1日,1966000,２３４,11000", 6),
        ('271004,大阪市,2025/10/1,"27,90",1468000,21000', ("value.form", 2, "value", 4, None)),
        ("231002,名古屋市,2025-02-31,2326000,1140000,5", ("value.form", 2, "as_of", 4, None)),
        ("231002,名古屋市,2025-02-28,2326000,1140000,-5", ("value.range", 2, "value", 6, None)),
        ("141003,横浜市,2025-10-01,3770000,－,24000", ("value.form", 2, "value", 5, 'missing = ["－"]')),
        ("11002,札幌市,令和7年10月1日,1,2,3", ("code.unlisted", 2, "city", 4, None)),
        ("271005,大阪市,2025/10/1,1,2,3", ("code.unlisted", 2, "city", 4, None)),
    ],
)
def test_a_figure_of_another_city_is_read_as_declared_or_refused_at_its_cell(tmp_path, row, expected):
    assert compared(tmp_path, HEADER + row + "\n" + SOUND) == expected


def test_marks_are_read_where_they_are_declared_and_the_city_itself_must_be_there(tmp_path):
    text = HEADER + "141003,横浜市,2025-10-01,3770000,－,…\n"
    assert compared(tmp_path, text + SOUND, MARKED) == 6
    assert compared(tmp_path, text, MARKED)[0] == "key.absent"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are not here")
def test_the_reported_comparison_is_refused_at_its_first_wrong_cell(tmp_path):
    text = (SHARED / "comparison_odd.csv").read_text("utf-8")
    assert compared(tmp_path, text, MARKED) == ("value.form", 2, "value", 4, None)
    text = text.replace('"27,90"', "2790000")
    assert compared(tmp_path, text, MARKED)[:3] == ("value.form", 3, "as_of")
    text = text.replace("2025-02-31", "2025-02-28")
    assert compared(tmp_path, text, MARKED)[:3] == ("value.range", 3, "value")
    assert compared(tmp_path, text.replace(",-5", ",5"), MARKED)[0] == "key.absent"


def test_texts_where_others_have_codes_are_read_by_the_contract_alone(tmp_path, contracts):
    told = contracts[REGISTER].model_dump(by_alias=True)
    texts = {
        "relationship": {"世帯主": "head", "妻": "spouse"},
        "nationality": {"ベトナム": "VNM"},
        "residence_status": {"留学": "student"},
        "sex": {"女": "female"},
    }
    for one in told["columns"]:
        one["codes"] = {**one.get("codes", {}), **texts.get(one["id"], {})} if one["id"] in texts else one.get("codes")
        if one["codes"] is None:
            del one["codes"]
    foreign = {"resident_type": "2", "birth_date": "19900401", "nationality": "ベトナム", "residence_status": "留学"}
    rows = [person(1, relationship="世帯主"), person(2, relationship="妻", sex="女", **foreign)]
    made = abstracted(tmp_path, Contract(**told), rows)
    found = made.frame.sort("relationship").select("relationship", "sex", "nationality", "residence_status").rows()
    assert found == [("head", "male", None, None), ("spouse", "female", "VNM", "student")]
    assert made.facts["warned"].get("code.unknown", 0) == 0
