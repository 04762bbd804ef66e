"""An answer as people read it: labels in place of codes, 「X」 for what is hidden; as rows and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from kobe_platform.lounge.formats import SUPPRESSED
from kobe_platform.ondemand.answers import Answer
from kobe_platform.ondemand.menu import Menu, column_of
from kobe_platform.ondemand.question import Question
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary.codes import Hierarchy

COMPUTED = tuple("=+-@＝＋－＠−\t\r\n")
"""What a spreadsheet computes when a text begins with it (the pages' own downloads have the same list)."""
Row = tuple[str | int, ...]


def readable(question: Question, answer: Answer, menu: Menu, areas: Hierarchy | None) -> tuple[list[str], list[Row]]:
    """Headings and rows that were asked for, in the order of the hierarchies; figures are numbers or ``X``."""
    import polars as pl

    shown = question.shown(answer.table, menu)
    columns, heads = [], []
    for name in question.dimensions:
        hierarchy, column = tree(menu.dimensions[name].hierarchy, areas), column_of(menu, name)
        order = {code.code: number for number, code in enumerate(hierarchy.codes)}
        labels = {code.code: code.label or "総数" for code in hierarchy.codes}
        shown = shown.with_columns(
            pl.col(column).replace_strict(order, default=len(order), return_dtype=pl.Int64).alias(f"{column}_order"),
            pl.col(column).replace(labels).alias(f"{column}_label"),
        )
        columns.append(column)
        heads.append(menu.dimensions[name].title)
    measure = menu.measures[question.measure]
    shown = shown.sort([f"{column}_order" for column in columns])
    figures = [
        SUPPRESSED if status == "suppressed" else value for value, status in shown.select("value", "status").iter_rows()
    ]
    texts = shown.select([f"{column}_label" for column in columns]).iter_rows()
    rows = [(*text, figure) for text, figure in zip(texts, figures, strict=True)]
    return [*heads, f"{measure.title}（{measure.unit}）"], rows


def for_spreadsheets(rows: Iterable[Sequence[object]]) -> Iterator[list[object]]:
    """Rows in which no text begins what a spreadsheet would compute: an apostrophe stands before it; figures stay."""
    for row in rows:
        yield [f"'{cell}" if isinstance(cell, str) and cell.startswith(COMPUTED) else cell for cell in row]


def as_csv(question: Question, answer: Answer, menu: Menu, areas: Hierarchy | None) -> str:
    """The answer as CSV for spreadsheets: byte order mark, CRLF, 「X」 as X."""
    heads, rows = readable(question, answer, menu, areas)
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(for_spreadsheets([heads, *rows]))
    return "\ufeff" + text.getvalue()
