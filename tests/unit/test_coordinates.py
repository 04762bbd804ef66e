"""Every coordinate of a refusal is said in Japanese, in the order of the list, and none is lost."""

from __future__ import annotations

import ast

from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.coordinates import BESIDE, place, words

REFUSING = {"rejection", "hold", "reject"}


def _coordinates() -> set[str]:
    """Names of coordinates that the code gives to refusals: keywords of the calls, and keys of what they unpack."""
    found: set[str] = set()
    for room in ("intake", "reception", "vocabulary"):
        for path in (PROJECT / "kobe_platform" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in REFUSING:
                    found |= {keyword.arg for keyword in node.keywords if keyword.arg}
    declaring = ast.parse((PROJECT / "kobe_platform/intake/extracts/declaring.py").read_text("utf-8"))
    told = [node for node in ast.walk(declaring) if isinstance(node, ast.Dict)]
    found |= {key.value for node in told for key in node.keys if isinstance(key, ast.Constant)}
    return found | {"sheet", "line", "column_number", "file", "fault", "seems", "added", "removed", "changed"}


def test_every_coordinate_that_a_refusal_has_is_said_in_japanese():
    found = _coordinates()
    assert {"rows", "column", "declare", "other_column", "most"} <= found
    assert found - set(BESIDE) <= words().keys()
    assert all(said.count("{}") == 1 and not said.replace("{}", "").isascii() for said in words().values())


def test_a_place_is_said_from_the_file_to_the_cell_and_then_what_to_write():
    at = {"delivery": "x/2025-07", "declare": "leading = 1", "rows": 2, "column": "value", "line": 3, "sheet": 1}
    told = "（ファイル a.xlsx、左から1枚目のシート、3行目、項目 value、行数 2、契約に書く行: leading = 1）"
    assert place({**at, "file": "a.xlsx", "rule": "value.form"}) == told


def test_a_coordinate_without_words_is_not_lost_and_nothing_is_said_of_nowhere():
    assert place({"file": "a.csv", "zodiac": 3}) == "（ファイル a.csv、zodiac 3）"
    assert place({"delivery": "x/2025-07", "rule": "value.form"}) == ""
