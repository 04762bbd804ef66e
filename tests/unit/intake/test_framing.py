"""Records before the column line and after the last row, and versions of a record, by contract alone."""

from __future__ import annotations

import pytest

from kobe_platform.contracts import Contract, Layout
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.extracts import take_in
from kobe_platform.synthesis import Form

from .conftest import REGISTER
from .handmade import deliver, person, text_of


@pytest.fixture
def register(contracts):
    return contracts[REGISTER]


def framed(contract, **layout):
    return contract.model_copy(update={"layouts": (Layout(form="delimited", suffix=(".csv",), **layout),)})


def taken(tmp_path, contract, text: str, count: int = 2, encoding: str = "utf-8"):
    data = text.encode("utf-8" if encoding == "utf-8-sig" else encoding)
    return take_in(deliver(tmp_path, contract, data, count=count, encoding=encoding), contract)


def refusal(tmp_path, contract, text: str, **more) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contract, text, **more)
    return caught.value


@pytest.fixture
def body(register):
    """A column line and two rows."""
    return text_of(register, [person(1), person(2)])


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("leading", "trailer"),
    [
        ('"H","住民記録","2025-07-31"', '"T","2"'),
        ("H,住民記録", "T,2"),
        ('"H","二行に\nわたる題名"', '"T","2","20250731"'),
        ("H", " T , 2 "),
    ],
)
def test_records_around_the_rows_are_passed_over(tmp_path, register, body, leading, trailer, end, encoding):
    contract = framed(register, leading=1, leading_mark="H", trailer=True)
    text = f"{leading}{end}{body}{trailer}{end}"
    assert taken(tmp_path, contract, text, encoding=encoding).frame.height == 2


def test_several_leading_records_and_a_trailer_of_another_form(tmp_path, register, body):
    contract = framed(register, leading=2, trailer=True, trailer_mark="END", trailer_field=3)
    text = f"神戸市\r\n2025年7月末\r\n{body}END,REGISTER,0000002\r\n"
    assert taken(tmp_path, contract, text).frame.height == 2


@pytest.mark.parametrize(
    ("trailer", "code"),
    [
        ("T,3", "file.rows"),
        ('"T","3"', "file.rows"),
        ("X,2", "file.trailer"),
        ("T", "file.trailer"),
        ("T,two", "file.trailer"),
        ("T,２", "file.trailer"),
        ("T,-2", "file.trailer"),
        ("T," + "2" * 30, "file.trailer"),
        ("", "file.trailer"),
    ],
)
def test_a_trailer_that_is_not_as_agreed_is_refused_with_its_line(tmp_path, register, body, trailer, code):
    error = refusal(tmp_path, framed(register, trailer=True), body + trailer)
    assert (error.code, error.at["line"]) == (code, 4 if trailer else 3)


def test_a_leading_record_that_is_not_as_agreed_is_refused(tmp_path, register, body):
    contract = framed(register, leading=1, leading_mark="H")
    assert refusal(tmp_path, contract, f"X,1\r\n{body}").code == "file.leading"
    assert refusal(tmp_path, contract, body).code == "file.leading"
    assert refusal(tmp_path, contract, "H,1\r\n").code == "file.leading"
    assert refusal(tmp_path, framed(register), f"H,1\r\n{body}").code == "header.absent"


def test_lines_are_counted_from_the_top_of_the_file(tmp_path, register):
    contract = framed(register, leading=2)
    title = '"一行目\nと二行目"\r\n三行目\r\n'
    short = text_of(register, [person(1), person(2)]).replace("\r\n", "\r\nmore,", 1)
    assert refusal(tmp_path, contract, title + short).at["line"] == 5
    twice = text_of(register, [person(1), person(1, name="別人")])
    assert refusal(tmp_path, contract, title + twice).at["line"] == 6
    header = text_of(register, []).replace("宛名番号", "別の見出し")
    assert refusal(tmp_path, contract, title + header).at["line"] == 4


def test_a_fixed_width_file_with_a_leading_record(tmp_path, make_inbox, register):
    source = make_inbox(form=Form("cp932", "fixed")).delivery(REGISTER)
    rows = (source.path / f"{REGISTER}.dat").read_bytes()
    count = rows.count(b"\r\n")
    contract = register.model_copy(
        update={"layouts": (Layout(form="fixed", suffix=(".dat",), leading=1, leading_mark="H", trailer=True),)}
    )
    data = b"H20250831\r\n" + rows + f"T{count:08d}\r\n".encode()
    told = dict(count=count, encoding="cp932", name=f"{REGISTER}.dat")
    assert take_in(deliver(tmp_path, contract, data, "2025-08", **told), contract).frame.height == count
    lines = data.split(b"\r\n")
    lines[3] = lines[3][:-1]
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contract, b"\r\n".join(lines), "2025-08", **told), contract)
    assert (caught.value.code, caught.value.at["line"]) == ("file.record", 4)


def test_versions_of_a_record_may_stand_in_a_snapshot_where_the_contract_says_so(tmp_path, register):
    rows = [person(1, history_no="1"), person(1, history_no="2", sex="2"), person(2)]
    assert refusal(tmp_path, register, text_of(register, rows), count=3).code == "key.repeated"
    contract = register.model_copy(update={"history": True})
    assert taken(tmp_path, contract, text_of(contract, rows), count=3).frame.height == 3
    rows[1]["history_no"] = "1"
    assert refusal(tmp_path, contract, text_of(contract, rows), count=3).code == "key.repeated"


def test_history_needs_the_column_that_tells_versions_apart(contracts):
    told = contracts["town_districts"].model_dump() | {"history": True}
    with pytest.raises(ValueError, match="rule history"):
        Contract(**told)
