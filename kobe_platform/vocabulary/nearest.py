"""Finds the name that somebody probably meant, for the last words of a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.5
"""Share of the letters that have to agree, as ``difflib`` counts them."""
MOST_NAMES = 20


def nearest(word: str, names: Iterable[str], likeness: float = LIKENESS) -> str:
    """The name most like a word; empty where none is like it."""
    return next(iter(get_close_matches(word, list(names), n=1, cutoff=likeness)), "")


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "", likeness: float = LIKENESS) -> str:
    """A remedy: the nearest name; where there is none, ``otherwise``, or which names there are."""
    known = list(names)
    if near := nearest(word, known, likeness):
        return f"did you mean {near}?"
    return otherwise or f"there are: {listed(known)}"


def listed(names: Iterable[str]) -> str:
    """Names in one line, the first twenty of many; ``none`` where there are none."""
    known = list(names)
    return ", ".join([*known[:MOST_NAMES], *(["…"] if len(known) > MOST_NAMES else [])]) or "none"
