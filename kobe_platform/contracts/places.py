"""Finds the line of a contract's file on which a key stands, so that a refusal can name it."""

from __future__ import annotations

import re
from pathlib import Path

_HEADING = re.compile(r"^\s*\[+\s*([A-Za-z0-9_.\"-]+)\s*\]+")


def line_of(path: Path, place: str) -> dict[str, int]:
    """``{"line": n}`` of a place (``columns.ID.key``, ``legal.basis``, ``name``), counted from 1; empty if not found.

    The line of the key; where the file has not the key, that of the column or table that it belongs to.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    head, *rest = place.split(".")
    block = _column(lines, rest[0]) if head == "columns" and rest else _table(lines, head if rest else "")
    keys = [head] if not rest else rest[1:] if head == "columns" else rest
    found = [n for key in keys for n in block if _names(lines[n], key)]
    line = found[-1] if found else block[0] if block and rest else None
    return {} if line is None else {"line": line + 1}


def _blocks(lines: list[str]) -> list[tuple[str, list[int]]]:
    """Headings of the file, in order, with the numbers of their lines; what stands before the first has none."""
    blocks: list[tuple[str, list[int]]] = [("", [])]
    for number, line in enumerate(lines):
        if heading := _HEADING.match(line):
            blocks.append((heading[1], []))
        blocks[-1][1].append(number)
    return blocks


def _column(lines: list[str], name: str) -> list[int]:
    """The lines of one column, its own tables included."""
    found: list[int] = []
    for heading, numbers in _blocks(lines):
        if heading == "columns":
            stated = any(re.match(rf"""\s*id\s*=\s*["']{re.escape(name)}["']""", lines[n]) for n in numbers)
            if found:
                break
            found = list(numbers) if stated else []
        elif found and heading.startswith("columns."):
            found += numbers
        elif found:
            break
    return found


def _table(lines: list[str], name: str) -> list[int]:
    return next((numbers for heading, numbers in _blocks(lines) if heading == name), [])


def _names(line: str, key: str) -> bool:
    heading = _HEADING.match(line)
    if heading:
        return heading[1].split(".")[-1] == key
    return re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]""", line) is not None
