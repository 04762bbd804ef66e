"""A lot leads to its school district however it is written, and to none where it is not understood."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.intake.extracts.lots import lot_number, lot_numbers
from kobe_platform.intake.extracts.texts import normalised

from .handmade import TOWNS, abstracted, person

LOTS = {
    "12番地": 12, "十二番地": 12, "二十三番地": 23, "一二番地": 12, "百五番地": 105, "一千二百番地": 1200,
    "千二百": 1200, "廿三番地": 23, "卅番": 30, "一〇五": 105, "百〇五": 105, "弐拾参番地": 23, "壱番地": 1,
    "二十3番地": 23, "1千200番": 1200, "１丁目２番３号": 2, "二丁目十番五号": 10, "12番地の3": 12, "5の12": 5,
    "12ー3": 12, "１２－３": 12, "12−3": 12, "12 番地 4": 12, "甲12番地": 12, "乙百二": 102, "12番甲": 12,
    "第3地割12番地": 12, "３地割１２": 12, "字三反田12番地": 12, "字三反田12-3": 12, "三宮町十番地": 10,
    "12・13番地": 12, "1万2千": 12000, "123456": 123456, "第12": 12,
}  # fmt: skip
UNREAD = (
    "無番地", "番外地", "番外3", "", "番地", "山林", "三宮町", "12百", "百百", "十百", "二廿", "百05",
    "二十03", "1234567", "十1十", "12西", "十丁目",
)  # fmt: skip


def read(*texts: str) -> list[int | None]:
    return lot_numbers(normalised(pl.Series(texts))).to_list()


def test_a_lot_is_the_number_that_a_person_reads():
    assert dict(zip(LOTS, read(*LOTS), strict=True)) == LOTS


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_not_understood_has_no_number(text):
    assert read(text) == [None]


def in_kanji(number: int) -> str:
    """The number by unit, as registers write it."""
    figures, written = "〇一二三四五六七八九", ""
    for size, unit in ((1000, "千"), (100, "百"), (10, "十")):
        factor, number = divmod(number, size)
        written += ("" if factor == 1 else figures[factor]) + unit if factor else ""
    return written + (figures[number] if number else "")


@settings(deadline=None)
@given(st.integers(1, 9999))
def test_every_number_is_read_by_unit_and_by_place(number):
    by_place = "".join("〇一二三四五六七八九"[int(figure)] for figure in str(number))
    assert lot_number(in_kanji(number)) == lot_number(by_place) == number


@settings(deadline=None)
@given(st.text("0123456789〇一二三十百千万廿卅壱弐拾番地の-ー号丁目甲", max_size=8))
def test_any_lot_is_read_or_left_unknown(text):
    (number,) = read(text)
    assert number is None or 0 <= number <= 999_999


@pytest.mark.parametrize(
    ("lot", "district"),
    [
        ("十二番地", "0101"), ("百五番地", "0102"), ("一千二百番地", "unknown"), ("廿三番地", "0101"),
        ("百二十番", "0102"), ("弐百番地", "0102"), ("1丁目150番3号", "0102"), ("無番地", "unknown"),
        ("山林", "unknown"),
    ],
)  # fmt: skip
def test_a_resident_without_a_district_gets_that_of_the_lot(tmp_path, contracts, lot, district):
    towns = TOWNS.filter(pl.col("town_code") == "28101001000")
    assert towns["lot_to"].to_list() == [100, 200]
    result = abstracted(tmp_path, contracts["resident_register"], [person(1, school_district="", lot=lot)])
    assert result.frame["district"].to_list() == [district]


def test_lots_that_are_not_understood_are_counted(tmp_path, contracts):
    lots = ("無番地", "山林", "十二番地", "", "5番地")
    rows = [person(n, school_district="", lot=lot) for n, lot in enumerate(lots, 1)]
    result = abstracted(tmp_path, contracts["resident_register"], rows)
    assert result.facts["warned"]["lot.unread"] == 2
    assert result.facts["warned"]["district.unknown"] == 3


def test_lots_of_rows_that_have_their_district_are_not_looked_at(tmp_path, contracts):
    result = abstracted(tmp_path, contracts["resident_register"], [person(1, lot="無番地")])
    assert "lot.unread" not in result.facts["warned"]


def test_a_person_of_98_whose_birth_date_is_a_spreadsheets_serial_stays(tmp_path, contracts):
    serials = ("9999", "9500", "10000")
    rows = [person(n, household_no=f"{n:012d}", birth_date=serial) for n, serial in enumerate(serials, 1)]
    result = abstracted(tmp_path, contracts["resident_register"], rows)
    assert result.facts["set_aside"] == {} and result.frame["age"].to_list() == [90, 90, 90]
    assert result.facts["warned"]["date.normalised"] == 3
