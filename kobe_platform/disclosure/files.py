"""Reads the finest cells of tables from CSV files, and writes published rows to CSV files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from kobe_platform.disclosure.previous_release import FormerRelease
from kobe_platform.disclosure.spec import Spec
from kobe_platform.errors import DisclosureError

SPECIFICATION = "spec.toml"
RECORD = "disclosure.json"
"""File beside the published tables: rule, method, k, number suppressed, shares shown, audit, engine version."""


def read_cells(spec: Spec, folder: Path) -> dict[str, pl.DataFrame]:
    """``TABLE.csv`` of every table: dimension columns as text, the measure as whole numbers.

    Raises:
        DisclosureError: a file or column is missing, or a count is not a whole number (coordinates: table, row).
    """
    cells = {}
    for table in spec.tables:
        columns = (table.measure, *table.further_columns)
        named = [table.contributor] if table.contributor else []
        frame = _read(folder, table.name, [*table.dimensions, *named, *columns])
        for column in columns:
            counts = frame[column].str.strip_chars().cast(pl.Int64, strict=False)
            wrong = counts.is_null()
            if wrong.any():
                raise DisclosureError(
                    "a count is not a whole number",
                    code="disclosure.count",
                    at={"table": table.name, "column": column, "row": int(wrong.arg_max() or 0) + 1},
                    remedy="give counts as digits only; leave out cells that are zero or write 0",
                )
            frame = frame.with_columns(counts)
        cells[table.name] = frame
    return cells


def read_published(
    names: Iterable[str], dimensions: Mapping[str, Iterable[str]], folder: Path
) -> dict[str, pl.DataFrame]:
    """Published ``TABLE.csv`` files: dimension columns and status as text, value as whole numbers or null.

    Raises:
        DisclosureError: a file or column is missing, or a value is neither empty nor a whole number.
    """
    return {name: _published(folder, name, [*dimensions[name]], pl.Int64) for name in names}


def read_release(spec: Spec, folder: Path, *, partial: bool = False) -> dict[str, pl.DataFrame]:
    """All published tables of a specification, means (decimal numbers) included.

    Args:
        partial: leave out tables that have no file (an earlier release may not have had them).
    """
    wanted: list[tuple[str, list[str], type[pl.DataType]]]
    wanted = [(t.name, list(t.dimensions), pl.Int64) for t in spec.tables]
    for mean in spec.means:
        others = [c for c in spec.table(mean.of).dimensions if c != mean.dimension]
        wanted.append((mean.table, list(mean.on) or others, pl.Float64))
    present = [w for w in wanted if not partial or (folder / f"{w[0]}.csv").exists()]
    return {name: _published(folder, name, columns, kind) for name, columns, kind in present}


def read_previous(spec: Spec, folders: Iterable[Path] = ()) -> list[FormerRelease]:
    """The earlier releases that the specification names, then those in ``folders``, oldest first.

    A release that stood under another specification has it beside its tables as ``spec.toml``.
    """
    entries = [(Path(p.directory), p.specification and Path(p.specification)) for p in spec.previous]
    entries += [(folder, None) for folder in folders]
    releases = []
    for folder, own in entries:
        beside = own or (folder / SPECIFICATION)
        former = Spec.load(beside) if own or beside.exists() else None
        tables = read_release(former or spec, folder, partial=True)
        if not tables:
            raise DisclosureError(
                "an earlier release has none of the tables",
                code="disclosure.file",
                at={"folder": folder.name},
                remedy="give a folder of published TABLE.csv files",
            )
        releases.append(FormerRelease(tables, former))
    return releases


def _published(folder: Path, name: str, columns: list[str], kind: type[pl.DataType]) -> pl.DataFrame:
    frame = _read(folder, name, [*columns, "value", "status"])
    text = frame["value"].fill_null("").str.strip_chars()
    value = text.cast(kind, strict=False)
    wrong = value.is_null() & (text != "")
    if wrong.any():
        raise DisclosureError(
            f"a published value is neither empty nor a {'whole ' if kind == pl.Int64 else ''}number",
            code="disclosure.published",
            at={"table": name, "row": int(wrong.arg_max() or 0) + 1},
            remedy="publish counts as digits, suppressed cells as empty",
        )
    return frame.with_columns(value)


def read_rows(spec: Spec, folder: Path) -> dict[str, pl.DataFrame]:
    """``TABLE.csv`` of the tables that have one: rows named by their dimension columns, as text.

    Raises:
        DisclosureError: no table of the specification has a file there, or a column is missing.
    """
    return _rows_of_some(spec, folder, "sensitive rows")


def read_wishes(spec: Spec, folder: Path) -> dict[str, pl.DataFrame]:
    """``TABLE.csv`` of the tables that have one: rows named by their dimension columns, and ``wish``.

    Raises:
        DisclosureError: no table of the specification has a file there, or a column is missing.
    """
    return _rows_of_some(spec, folder, "wishes", "wish")


def _rows_of_some(spec: Spec, folder: Path, what: str, *further: str) -> dict[str, pl.DataFrame]:
    named = [table for table in spec.tables if (folder / f"{table.name}.csv").exists()]
    if not named:
        columns = " and the column ".join(["the dimension columns of the table", *further])
        raise DisclosureError(
            f"no table has a file of {what}",
            code="disclosure.file",
            at={"folder": folder.name},
            remedy=f"give TABLE.csv with {columns}",
        )
    return {table.name: _read(folder, table.name, [*table.dimensions, *further]) for table in named}


def read_coarsening(folder: Path) -> dict[str, dict[str, object]]:
    """What was merged in the tables of a folder, from the record beside them; none where there is no record.

    Raises:
        DisclosureError: the record is not what it must be.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        merged = record.get("coarsening", {})
        if isinstance(merged, dict) and all(isinstance(choice, dict) for choice in merged.values()):
            return merged
    except (OSError, ValueError, AttributeError):
        pass
    raise DisclosureError(
        "the record beside the tables cannot be read",
        code="disclosure.file",
        at={"file": RECORD},
        remedy="keep the disclosure.json that kobe protect wrote with its tables",
    )


def write_published(tables: Mapping[str, pl.DataFrame], record: Mapping[str, object], folder: Path) -> None:
    """All tables and the record; every file is complete when it appears under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        part = folder / f".{name}.csv.part"
        frame.write_csv(part)
        os.replace(part, folder / f"{name}.csv")
    part = folder / f".{RECORD}.part"
    part.write_text(json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(part, folder / RECORD)


def _read(folder: Path, name: str, columns: list[str]) -> pl.DataFrame:
    try:
        frame = pl.read_csv(folder / f"{name}.csv", infer_schema=False)
    except (OSError, pl.exceptions.PolarsError):
        raise DisclosureError(
            "a table cannot be read",
            code="disclosure.file",
            at={"file": f"{name}.csv"},
            remedy="give a UTF-8 CSV file with a header row",
        ) from None
    for column in columns:
        if column not in frame.columns:
            raise DisclosureError(
                "a table lacks a column",
                code="disclosure.column",
                at={"table": name, "column": column},
                remedy="name the columns as the specification does",
            )
    return frame.select(columns)
