"""Explains errors of the lounge to authors in plain Japanese (``explanations.toml``)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from kobe_platform.errors import PlatformError

UNEXPLAINED = "この行の書き方に誤りがあります。"


@cache
def _patterns() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {kind: [(re.compile(pattern, re.DOTALL), text) for pattern, text in pairs] for kind, pairs in told.items()}


def _said(kind: str, text: str) -> str:
    for pattern, japanese in _patterns()[kind]:
        match = pattern.fullmatch(text)
        if match:
            return match.expand(japanese)
    return ""


def explain(error: PlatformError) -> str:
    """What is wrong and what to do, in one or two Japanese sentences; the error's own Japanese goes first."""
    own = error.ja if error.ja != error.message else ""
    message = own or _said("messages", error.message) or UNEXPLAINED
    return message + _said("remedies", error.remedy)


def place(error: PlatformError) -> str:
    """``file:line``; the file alone, or nothing, where there is no more."""
    file, line = error.at.get("file", ""), error.at.get("line", "")
    return f"{file}:{line}" if line else str(file)
