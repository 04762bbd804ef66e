"""Cutting bytes agrees with its reference: the csv module for records, an editor for lines, the codec for text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.contracts import Layout, load_contract
from kobe_platform.intake.extracts.delimited import TextSource, header_columns, line_of, parse, position_of
from kobe_platform.intake.extracts.encodings import undecodable
from kobe_platform.settings import PROJECT

CONTRACT = load_contract(PROJECT / "tests" / "contracts" / "training_records.toml")
LAYOUT = Layout(form="delimited", suffix=(".csv",))
HEADER = [column.header for column in CONTRACT.columns]
TEXT = st.text(alphabet='a1,"\n表ソ能ﾊ①髙　’é' + "\r", max_size=6)
ROWS = st.lists(st.lists(TEXT, min_size=len(HEADER), max_size=len(HEADER)), min_size=1, max_size=8)


def written(rows: list[list[str]], encoding: str) -> tuple[memoryview, list[list[str]]]:
    """CSV bytes of the rows that the encoding can spell, and what the csv module reads back."""
    rows = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in rows]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([HEADER, *rows])
    return memoryview(out.getvalue().encode(encoding)), rows


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from(["cp932", "utf-8"]))
def test_records_are_those_of_the_csv_module(rows, encoding):
    data, expected = written(rows, encoding)
    source = TextSource({}, data, encoding)
    ids, size, _ = header_columns(source, CONTRACT, LAYOUT)
    table = parse(source, ids, size, LAYOUT)
    got = [[cell.decode(encoding) for cell in row] for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]
    assert got == expected


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_a_record_begins_where_an_editor_shows_it(rows):
    data, rows = written(rows, "utf-8")
    lines = 1
    for record, cells in enumerate([HEADER, *rows]):
        assert line_of(TextSource({}, data, "utf-8"), record) == lines
        inside = ",".join(cells).replace("\r\n", "\n").replace("\r", "\n")
        lines += 1 + inside.count("\n")


def test_blank_lines_are_lines_but_no_records():
    data = memoryview(b"h\r\n\r\na\r\n\n\n\r\nb")
    assert [line_of(TextSource({}, data, "cp932"), record) for record in range(3)] == [1, 3, 7]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda raw: b"a\r\n" + raw + b"\r\nz"), st.sampled_from(["cp932", "utf-8"]))
def test_bytes_are_refused_exactly_where_the_codec_refuses_them(data, encoding):
    try:
        text = data.decode(encoding)
        expected = None
    except UnicodeDecodeError as error:
        text, expected = "", error.start
    found = undecodable(memoryview(data), encoding)
    if encoding == "utf-8" or expected is not None:
        assert found == expected or (encoding == "cp932" and found is not None and found <= expected)
    else:
        stray = any(mark in text for mark in "\x80\xa0\uf8f0\uf8f1\uf8f2\uf8f3")
        assert (found is not None) == stray


@pytest.mark.parametrize(
    ("data", "offset", "place"),
    [
        (b"a,b\r\nc,\xff", 7, (2, 2)),
        (b'a,b\r\n"c,\r\n,",\xff', 13, (3, 2)),
        (b"\xff", 0, (1, 1)),
        (b"a\rb\rc,d,\xff", 8, (3, 3)),
    ],
)
def test_a_byte_is_placed_by_line_and_column(data, offset, place):
    assert position_of(TextSource({}, memoryview(data), "cp932"), offset, LAYOUT) == place
