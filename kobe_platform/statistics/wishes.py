"""Reads what a city wishes of single rows of a statistic: ``NAME.wishes.csv`` beside its ``NAME.sql``.

The same as the a-priori files of other tools (``docs/statistics.md``, Wishes): a row is to be hidden whatever its
count, to stay shown where that can be, or to be hidden before others. No wish shows what a rule hides, and the auditor,
who reads published figures and the specification, never learns of one.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from pydantic import BaseModel, ConfigDict

from kobe_platform.disclosure.suppression.wishes import WISHES
from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.codes import UNKNOWN, Hierarchy, hierarchies
from kobe_platform.vocabulary.months import FORM

if TYPE_CHECKING:
    from kobe_platform.statistics.definition import Statistic

SUFFIX = ".wishes.csv"
WISH, PERIOD = "wish", "period"
_PERIODS = {"month": re.compile(FORM), "year": re.compile(r"[0-9]{4}")}


class Wish(BaseModel):
    """A wish of one row.

    Attributes:
        codes: of the row, in the order of the statistic's dimensions.
        wish: ``hide``, ``keep`` or ``yield``.
        period: the only one that it holds for (``2025-07``, ``2025``); empty: every one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    codes: tuple[str, ...]
    wish: str
    period: str = ""


def load_wishes(directory: Path, statistics: Mapping[str, Statistic]) -> dict[str, tuple[Wish, ...]]:
    """The wishes of every statistic of a folder that has a file of them.

    Raises:
        ConfigurationError: ``statistics.wishes`` – a file belongs to no table of counts, lacks a column or has another
            one, or a line holds a word, code or period that is none, or a row that has its wish already (file, line,
            column). Codes of school districts depend on the month and are not judged.
    """
    found = {}
    for path in sorted(Path(directory).glob(f"*{SUFFIX}")):
        statistic = statistics.get(path.name.removesuffix(SUFFIX))
        if statistic is None or statistic.kind != "frequency":
            raise _refusal("a file of wishes belongs to no table of counts", path, "name it after its NAME.sql")
        found[statistic.name] = tuple(_read(path, statistic))
    return found


def wished_rows(statistic: Statistic, period: str, areas: Hierarchy | None) -> tuple[pl.DataFrame, int]:
    """The rows of a period with their ``wish``, and how many wishes name a district that the period does not have."""
    of_all = {one.codes: one.wish for one in statistic.wishes if not one.period}
    wished = {**of_all, **{one.codes: one.wish for one in statistic.wishes if one.period == period}}
    columns = list(statistic.dimensions)
    rows = pl.DataFrame([(*codes, wish) for codes, wish in wished.items()], [*columns, WISH], orient="row")
    if statistic.area_column is None or areas is None or not wished:
        return rows, 0
    shown = [code.code for code in areas.codes if code.code not in areas.residual]
    there = rows.filter(pl.col(statistic.area_column).is_in(shown))
    return there, rows.height - there.height


def wishes_input(members: Iterable[Statistic], period: str) -> dict[str, str]:
    """Input of a group's protected tables: the wishes of the period, as a digest; none where there are none."""
    told = sorted(
        "\t".join([member.name, one.period, one.wish, *one.codes])
        for member in members
        for one in member.wishes
        if one.period in ("", period)
    )
    return {"wishes": hashlib.sha256("\n".join(told).encode()).hexdigest()} if told else {}


def _read(path: Path, statistic: Statistic) -> Iterable[Wish]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file, strict=True), start=1) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise _refusal("a file of wishes cannot be read", path, "give a UTF-8 CSV file with a header") from None
    header = lines[0][1] if lines else []
    columns = [*statistic.dimensions, WISH]
    odd = next((name for name in header if name not in (*columns, PERIOD) or header.count(name) > 1), None)
    lacking = next((name for name in columns if name not in header), None)
    if odd is not None or lacking is not None:
        remedy = f"the columns are {', '.join(columns)} and, where a wish is of one period, {PERIOD}"
        at = {"line": 1, "column": lacking} if lacking else {"line": 1, "column": header.index(str(odd)) + 1}
        raise _refusal("the columns are not those of the statistic", path, remedy, **at)
    given: set[tuple[tuple[str, ...], str]] = set()
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise _refusal("a line has another number of cells than the header", path, "complete it", line=number)
        cells = dict(zip(header, line, strict=True))
        _judge(path, number, cells, statistic)
        one = Wish(codes=tuple(cells[c] for c in statistic.dimensions), wish=cells[WISH], period=cells.get(PERIOD, ""))
        if (one.codes, one.period) in given:
            raise _refusal("a row has its wish already", path, "leave one of the two lines out", line=number)
        given.add((one.codes, one.period))
        yield one


def _judge(path: Path, number: int, cells: Mapping[str, str], statistic: Statistic) -> None:
    if cells[WISH] not in WISHES:
        raise _refusal(
            "a wish is not one of those that are known", path, f"one of {', '.join(WISHES)}", line=number, column=WISH
        )
    period = cells.get(PERIOD, "")
    if period and not _PERIODS[statistic.period].fullmatch(period):
        form = "YYYY-MM" if statistic.period == "month" else "YYYY"
        raise _refusal("a period is not one of the statistic", path, f"write {form}", line=number, column=PERIOD)
    for column, name in statistic.dimensions.items():
        if not _has_row(cells[column], name):
            remedy = f"take a code of the hierarchy {name} that has rows"
            raise _refusal("a code has no row in this statistic", path, remedy, line=number, column=column)


def _has_row(code: str, hierarchy: str) -> bool:
    if hierarchy not in hierarchies():  # school districts depend on the month
        return bool(code) and not code.endswith(UNKNOWN)
    tree = hierarchies()[hierarchy]
    return any(one.code == code for one in tree.codes) and code not in tree.residual


def _refusal(message: str, path: Path, remedy: str, **at: str | int) -> ConfigurationError:
    return ConfigurationError(
        message,
        code="statistics.wishes",
        at={"file": path.name, **at},
        remedy=f"{remedy} (docs/statistics.md, Wishes)",
        ja="行ごとの要望のファイル(NAME.wishes.csv)に誤りがあります",
    )


def unmet(kept_in_vain: int, without_row: int) -> dict[str, Mapping[str, int]]:
    """The fact of a table whose wishes did not all come true; empty where they did."""
    told = {"kept_in_vain": kept_in_vain, "without_row": without_row}
    return {"wishes": told} if any(told.values()) else {}


def frames(
    members: Sequence[Statistic], period: str, areas: Hierarchy | None
) -> tuple[dict[str, pl.DataFrame], dict[str, int]]:
    """Wished rows by table, where there are any, and by table the number of wishes without a row in this period."""
    told = {member.name: wished_rows(member, period, areas) for member in members if member.wishes}
    rows = {name: rows for name, (rows, _) in told.items() if rows.height}
    return rows, {name: lost for name, (_, lost) in told.items()}
