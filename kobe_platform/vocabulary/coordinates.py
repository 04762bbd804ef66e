"""Words the coordinates of a refused delivery for screens (``assets/vocabulary/coordinates.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

COORDINATES = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "coordinates.toml"
BESIDE = ("delivery", "rule")
"""Coordinates that stand beside the sentence already."""


@cache
def words() -> Mapping[str, str]:
    """What is said of each coordinate, in the order in which they are said."""
    with COORDINATES.open("rb") as file:
        return tomllib.load(file)


def place(at: Mapping[str, object]) -> str:
    """The place behind a sentence, ``（ファイル a.csv、3行目、項目 value）``; empty without coordinates.

    A coordinate that the list lacks is said by its own name, behind the others.
    """
    told = [said.replace("{}", str(at[name])) for name, said in words().items() if name in at]
    told += [f"{name} {value}" for name, value in at.items() if name not in words() and name not in BESIDE]
    return f"（{'、'.join(told)}）" if told else ""
