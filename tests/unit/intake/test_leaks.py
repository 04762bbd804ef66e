"""Codes that identify by law are found in every spelling, refused where they do not belong, and never repeated."""

from __future__ import annotations

import csv
import json
import pickle
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.jp import in_

from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake import leaks
from kobe_platform.intake.extracts import bytewise, take_in
from kobe_platform.intake.extracts.texts import KANJI_DIGITS, VARIATION
from kobe_platform.settings import PROJECT

from .conftest import REGISTER
from .handmade import deliver, person, taken

VECTORS = PROJECT.parent / "shared" / "data" / "my_number_leak_vectors.csv"
NUMBER = "907715533118"  # the check digit is wrong: it can belong to nobody
CARD = "ZQ90771553XX"


def with_codes(number: int, **values: str) -> dict[str, str]:
    codes = {"my_number": NUMBER, "resident_code": "90771553319", "residence_card_no": CARD}
    return person(number, **codes, **values)


def others(n: int = 3) -> list[dict[str, str]]:
    return [person(i, my_number=f"91{i:010d}", household_no=f"{i:012d}") for i in range(100, 100 + n)]


SPELLINGS = {
    "plain": NUMBER,
    "fullwidth": "９０７７１５５３３１１８",
    "groups": "9077 1553 3118",
    "hyphens": "9077-1553-3118",
    "minus": "9077−1553−3118",
    "full hyphens": "９０７７－１５５３－３１１８",
    "ideographic space": "9077　1553　3118",
    "kanji": "九〇七七一五五三三一一八",
    "apostrophe": f"'{NUMBER}",
    "float": f"{NUMBER}.0",
    "in a sentence": f"番号は{NUMBER}です",
    "beside a telephone number": "078-123-4567 9077-1553-3118",
}


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
@pytest.mark.parametrize("column", ["annex", "notes", "lot", "name"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_own_number_in_another_column_rejects_the_delivery(tmp_path, contracts, spelling, column, encoding):
    text = SPELLINGS[spelling]
    if encoding == "cp932" and "−" in text:
        text = text.replace("−", "－")
    rows = [*others(), with_codes(1, **{column: text})]
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contracts[REGISTER], rows, encoding=encoding), contracts[REGISTER])
    error = caught.value
    assert error.code == "leak.own_number"
    assert (error.at["line"], error.at["column"], error.at["file"]) == (5, column, f"{REGISTER}.csv")
    assert NUMBER not in str(error) and text not in str(error)


@pytest.mark.parametrize("text", ["90771553319", "ZQ90771553XX", "ｚｑ９０７７１５５３ｘｘ"])
def test_other_codes_are_found_too(tmp_path, contracts, text):
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts[REGISTER], [with_codes(1, notes=text)])
    assert caught.value.code == "leak.own_number"


def test_a_lost_leading_zero_hides_nothing(tmp_path, contracts):
    rows = [
        person(1, my_number="007715533118", notes="7715533118"),
        person(2, my_number="017715533118", notes="17715533118"),
    ]
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts[REGISTER], rows)
    assert (caught.value.code, caught.value.at["line"]) == ("leak.own_number", 3)


def test_another_persons_number_is_no_coincidence_in_a_small_delivery(tmp_path, contracts):
    with pytest.raises(DeliveryRejected):
        taken(tmp_path, contracts[REGISTER], [with_codes(1), person(2, notes=NUMBER)])


def test_a_number_inside_a_longer_one_is_none(tmp_path, contracts):
    assert (
        taken(tmp_path, contracts[REGISTER], [with_codes(1, notes=f"{NUMBER}5", account=f"5{NUMBER}")]).facts["kept"]
        == 1
    )


def test_a_strangers_number_beside_its_name_rejects(tmp_path, contracts):
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts[REGISTER], [with_codes(1), person(2, notes="個人番号：9123-4567-8901")])
    assert caught.value.code == "leak.keyword"


def test_a_column_of_numbers_that_pass_the_check_rejects(tmp_path, contracts):
    rows = [person(i, account=valid_number(i), household_no=f"{i:012d}") for i in range(1, 41)]
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts[REGISTER], rows)
    assert (caught.value.code, caught.value.at["column"]) == ("leak.column", "account")


def test_lone_hits_only_warn(tmp_path, contracts):
    facts = taken(tmp_path, contracts[REGISTER], [person(1, notes=f"受付 {valid_number(7)}")]).facts
    assert facts["warned"] == {"leak.lone": 1, "key.check_digit": 1}


def valid_number(number: int) -> str:
    body = f"{number:011d}"
    return body + in_.calc_check_digit(body)


def test_a_rare_coincidence_with_a_key_takes_the_row_out(contracts, tmp_path, monkeypatch):
    monkeypatch.setattr(leaks, "tolerated", lambda expected: 3)
    home = "280000000001"
    rows = [with_codes(1, household_no=home), person(2, household_no=NUMBER)]
    rows += [person(number, household_no=home) for number in range(3, 7)]  # so that the column is held by dictionary
    result = taken(tmp_path, contracts[REGISTER], rows)
    assert result.facts["set_aside"] == {"leak.coincidence": 1}
    assert result.facts["rows"] == result.facts["kept"] + 1
    assert NUMBER.encode() not in result.frame["household_no"].to_list()
    held = {name: bytewise.values(result.rows.held(name)).to_pylist() for name in result.rows.columns}
    assert not [name for name, there in held.items() if NUMBER.encode() in there], "a dictionary keeps it"


def test_coincidence_is_an_explanation_only_where_it_is_likely():
    assert leaks.tolerated(1e-6) == 0
    assert leaks.tolerated(20) == 203


def test_a_failing_check_digit_is_counted_and_not_refused(tmp_path, contracts):
    facts = taken(tmp_path, contracts[REGISTER], [with_codes(1), person(2, my_number=valid_number(5))]).facts
    assert facts["warned"]["my_number.check_digit"] == 1


def test_a_leak_set_shows_nothing_and_stays_in_its_process():
    known = leaks.LeakSet([pl.Series([NUMBER])])
    assert NUMBER not in f"{known!r}{known}"
    with pytest.raises(TypeError):
        pickle.dumps(known)


def test_what_holds_values_shows_none(tmp_path, contracts):
    held = taken(tmp_path, contracts[REGISTER], [with_codes(1)])
    assert "280000000001" not in repr(held)


def test_nothing_of_class_c_or_unread_reaches_raw(tmp_path, contracts):
    secret = {
        "name": "隠岐原　鳴門之介",
        "annex": "隠密荘七号",
        "domicile": "隠密町",
        "notes": "備忘之写",
        "phone": "078-990-7755",
    }
    frame = taken(tmp_path, contracts[REGISTER], [with_codes(1, **secret)]).frame
    held = b"\0".join(value for column in frame.iter_columns() for value in column.to_list())
    for value in (NUMBER, "90771553319", CARD, *secret.values()):
        assert value.encode() not in held


@given(st.integers(0, 10**11 - 1))
def test_the_check_digit_is_that_of_the_standard(body):
    text = f"{body:011d}"
    numbers = pl.Series([text + str(digit) for digit in range(10)])
    assert leaks.passes_check(numbers).to_list() == [in_.is_valid(number) for number in numbers]


def test_the_published_cases():
    if not VECTORS.exists():
        pytest.skip("the shared vectors are not here")
    with VECTORS.open(encoding="utf-8", newline="") as file:
        for case in csv.DictReader(file):
            numbers = leaks.written_numbers(leaks.tokens(pl.Series([case["text"]])))
            assert int(leaks.passes_check(numbers).any()) == int(case["check_digit_hit"]), case["case"]


# ── what leaves ──────────────────────────────────────────────────────────────────────────────────────────────────

PASSING = [valid_number(i * 7919) for i in range(1, 60)]


def test_a_column_of_numbers_is_found_in_parquet(tmp_path):
    for name, values in (
        ("text", PASSING),
        ("number", [int(n) for n in PASSING]),
        ("float", [float(n) for n in PASSING]),
    ):
        pl.DataFrame({"id": range(len(values)), name: values}).write_parquet(tmp_path / f"{name}.parquet")
    findings = [f for f in leaks.scan_tree(tmp_path) if f.refuses and f.column]
    places = {(f.rule, f.place, f.column) for f in findings}
    assert ("leak.column", "text.parquet", "text") in places
    assert ("leak.column", "number.parquet", "number") in places or PASSING[0].startswith("0")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", "<p>マイナンバー：<b>9123 4567 8901</b></p>"),
        ("slice.json", json.dumps({"note": "個人番号912345678901"}, ensure_ascii=False)),
        ("run.log", "ERROR my_number=912345678901"),
        ("table.csv", "\n".join(["n", *PASSING])),
    ],
)
def test_numbers_are_found_in_what_leaves(tmp_path, name, content):
    (tmp_path / name).write_text(content, "utf-8")
    findings = leaks.scan_tree(tmp_path)
    assert any(finding.refuses for finding in findings)
    assert not any(number in str(findings) for number in ["912345678901", *PASSING])


KINDS = [pl.Decimal(20, 0), *sorted(pl.datatypes.group.NUMERIC_DTYPES - {pl.Decimal}, key=str)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_any_kind_of_number_is_searched(kind):
    small = pl.DataFrame({"n": pl.Series([0, 100, None]).cast(kind)})
    assert leaks.scan_frame(small, "t") == []
    numbers = pl.Series([int(valid_number(2 * 10**10 + i * 7919)) for i in range(60)])
    if numbers.cast(kind, strict=False).cast(pl.Int64, strict=False).equals(numbers):
        found = leaks.scan_frame(pl.DataFrame({"n": numbers.cast(kind)}), "t")
        assert [one.rule for one in found] == ["leak.column"]
    else:
        assert kind in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32, pl.Float16, pl.Float32)


def test_a_file_name_is_read_too(tmp_path):
    (tmp_path / "個人番号912345678901.txt").write_text("", "utf-8")
    assert any(f.rule == "leak.keyword" for f in leaks.scan_tree(tmp_path))


def test_counts_shares_and_pseudonyms_are_no_numbers(tmp_path):
    frame = pl.DataFrame(
        {"value": [214_102, 133_497], "share": [0.123456789012, 0.987654321098], "id": [2**63 + 11, 2**63 + 7]}
    )
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "page.json").write_text(json.dumps({"x": [0.123456789018, 1512018]}), "utf-8")
    assert [f for f in leaks.scan_tree(tmp_path) if f.refuses] == []


def test_a_known_code_is_refused_whatever_its_check_digit(tmp_path):
    (tmp_path / "out.txt").write_text(f"see {NUMBER}", "utf-8")
    known = leaks.LeakSet([pl.Series([NUMBER])])
    assert [f.rule for f in leaks.scan_tree(tmp_path, known=known)] == ["leak.own_number"]


@pytest.mark.parametrize(("valid", "warned"), [(0, {"my_number.made_up": 1}), (1, {"my_number.check_digit": 19})])
def test_a_column_of_made_up_numbers_is_one_warning_and_not_one_a_row(tmp_path, contracts, valid, warned):
    numbers = [numbered(n, passing=n < valid) for n in range(20)]
    rows = [person(n + 1, my_number=number) for n, number in enumerate(numbers)]
    told = taken(tmp_path, contracts[REGISTER], rows).facts["warned"]
    assert {rule: n for rule, n in told.items() if rule.startswith("my_number.")} == warned


def numbered(number: int, *, passing: bool) -> str:
    body = f"{number:011d}"
    passes = {digit: bool(leaks.passes_check(pl.Series([body + digit]))[0]) for digit in "0123456789"}
    return body + next(digit for digit, passed in passes.items() if passed == passing)


def test_the_quick_look_knows_every_character_that_may_stand_for_a_digit_or_between_two():
    characters = pl.Series([chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000])
    read = pl.DataFrame({"c": characters, "n": characters.str.normalize("NFKC")})
    read = read.with_columns(pl.col("n").str.replace_many(list(KANJI_DIGITS), list(KANJI_DIGITS.values())))
    digits = read.filter(pl.col("n").str.contains(r"\d") & ~pl.col("c").str.contains("[0-9]"))
    assert digits.height > 300
    assert digits.filter(~pl.col("c").str.contains(f"[{leaks.ANY_DIGIT}]")).is_empty()
    assert digits.filter(pl.col("n").str.contains(r"\d{3}")).is_empty(), "an odd digit stands for two at most"
    between = read.filter(
        pl.col("n").str.contains(rf"^(?:[{re.escape(leaks.HYPHENS)}]|\s)+$") | pl.col("c").str.contains(VARIATION)
    )
    assert between.height > 50
    assert between.filter(~pl.col("c").str.contains(f"[{leaks.SEPARATORS}]")).is_empty()


ALPHABET = st.one_of(
    st.sampled_from("0123456789"),
    st.sampled_from("0123456789０９九〇①⑫㏾㍰²⅒٣𝟗"),
    st.sampled_from("-ー－─_ \u3000\t\ufe0f\u2060.,年月/aZＺ"),
)


@given(st.lists(st.text(ALPHABET, max_size=40), max_size=5))
def test_the_quick_look_passes_over_no_code(lines):
    texts = pl.Series(lines, dtype=pl.String)
    seen = leaks.tokens(texts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            leaks, "possible", lambda texts: pl.Series([True], dtype=pl.Boolean).new_from_index(0, len(texts))
        )
        assert leaks.tokens(texts).equals(seen)


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(list(SPELLINGS.values()))), max_size=12))
def test_texts_searched_together_tell_each_its_own(drawn):
    texts = {f"{i}.txt": f"<p>{n}</p>\n{spelled if n % 3 else '令和7年12月'}\n" for i, (n, spelled) in enumerate(drawn)}
    known = leaks.LeakSet([pl.Series([NUMBER])])
    together = leaks._scanned(texts.items(), known)
    assert together == [
        finding for place, text in texts.items() for finding in leaks.scan_text(text, place, known=known)
    ]
