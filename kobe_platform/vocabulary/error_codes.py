"""Reads what each error code means and what to do about it, in Japanese.

Codes of deliveries that break a rule are those of ``assets/vocabulary/rules.toml``; all others stand in ``errors.toml``
beside it. A test holds both together equal to the codes that the program can show.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "vocabulary"
SEVERITIES = {
    "R": "提供データを却下します",
    "Q": "その行を除いて取り込みます",
    "W": "数えて、そのまま取り込みます",
    "N": "契約に従って整え、数えます",
    "hold": "提供データを保留します",
}
"""What a rule of intake does, by its severity."""


@dataclass(frozen=True)
class Explanation:
    """What a code means.

    Attributes:
        cause: what is wrong, one sentence.
        remedy: what the reader does, one or two sentences.
        effect: of a rule of intake: what becomes of the delivery or its rows; else empty.
    """

    cause: str
    remedy: str
    effect: str = ""


@cache
def explanations() -> Mapping[str, Explanation]:
    """Every code, sorted, with its explanation."""
    found = {
        f"{family}.{code}": Explanation(words["cause"], words["remedy"])
        for family, table in _read("errors.toml").items()
        for code, words in table.items()
    }
    for code, rule in _read("rules.toml").items():
        found[code] = Explanation(rule["ja"], rule["remedy_ja"], SEVERITIES[rule["severity"]])
    return MappingProxyType(dict(sorted(found.items())))


def _read(name: str) -> dict[str, dict]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
