"""A workbook as one more source of the inbox's fuzz: a table's texts as sheets, and the parts of the archive spoiled.

The spoilers of texts (records, cells, columns) change the table before it becomes a workbook; those here change what is
in the archive: tags, attributes and numbers of its XML, parts that are not there or should not be.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from io import BytesIO, StringIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import openpyxl
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from tests.unit.intake.published_tables import AGE, MONTH, PERSONS, SEX, TOWN, column, contract, layout

Parts = dict[str, bytes]
Change = Callable[[Parts], None]

_READ = contract(
    'key = ["as_of", "ward", "town", "sex", "age"]---'
    + layout(
        2, title=r"(?P<as_of>\d+-\d+-\d+)現在", spread=r"(?P<age>\d+)歳(?P<sex>男|女)", figures="persons",
        notes=["注"], sheets="(?P<ward>.+区)", other_sheets="^目次$",
    ).replace('"delimited"', '"workbook"').replace(".csv", ".xlsx")
    + column("as_of", "時点", "day", MONTH)
    + column("ward", "区")
    + TOWN + SEX + AGE + PERSONS
)  # fmt: skip
WORKBOOK = _READ.model_copy(update={"name": "town_workbook"})
"""Two sheets of towns by age and sex, and a sheet that is passed over."""
_INTRUDERS = (
    "xl/vbaProject.bin", "xl/externalLinks/externalLink1.xml", "xl/connections.xml", "xl/embeddings/oleObject1.bin",
    "../x.xml", "/etc/x.xml", "xl/worksheets/sheet9.xml", "XL/WORKSHEETS/SHEET1.XML", "x\\y.xml",
)  # fmt: skip
_TOKENS = (
    "<", ">", "</c>", "<f>", "</f>", "<v>", 't="s"', 't="e"', 't="b"', 't="d"', 'r="A1"', 'r="XFD1048576"', 'r="ZZZ9"',
    "-1", "1e400", "NaN", "99999999999999999999", "&amp;", "&#0;", "&x;", "\x00", "<row>", "</row>", "<sheetData>",
    "<is>", "<t>", 's="9999"', 'si="0"', 't="shared"', 'ref="A1:XFD1048576"', 'state="hidden"', 'hidden="1"', 'ht="0"',
    '<cols><col min="1" max="99999999" hidden="1"/></cols>', '<mergeCell ref="A1:B9"/>', "<c/>" * 50,
    '<!DOCTYPE x [<!ENTITY a "b">]>', '<?xml version="1.0" encoding="utf-16"?>',
)  # fmt: skip
_NUMBERS = ("0", "-1", "4294967296", "9" * 30, "1.5", "2958466")


def workbook_text(month: str, town: str) -> tuple[str, int]:
    """The table of one sheet as text, and the records of both sheets that are read.

    Args:
        town: name of its first town.
    """
    lines = [
        f"町別人口（{month}-01現在）",
        "単位：人",
        "町名,0歳男,0歳女,1歳男",
        f"{town},4,5,0",
        "丙町,1,2,３",
        "乙町,7,8,0",
        "注）外国人を含む",
    ]
    return "\r\n".join([*lines, ""]), 6


def workbook_of(text: bytes, changes: tuple[Change, ...] = ()) -> bytes:
    """A workbook whose two sheets hold a table, with the parts of its archive changed.

    Args:
        text: the table; what cannot stand in a cell is left out.
    """
    book = openpyxl.Workbook()
    book.active.title = "目次"
    rows = list(csv.reader(StringIO(text.decode("utf-8", "replace").replace("\x00", "")), strict=False))
    for ward in ("東灘区", "灘区"):
        sheet = book.create_sheet(ward)
        for row in rows:
            sheet.append([_cell(field) for field in row[:50]])
    out = BytesIO()
    book.save(out)
    with ZipFile(out) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    # The day of saving would make the archive another one each time, and the fuzz not repeatable.
    parts["docProps/core.xml"] = re.sub(
        rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"2025-08-01T00:00:00Z", parts["docProps/core.xml"]
    )
    for change in changes:
        change(parts)
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return packed.getvalue()


def _cell(text: str) -> str | int | None:
    plain = ILLEGAL_CHARACTERS_RE.sub("", text)[:500]
    return int(plain) if re.fullmatch("[0-9]{1,9}", plain) else plain or None


def change_of_parts(data: st.DataObject) -> Change:
    """A change of a workbook's archive: a token, a cut or a number in one part, or a part too many or too few."""
    how = data.draw(st.sampled_from(("token", "token", "token", "cut", "number", "missing", "intruder")))
    which, start = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 5000))
    length = data.draw(st.sampled_from((0, 0, 1, 5, 40, 300)))
    token = data.draw(st.sampled_from(_NUMBERS if how == "number" else _INTRUDERS if how == "intruder" else _TOKENS))

    def change(parts: Parts) -> None:
        name = sorted(parts)[which % len(parts)] if parts else ""
        if how == "intruder":
            parts[token] = b"<x/>"
        elif name and how == "missing":
            del parts[name]
        elif name:
            parts[name] = _put(parts[name], how, start, length, token)

    return change


def _put(part: bytes, how: str, start: int, length: int, token: str) -> bytes:
    if how == "number":
        found = list(re.finditer(rb"\d+", part))
        at = found[start % len(found)].span() if found else (0, 0)
        return part[: at[0]] + token.encode() + part[at[1] :]
    start %= len(part) + 1
    return part[:start] + (token.encode() if how == "token" else b"") + part[start + length :]
