"""However a column is held, it has the same rows; its encoding is judged value by value; a long record is no fault."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.intake.extracts import bytewise, delimited
from kobe_platform.intake.extracts.bytewise import (
    by_dictionary,
    compact,
    compacted,
    content,
    distinct,
    is_ascii,
    is_visible_ascii,
    plain,
    sizes,
    values,
)
from kobe_platform.intake.extracts.delimited import TextSource, header_columns, parse
from kobe_platform.intake.extracts.encodings import decoded, normal, well_encoded
from kobe_platform.intake.extracts.texts import normalised
from tests.unit.intake.test_parsing import CONTRACT, HEADER, LAYOUT


def column(rows: list[bytes], chunk: int = 7) -> pa.ChunkedArray:
    chunks = [pa.array(rows[start : start + chunk], pa.binary()) for start in range(0, len(rows), chunk)]
    return pa.chunked_array(chunks, pa.binary())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=4), max_size=40))
def test_a_column_has_the_same_rows_however_it_is_held(rows):
    held = compact({"c": column(rows)}).column("c").chunk(0)
    assert by_dictionary(held) == (bool(rows) and 2 * len(set(rows)) <= len(rows))
    assert plain(held).to_pylist() == rows
    found, index = distinct(held)
    assert found.n_unique() == len(found)
    assert found.gather(index).to_list() == rows
    assert set(values(held).to_pylist()) == set(rows)
    assert sizes(plain(held)).tolist() == [len(row) for row in rows]
    assert bytes(content(plain(held))) == b"".join(rows)
    assert is_ascii(plain(held)) == b"".join(rows).isascii()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([b"", b"a", b"b", b"cc", b"d", b"e"]), min_size=1, max_size=60), st.integers(1, 9))
def test_rows_that_come_piece_by_piece_are_held_as_they_are_at_once(rows, size):
    pieces = [pa.record_batch({"c": pa.array(rows[n : n + size], pa.binary())}) for n in range(0, len(rows), size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytewise, "SAMPLE", 8)
        patch.setattr(bytewise, "GROUP", 10)
        at_once, by_pieces = compact({"c": column(rows)}).column("c"), compacted(pieces).column("c")
    assert by_pieces.num_chunks == 1
    assert by_pieces.type == at_once.type
    assert values(by_pieces.chunk(0)).equals(values(at_once.chunk(0)))
    assert by_pieces.to_pylist() == rows


def test_a_piece_that_cannot_be_made_is_told():
    def pieces():
        yield pa.record_batch({"c": pa.array([b"a"] * 10, pa.binary())})
        raise pa.ArrowInvalid("a record of another number of fields")

    with pytest.raises(pa.ArrowInvalid):
        compacted(pieces())


def test_a_part_of_an_array_is_judged_by_its_own_bytes():
    whole = pa.array([b"a", "表".encode("cp932"), b"b c"], pa.binary())
    assert [is_ascii(whole.slice(place, 1)) for place in range(3)] == [True, False, True]
    assert [is_visible_ascii(whole.slice(place, 1)) for place in range(3)] == [True, False, False]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=6), st.sampled_from(["cp932", "utf-8"]))
def test_values_are_well_encoded_exactly_if_each_is_a_text_of_its_own(rows, encoding):
    def fits(row: bytes) -> bool:
        try:
            text = row.decode(encoding)
        except UnicodeDecodeError:
            return False
        return encoding != "cp932" or not any(mark in text for mark in "\x80\xa0\uf8f0\uf8f1\uf8f2\uf8f3")

    assert well_encoded(pa.array(rows, pa.binary()), encoding) == all(map(fits, rows))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="a1 1ア表ｱ　", max_size=4), max_size=8))
def test_the_short_way_to_normal_texts_leads_to_the_same(texts):
    raw = pl.Series([text.encode("cp932") for text in texts], dtype=pl.Binary)
    assert normal(raw, "cp932").to_list() == normalised(decoded(raw, "cp932")).to_list()


@pytest.mark.parametrize("blocks", [(16, 1 << 20), (1 << 20,)])
def test_a_record_longer_than_a_small_block_is_parsed_all_the_same(monkeypatch, blocks):
    monkeypatch.setattr(delimited, "BLOCKS", blocks)
    cells = ["x" * 40 + "\n", *["y"] * (len(HEADER) - 1)]
    record = ",".join(f'"{cell}"' for cell in cells)
    data = memoryview(("\r\n".join([",".join(HEADER), record, record]) + "\r\n").encode("cp932"))
    source = TextSource({}, data, "cp932")
    ids, size, _ = header_columns(source, CONTRACT, LAYOUT)
    table = parse(source, ids, size, LAYOUT)
    assert [[cell.decode() for cell in row.values()] for row in table.to_pylist()] == [cells, cells]
