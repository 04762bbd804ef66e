"""What a refusal tells the sender to do fits what was sent: public figures do not come from a core system."""

from __future__ import annotations

import re

import pytest

from kobe_platform.errors import DeliveryHeld, DeliveryRejected
from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.rules import hold, rejection, rules, worded_for

from .published_tables import PERSONS, TOWN, contract, layout
from .test_workbooks import taken

ROOMS = ("intake", "reception", "tabulation")
"""Where deliveries of public figures are looked at; they are never abstracted."""
PERSONAL = (
    "header.protection",
    "leak.",
    "my_number.",
    "residence.",
    "key.check_digit",
    "manifest.sequence",
    "difference.",
)
"""Rules of these rooms over columns and kinds that no public contract has."""
CORE_SYSTEM = re.compile(r"原システム|基幹システム|抽出|宛名番号|core system|extract|export again|a person")
TOWNS = contract('key = ["town"]---' + layout() + TOWN + PERSONS)


def raised_for_public_figures() -> set[str]:
    texts = [path.read_text("utf-8") for room in ROOMS for path in (PROJECT / "kobe_platform" / room).rglob("*.py")]
    named = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', "\n".join(texts))) & set(rules())
    return {rule for rule in named if not rule.startswith(PERSONAL)}


def test_no_refusal_of_public_figures_speaks_of_a_core_system():
    raised = raised_for_public_figures()
    assert {"value.form", "key.conflict", "file.rows", "sum.parts", "workbook.hidden"} <= raised
    words = {name: rules()[name].of_public_figures() for name in raised if rules()[name].severity != "W"}
    told = {name: f"{w.en} {w.ja} {w.remedy} {w.remedy_ja}" for name, w in words.items() if w.severity != "N"}
    assert {name: text for name, text in told.items() if CORE_SYSTEM.search(text)} == {}


@pytest.mark.parametrize(
    ("rows", "rule", "told", "untold"),
    [
        (["甲町,15万"], "value.form", "公表表の値を訂正するか", "原システム"),
        (["甲町,1", "甲町,2"], "key.conflict", "同じキーで内容の異なる行があります", "宛名番号"),
        (["甲町,1", "乙町,1", "丙町,1"], "file.rows", "表の件数を数え直し", "再抽出"),
    ],
)
def test_a_refused_table_of_public_figures_says_what_its_sender_can_do(tmp_path, rows, rule, told, untold):
    data = "\n".join(["町名,人口", *rows, ""]).encode()
    with pytest.raises(DeliveryRejected) as refused:
        taken(tmp_path, TOWNS, data, min(len(rows), 2), "a.csv")
    error = refused.value
    assert error.code == rule and error.at["rule"] == rule and error.at["file"] == "a.csv"
    assert told in error.ja and untold not in error.ja


def test_a_personal_source_is_told_of_its_core_system():
    with pytest.raises(DeliveryRejected) as refused, worded_for("personal"):
        raise rejection("key.conflict", file="a.csv", line=2)
    assert "原システム" in refused.value.ja


def test_a_held_delivery_is_worded_too_and_keeps_its_kind_and_place():
    with pytest.raises(DeliveryHeld) as held, worded_for("public"):
        raise hold("delivery.row_change", file="a.csv", rows=3)
    assert "公表資料と照合" in held.value.ja
    assert held.value.at == {"file": "a.csv", "rows": 3, "rule": "delivery.row_change"}
