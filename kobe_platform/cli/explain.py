"""Explains error codes: ``kobe explain CODE``, and the list of all of them in the operators' handbook."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.error_codes import Explanation, explanations
from kobe_platform.vocabulary.nearest import nearest

BEGIN, END = "<!-- コード一覧: ここから（自動） -->", "<!-- コード一覧: ここまで -->"
"""What encloses the generated list in the handbook."""


def explain(
    code: Annotated[str, typer.Argument(help="As it stands in brackets, e.g. custody.disk_full; or a beginning.")] = "",
) -> None:
    """What an error code means and what to do; without a code, all of them."""
    wanted = code.strip("[] ")
    known = explanations()
    found = {wanted: known[wanted]} if wanted in known else _family(wanted)
    if not found:
        near = nearest(wanted, known)
        raise ConfigurationError(
            "there is no such error code",
            code="explain.unknown",
            remedy=f"did you mean {near}?" if near else "see `kobe explain`",
            ja=f"このコードはありません。{f'{near} のことですか' if near else '`kobe explain` で一覧を見てください'}",
        )
    typer.echo("\n".join(_lines(name, one) for name, one in found.items()))


def _family(beginning: str) -> dict[str, Explanation]:
    return {name: one for name, one in explanations().items() if not beginning or name.startswith(f"{beginning}.")}


def _lines(code: str, one: Explanation) -> str:
    effect = f"\n  扱い: {one.effect}" if one.effect else ""
    return f"{code}\n  原因: {one.cause}{effect}\n  対応: {one.remedy}"


def listed() -> str:
    """The handbook's list: one table a family, as Markdown."""
    parts = []
    for family, codes in groupby(explanations().items(), key=lambda item: item[0].partition(".")[0]):
        rows = [f"| `{code}` | {_cell(one.cause)}{_effect(one)} | {_cell(one.remedy)} |" for code, one in codes]
        parts.append("\n".join((f"### {family}", "", "| コード | 原因 | 対応 |", "|---|---|---|", *rows)))
    return "\n\n".join(parts)


def _effect(one: Explanation) -> str:
    return f"（{one.effect}）" if one.effect else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def with_list(handbook: str) -> str:
    """The handbook with the list as it must be now between its marks."""
    head, _, rest = handbook.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{listed()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_list(path.read_text(encoding="utf-8")), encoding="utf-8")
