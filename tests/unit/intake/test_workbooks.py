"""Workbooks (XLSX) of public figures: read sheet by sheet by the contract, refused where they are no plain tables."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.xml.constants import SHEET_MAIN_NS

from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.extracts import take_in, workbooks
from kobe_platform.intake.extracts.describing import describe
from kobe_platform.quality.trial import try_contract
from kobe_platform.settings import PROJECT

from .published_tables import AGE, MONTH, PERSONS, SEX, TOWN, column, contract, layout

TABLE = layout(
    2, header_lines=2, title=r"(?P<as_of>令和\d+年\d+月\d+日)現在", spread=r"(?P<age>\d+)歳(以上)? (?P<sex>男|女)",
    figures="persons", skip="計$", notes=["注"], fill_down=["district"], sheets="(?P<ward>.+区)",
    other_sheets="^(目次|索引)$",
).replace('"delimited"', '"workbook"').replace(".csv", ".xlsx")  # fmt: skip
WARDS = contract(
    'key = ["as_of", "ward", "district", "town", "sex", "age"]---'
    + TABLE
    + column("as_of", "時点", "day", MONTH)
    + column("ward", "区")
    + column("district", "地区")
    + TOWN + SEX + AGE + PERSONS
)  # fmt: skip
PLAIN = contract(
    'key = ["town"]---'
    + layout().replace('"delimited"', '"workbook"').replace(".csv", ".xlsx") + "[layouts.table]\n"
    + TOWN + column("on", "基準日", "day", MONTH + "optional = true\n") + PERSONS
)  # fmt: skip


def saved(book: openpyxl.Workbook) -> bytes:
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def wards() -> openpyxl.Workbook:
    """A sheet a ward: a title, a unit, heads and districts that are merged, a note; and a table of contents."""
    book = openpyxl.Workbook()
    book.active.title = "目次"
    book.active.append(["山羊座の目次"])
    for ward, more in (("東灘区", 0), ("灘区", 10)):
        sheet = book.create_sheet(ward)
        rows = [
            ["町別年齢別人口（令和７年７月３１日現在）"],
            [None, None, None, None, None, "単位：人"],
            ["地区", "町名", "0歳", None, "100歳以上", None, "合計"],
            [None, None, "男", "女", "男", "女", "計"],
            ["第一", "甲町", 4 + more, 5.0, 0, 1, 10 + more],
            [None, "乙町", 1, 2, "３", 0, 6],
            ["第二", "丙町", 7, 8, 0, 0, 15],
            ["注）外国人を含む"],
        ]
        for row in rows:
            sheet.append(row)
        for cells in ("A3:A4", "B3:B4", "C3:D3", "E3:F3", "A5:A6", "A1:G1"):
            sheet.merge_cells(cells)
    return book


def towns(*rows: list[object]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in (["町名", "基準日", "人口"], *(rows or (["甲町", None, 5],))):
        book.active.append(row)
    return book


def patched(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A workbook with other parts."""
    with ZipFile(BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def replaced(data: bytes, part: str, old: str, new: str) -> bytes:
    def change(parts: dict[str, bytes]) -> None:
        assert old.encode() in parts[part]
        parts[part] = parts[part].replace(old.encode(), new.encode())

    return patched(data, change)


def added(data: bytes, name: str, content: bytes = b"<x/>") -> bytes:
    return patched(data, lambda parts: parts.update({name: content}))


def taken(inbox: Path, read, data: bytes, rows: int, name: str = "a.xlsx"):
    folder = inbox / "28100" / read.name / "2025-07"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    file = {"name": name, "rows": rows, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    said = {"municipality": "28100", "source": read.name, "month": "2025-07", "kind": "public", "sequence": 1}
    said |= {"created_at": "", "encoding": "utf-8", "files": [file]}
    (folder / "manifest.json").write_text(json.dumps(said), "utf-8")
    delivery = find_one(inbox, "28100", read.name, "2025-07")
    assert delivery is not None
    return take_in(delivery, read).frame


def refusal(inbox: Path, data: bytes, read=PLAIN, rows: int = 1) -> dict:
    with pytest.raises(DeliveryRejected) as caught:
        taken(inbox, read, data, rows)
    assert "山羊座" not in str(caught.value) and caught.value.at["file"] == "a.xlsx"
    assert "再送" in caught.value.ja or caught.value.code in ("value.form", "period.other")
    return {"code": caught.value.code, **caught.value.at}


def test_a_sheet_a_ward_is_read_by_the_contract_alone(tmp_path):
    frame = taken(tmp_path, WARDS, saved(wards()), 6)
    rows = frame.to_dicts()
    assert frame.height == 2 * 3 * 4 and frame["persons"].sum() == 2 * 31 + 10
    common = {"as_of": "2025-07-31", "ward": "灘区", "district": "第一"}
    assert {**common, "town": "甲町", "sex": "1", "age": "0", "persons": 14} in rows
    assert {
        **common,
        "town": "乙町",
        "sex": "1",
        "age": "100",
        "persons": 3,
    } in rows  # the district is merged over both
    described = describe(tmp_path / "28100" / WARDS.name / "2025-07", WARDS)
    assert (described.layout, described.files[0].rows) == ("workbook", 6)
    try_contract(WARDS, {WARDS.name: WARDS})


def test_a_wrong_figure_is_refused_at_sheet_line_and_column(tmp_path):
    book = wards()
    book["灘区"]["E6"] = "山羊座"
    told = refusal(tmp_path, saved(book), WARDS, 6)
    assert (told["code"], told["sheet"], told["line"], told["column_number"]) == ("value.form", 3, 6, 5)


def test_a_sheet_of_which_the_contract_says_nothing_is_refused(tmp_path):
    book = wards()
    book.create_sheet("山羊座")
    told = refusal(tmp_path, saved(book), WARDS, 6)
    assert (told["code"], told["sheet"]) == ("workbook.sheet", 4) and "other_sheets" in told["declare"]
    book = towns()
    book.create_sheet("二枚目")
    told = refusal(tmp_path, saved(book))
    assert (told["code"], told["sheet"]) == ("workbook.sheet", 2)
    book = wards()
    del book["灘区"], book["東灘区"]
    assert refusal(tmp_path, saved(book), WARDS)["sheets"] == 0


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_read_by_nobody(tmp_path, state):
    book = wards()
    book["灘区"].sheet_state = state
    told = refusal(tmp_path, saved(book), WARDS, 6)
    assert (told["code"], told["sheet"]) == ("workbook.hidden", 3)
    book = wards()
    book["目次"].sheet_state = state
    assert taken(tmp_path, WARDS, saved(book), 6).height == 24


def with_hidden(row: int | None = None, column: str = "") -> bytes:
    """The wards with a hidden row or column of the last sheet."""
    book = wards()
    sheet = book["灘区"]
    for dimension in [sheet.row_dimensions[row]] if row else [sheet.column_dimensions[column]]:
        dimension.hidden = True
    return saved(book)


def flat(old: str, new: str) -> bytes:
    """The wards with a row without height, or a column without width, in the last sheet."""
    return replaced(saved(wards()), "xl/worksheets/sheet3.xml", old, new)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (with_hidden(row=6), {"sheet": 3, "line": 6}),
        (with_hidden(row=8), {"sheet": 3, "line": 8}),  # a note
        (with_hidden(row=1), {"sheet": 3, "line": 1}),  # the title
        (flat('<row r="6">', '<row r="6" ht="0" customHeight="1">'), {"sheet": 3, "line": 6}),
        (with_hidden(column="E"), {"sheet": 3, "line": 3, "column_number": 5}),
        (
            flat("<sheetData>", '<cols><col min="5" max="5" width="0"/></cols><sheetData>'),
            {"sheet": 3, "line": 3, "column_number": 5},
        ),
    ],
)
def test_a_hidden_row_or_column_with_values_is_refused_unless_the_contract_reads_it(tmp_path, data, place):
    told = refusal(tmp_path, data, WARDS, 6)
    assert {"code": "workbook.hidden_cells", **place}.items() <= told.items()
    read = contract_with(WARDS, hidden_cells="read")
    assert taken(tmp_path, read, data, 6).height == 24


def contract_with(read, **more: str):
    layout = read.layouts[0]
    table = layout.table.model_copy(update=more)
    return read.model_copy(update={"layouts": (layout.model_copy(update={"table": table}),)})


def test_hidden_rows_and_columns_without_values_hide_nothing(tmp_path):
    book = wards()
    book["灘区"].row_dimensions[40].hidden = book["灘区"].column_dimensions["Z"].hidden = True
    book["目次"].row_dimensions[1].hidden = True  # a sheet that is passed over
    assert taken(tmp_path, WARDS, saved(book), 6).height == 24


def test_descriptions_of_more_columns_than_a_sheet_has_are_refused_without_long_work(tmp_path):
    columns = "<cols>" + '<col min="1" max="999999999" hidden="1"/>' * 17_000 + "</cols><sheetData>"
    data = replaced(saved(towns()), "xl/worksheets/sheet1.xml", "<sheetData>", columns)
    assert refusal(tmp_path, data)["code"] == "workbook.unreadable"


def test_days_are_read_by_their_format_and_a_bare_serial_is_refused(tmp_path):
    book = towns(["甲町", date(2025, 7, 1), 5], ["乙町", datetime(2025, 7, 31), 6], ["丙町", "令和7年7月2日", 7])
    book.active["B2"].number_format = '[$-411]ggge"年"m"月"d"日"'
    frame = taken(tmp_path, PLAIN, saved(book), 3)
    assert frame["on"].to_list() == ["2025-07-01", "2025-07-31", "2025-07-02"]
    told = refusal(tmp_path, saved(towns(["甲町", 45839, 5])))
    assert (told["code"], told["column"], told["line"]) == ("value.form", "on", 2)
    book = towns(["甲町", date(2025, 7, 1), 5])
    book.epoch = datetime(1904, 1, 1)
    assert taken(tmp_path, PLAIN, saved(book), 1)["on"].to_list() == ["2025-07-01"]


def test_a_formula_counts_by_its_stored_value_and_without_one_is_refused(tmp_path):
    bare = saved(towns(["甲町", None, "=2+3"]))
    told = refusal(tmp_path, bare)
    assert (told["code"], told["sheet"], told["line"], told["column_number"]) == ("workbook.formula", 1, 2, 3)
    stored = replaced(bare, "xl/worksheets/sheet1.xml", "</f><v />", "</f><v>5</v>")
    assert taken(tmp_path, PLAIN, stored, 1)["persons"].to_list() == [5]
    shared = replaced(stored, "xl/worksheets/sheet1.xml", "<f>", '<f t="shared" si="0" ref="C2:C2">')
    assert taken(tmp_path, PLAIN, shared, 1)["persons"].to_list() == [5]
    empty = replaced(bare, "xl/worksheets/sheet1.xml", '<c r="C2">', '<c r="C2" t="str">')
    assert taken(tmp_path, PLAIN, empty, 1)["persons"].to_list() == [None]


def test_a_cell_with_an_error_is_no_text(tmp_path):
    told = refusal(tmp_path, saved(towns(["#REF!", None, 5])))
    assert (told["code"], told["line"], told["column_number"]) == ("workbook.error", 2, 1)


RUBY = '<t>甲町</t><rPh sb="0" eb="2"><t>コウマチ</t></rPh><phoneticPr fontId="1"/>'
SHARED = """<Override PartName="/xl/sharedStrings.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>"""


def test_a_phonetic_guide_is_no_part_of_a_name(tmp_path):
    sheet = "xl/worksheets/sheet1.xml"
    data = replaced(saved(towns()), sheet, "<t>甲町</t>", RUBY)
    assert taken(tmp_path, PLAIN, data, 1)["town"].to_list() == ["甲町"]
    data = replaced(
        saved(towns()), sheet, '<c r="A2" t="inlineStr"><is><t>甲町</t></is></c>', '<c r="A2" t="s"><v>0</v></c>'
    )
    data = replaced(data, "[Content_Types].xml", "</Types>", SHARED)
    texts = f'<sst xmlns="{SHEET_MAIN_NS}"><si>{RUBY}</si></sst>'
    assert taken(tmp_path, PLAIN, added(data, "xl/sharedStrings.xml", texts.encode()), 1)["town"].to_list() == ["甲町"]


def _wide(parts: dict[str, bytes], content: str) -> None:
    name = "xl/worksheets/sheet1.xml"
    head, _, rest = parts[name].partition(b"<sheetData>")
    parts[name] = head + b"<sheetData>" + content.encode() + rest.partition(b"</sheetData>")[1] + rest.partition(
        b"</sheetData>"
    )[2]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ('<row r="1">' + "<c/>" * 30_000 + "</row>", "tags"),  # before they are objects
        ('<row r="1"><c r="ZZZ1"><v>1</v></c></row>', "columns"),
        ('<row r="999999999999"><c r="A1"><v>1</v></c></row>', "rows"),
    ],
    ids=["tags", "columns", "rows"],
)
def test_a_sheet_that_only_says_that_it_is_huge_is_refused(tmp_path, content, count):
    told = refusal(tmp_path, patched(saved(towns()), lambda parts: _wide(parts, content)))
    assert told["code"] == "workbook.size" and told[count] > told["most"]


def test_a_bomb_is_refused_by_the_sizes_that_it_tells_before_it_is_unpacked(tmp_path, monkeypatch):
    bomb = added(saved(towns()), "xl/worksheets/sheet2.xml", b"<x>" + b" " * (workbooks.MOST_UNPACKED + 1))
    assert len(bomb) < 200_000
    monkeypatch.setattr(workbooks, "_unpacked", lambda *_: pytest.fail("it was unpacked"))
    told = refusal(tmp_path, bomb)
    assert told["code"] == "workbook.size" and told["unpacked"] > told["most"]


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path):
    bomb = added(saved(towns()), "xl/big.xml", b"<x>" + b" " * (1 << 22))
    size = struct.pack("<I", (1 << 22) + 3)
    assert bomb.count(size) == 2  # in the entry's own head, and in the list at the end
    assert refusal(tmp_path, bomb.replace(size, struct.pack("<I", 8)))["code"] == "workbook.unreadable"


def test_a_workbook_too_large_or_of_too_many_parts_is_not_opened(tmp_path, monkeypatch):
    many = patched(saved(towns()), lambda parts: parts.update({f"x/{n}.png": b"" for n in range(2_001)}))
    assert refusal(tmp_path, many)["most"] == workbooks.MOST_PARTS
    monkeypatch.setattr(workbooks, "LARGEST_WORKBOOK", 100)
    monkeypatch.setattr(workbooks, "ZipFile", lambda *_: pytest.fail("it was opened"))
    assert refusal(tmp_path, saved(towns()))["most"] == 100


OLD = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (OLD, "workbook.protected"),
        (b"", "workbook.unreadable"),
        (b"PK\x03\x04" + bytes(50), "workbook.unreadable"),
        ("町名,基準日,人口\n甲町,,5\n".encode(), "workbook.unreadable"),
        (added(saved(towns()), "xl/vbaProject.bin"), "workbook.active"),
        (replaced(saved(towns()), "[Content_Types].xml", "spreadsheetml.sheet.main", "sheet.macroEnabled.main"),
         "workbook.active"),
        (added(saved(towns()), "xl/externalLinks/externalLink1.xml"), "workbook.active"),
        (added(saved(towns()), "xl/connections.xml"), "workbook.active"),
        (added(saved(towns()), "xl/embeddings/oleObject1.bin"), "workbook.active"),
        (added(saved(towns()), "xl/a.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'), "workbook.unreadable"),
        (added(saved(towns()), "xl/a.xml", "<!DOCTYPE x><x/>".encode("utf-16")), "workbook.unreadable"),
        (added(saved(towns()), "xl/a.xml", b'<?xml version="1.0" encoding="cp037"?><x/>'), "workbook.unreadable"),
        (replaced(saved(towns()), "xl/worksheets/sheet1.xml", "</sheetData>", ""), "workbook.unreadable"),
        (replaced(saved(towns()), "xl/workbook.xml", "<sheets>", "<sheets"), "workbook.unreadable"),
        (patched(saved(towns()), lambda parts: parts.pop("xl/workbook.xml")), "workbook.unreadable"),
    ],
)  # fmt: skip
def test_what_is_no_plain_workbook_is_refused(tmp_path, data, code):
    assert refusal(tmp_path, data)["code"] == code


def test_an_encrypted_entry_is_refused(tmp_path):
    data = bytearray(saved(towns()))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert refusal(tmp_path, bytes(data))["code"] == "workbook.protected"


SOUND = saved(towns(["甲町", date(2025, 7, 1), 5]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_bytes_that_were_changed_reject_the_delivery_and_nothing_else(tmp_path_factory, changes):
    data = bytearray(SOUND)
    for at, value in changes:
        data[at] = value
    try:
        taken(tmp_path_factory.mktemp("inbox"), PLAIN, bytes(data), 1)
    except DeliveryRejected as error:
        assert error.at["file"] == "a.xlsx"


def test_the_reader_is_loaded_by_workbooks_alone():
    told = "import sys, kobe_platform.intake.extracts; print('openpyxl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_limits_are_those_of_the_documents():
    said = " ".join((PROJECT / "docs" / "contracts.md").read_text("utf-8").split())
    mib = workbooks.LARGEST_WORKBOOK >> 20, workbooks.MOST_UNPACKED >> 20
    assert f"more than {mib[0]} MiB, {mib[1]} MiB unpacked, {workbooks.MOST_PARTS:,} parts" in said
    assert f"{workbooks.MOST_ROWS:,} rows or {workbooks.MOST_COLUMNS:,} columns a sheet" in said
    assert f"some {workbooks.MOST_TAGS / 4 / 1e6} million cells" in said
