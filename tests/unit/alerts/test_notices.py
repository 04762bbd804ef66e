"""A notice says where and what to do; what may not leave the platform does not pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.alerts import COORDINATES, KINDS, Notice, of_error, stable_id
from kobe_platform.alerts.notice import REMEDIES
from kobe_platform.errors import DeliveryRejected, PlatformError

GOOD = {
    "id": "held:resident_register:2025-10",
    "kind": "held",
    "at": {"source": "resident_register", "month": "2025-10"},
    "text": "行数が前月と大きく違います",
    "remedy": "確かめてください。",
}


def refused(**changed) -> tuple[str, str]:
    with pytest.raises(PlatformError) as refusal:
        Notice(**{**GOOD, **changed})
    assert refusal.value.code == "alerts.notice"
    return refusal.value.at["field"], refusal.value.at["reason"]


@pytest.mark.parametrize(
    "line", ["\n", "\r", "\r\nBcc: else@where.example", "\x00", "\u2028", "\u0085", "\u202e", "\ue000"]
)
@pytest.mark.parametrize("field", ["text", "remedy"])
def test_a_sentence_has_one_line_and_visible_characters(field, line):
    assert refused(**{field: f"止まりました{line}"}) == (field, "characters")


@pytest.mark.parametrize("value", ["a\nb", "a\r", "山田太郎", "", "a b", "x" * 101, 7, None])
def test_a_coordinate_is_a_short_ascii_name(value):
    assert refused(at={"source": value}) == ("at.source", "form")


def test_ids_kinds_and_names_of_coordinates_are_of_the_house():
    assert refused(id="a\nb") == ("id", "form")
    assert refused(kind="party") == ("kind", "unknown")
    assert refused(at={"name": "x"}) == ("at", "unknown")
    assert refused(text=" ") == ("text", "empty")
    assert refused(text="あ" * 401) == ("text", "length")


@pytest.mark.parametrize(
    "number",
    [
        "123456789018",
        "1234567890",
        "１２３４５６７８９０１８",
        "1234 5678 9018",
        "1234-5678-9018",
        "a12345678901",
        "٠١٢٣٤٥٦٧٨٩",
    ],
)
def test_nothing_that_looks_like_a_personal_number_passes(number):
    assert refused(text=f"番号 {number} の行") == ("text", "digits")
    assert refused(remedy=f"番号{number}の行") == ("remedy", "digits")


def test_ids_of_runs_and_digests_pass_and_numbers_beside_them_do_not():
    run = "0f8fad5b-d9cb-469f-a165-123456789012"
    assert Notice(**{**GOOD, "id": run, "at": {"run": run}, "text": f"実行 {run} と {'12' * 32}"}).at["run"] == run
    assert refused(id=f"{run}:123456789018") == ("id", "digits")
    assert refused(at={"run": "123456789018"}) == ("at.run", "digits")


@given(st.text(max_size=60))
def test_whatever_passes_is_one_line_without_a_long_number(text):
    try:
        made = Notice(**{**GOOD, "text": text})
    except PlatformError:
        return
    assert len(made.text.splitlines()) == 1
    made.text.encode("utf-8")


def test_a_notice_does_not_change_after_it_was_checked():
    at = {"source": "resident_register"}
    made = Notice(**{**GOOD, "at": at})
    at["source"] = "123456789018"
    assert made.at["source"] == "resident_register"
    with pytest.raises(TypeError):
        made.at["source"] = "123456789018"


def test_every_kind_has_a_name_and_a_remedy():
    assert KINDS.keys() == REMEDIES.keys()
    for kind in KINDS:
        Notice("x", kind, {}, KINDS[kind], REMEDIES[kind])


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_stable_id_always_passes(first, second):
    Notice(**{**GOOD, "id": stable_id("run_failed", first.encode(errors="replace").decode(), repr(second))})


def test_a_notice_of_an_error_tells_its_sentence_code_and_coordinates():
    error = DeliveryRejected(
        "rows are missing", code="delivery.rows", ja="行数が足りません", at={"source": "resident_register", "line": 7}
    )
    made = of_error("turned_away", error, {"month": "2025-10"})
    assert made.text == "行数が足りません"
    assert dict(made.at) == {"source": "resident_register", "month": "2025-10", "code": "delivery.rows"}
    assert made.id == of_error("turned_away", error, {"month": "2025-10"}).id
    assert made.id != of_error("turned_away", error, {"month": "2025-11"}).id
    assert set(made.at) <= set(COORDINATES)


def test_an_error_that_says_too_much_is_told_without_it():
    error = DeliveryRejected(
        "x", code="x.y", ja="番号123456789018\nの行", at={"source": "山田太郎", "month": "2025-10"}
    )
    made = of_error("turned_away", error)
    assert made.text == "エラーで止まりました"
    assert dict(made.at) == {"month": "2025-10", "code": "x.y"}


def test_of_an_error_that_nobody_foresaw_only_the_fact_is_told():
    made = of_error("run_failed", ValueError("山田太郎 123456789018"), {"run": "0f8fad5b-d9cb-469f-a165-123456789012"})
    assert "山田" not in repr(made)
    assert made.at["code"] == "unexpected"
