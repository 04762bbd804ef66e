"""Finds the line of a contract that would make a refused file readable; the refusal shows it as ``declare``.

Only words of contracts and marks that every statistical table uses are told, never a text of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import polars as pl

from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Column, Day, Keep
from kobe_platform.intake.extracts.code_systems import LOCAL_GOVERNMENT, check_digit_holds
from kobe_platform.intake.extracts.texts import normalised

MARKS = ("－", "-", "―", "‐", "…", "・・・", "***", "**", "*", "X", "x", "χ", "△", "▲", "不詳", "秘匿")
"""Texts that stand in figures' places in statistical tables, as they are written most often."""
NOTES = ("注", "(注", "※", "*", "資料", "出典", "備考", "なお", "単位")
"""How notes below tables begin, once widths are made one."""
SEARCHED = 20
"""Records at a file's head in which the column line is looked for."""

NEARLY = 0.6
"""Likeness of two names (difflib's ratio, 0 to 1) from which one may be the other, renamed."""

Said = dict[str, str | int]


def for_the_header(columns: Sequence[Column], records: Sequence[Sequence[str]]) -> Said:
    """Where the column line is not the first record: how many lead up to it."""
    wanted = set(_plain([column.header for column in columns]))
    for number, fields in enumerate(records[:SEARCHED]):
        if number and wanted <= set(_plain(fields)):
            return {"declare": f"leading = {number}"}
    return {}


def for_missing(missing: Sequence[Column]) -> Said:
    """Where a column is not there: its value may stand in a title or in the file's name."""
    column = missing[0]
    if len(missing) > 1 or column.class_ != "P":
        return {}
    if isinstance(column, Day):
        return {"declare": f"[layouts.table] title = '(?P<{column.id}>…)'"}
    if isinstance(column, Keep):
        return {"declare": f"[layouts.table] file_name = '(?P<{column.id}>…)'"}
    return {}


def for_unclassified(places: Sequence[int]) -> Said:
    """Several columns more than contracted may be figures of years, sexes or ages."""
    if len(places) < 2:
        return {}
    return {"declare": "[layouts.table] spread = '(?P<ID>…)', figures = 'ID'", "columns": len(places)}


def for_renamed(column: Column, fields: Sequence[str], matched: Sequence[Column | None]) -> Said:
    """Where a column is not there, but one that the contract does not know has nearly its name: renamed, perhaps."""
    wanted = _plain([column.header])[0]
    unknown = [(place, name) for place, name in enumerate(_plain(fields)) if matched[place] is None and name]
    near = max(((_likeness(wanted, name), -place) for place, name in unknown), default=(0.0, 0))
    if near[0] < NEARLY:
        return {}
    number = 1 - near[1]
    return {"nearest_column_number": number, "declare": f'header = "(左から{number}列目の見出し)" # id = "{column.id}"'}


def for_further(places: Sequence[int], fields: Sequence[str], contract: Contract) -> Said:
    """A column more than contracted: its nearest neighbour by name, and the entry by which it would never be kept."""
    place = places[0]
    name = _plain([fields[place]])[0]
    headers = _plain([column.header for column in contract.columns])
    near = max(zip((_likeness(header, name) for header in headers), contract.columns, strict=True), key=lambda n: n[0])
    said: Said = {"nearest_column": near[1].id} if near[0] >= NEARLY else {}
    entry = f'[[columns]] id = "…", header = "(左から{place + 1}列目の見出し)", class = "I", rule = "drop"'
    return {**said, "declare": entry}


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def for_a_record(fields: Sequence[str]) -> Said:
    """A record of another length may be a note below the table."""
    return for_a_note(next(filter(None, _plain(fields)), ""))


def for_a_note(text: str) -> Said:
    """A record whose first filled field, normalised, begins as notes do."""
    marks = [mark for mark in NOTES if text.startswith(mark)]
    return {"declare": f'[layouts.table] notes = ["{marks[0]}"]'} if marks else {}


def for_a_sheet() -> Said:
    """A sheet of which the contract says nothing."""
    return {"declare": "[layouts.table] sheets = '(?P<ID>…)', other_sheets = '…'"}


def for_a_number(text: str) -> Said:
    """A mark in a figure's place."""
    marks = [mark for mark in MARKS if _plain([mark]) == [text]]
    return {"declare": f'missing = ["{marks[0]}"]'} if marks else {}


def for_a_code(text: str, column: Keep) -> Said:
    """A listed code with the check digit of local governments."""
    holds = len(text) == 6 and check_digit_holds(pl.Series([text]))[0]
    return {"declare": f'system = "{LOCAL_GOVERNMENT}"'} if holds and text[:5] in column.listed else {}


def _plain(texts: Sequence[str]) -> list[str]:
    return normalised(pl.Series(list(texts), dtype=pl.String)).to_list()
