"""Normalises texts: widths, spaces and padding (quirks 1, 3, 4)."""

from __future__ import annotations

import polars as pl

VARIATION = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
PRIVATE_USE = "[\ue000-\uf8ff\U000f0000-\U0010fffd]"
NOT_PLAIN = "[^!-~]"
"""Texts of visible ASCII are normal already: most columns of an extract are codes and dates."""
MARGIN = "[\\s\u3000\\x00]+"
KANJI_DIGITS = {kanji: str(digit) for digit, kanji in enumerate("〇一二三四五六七八九")}


def normalised(values: pl.Series) -> pl.Series:
    """NFKC text without variation selectors, outer spaces and NULs."""
    odd = values.str.contains(NOT_PLAIN).arg_true()
    if odd.is_empty():
        return values
    text = values.gather(odd).str.replace_all(VARIATION, "").str.normalize("NFKC")
    text = text.str.replace_all(f"^{MARGIN}|{MARGIN}$", "")
    return text.rename(values.name) if len(odd) == len(values) else values.clone().scatter(odd, text)


def has_gaiji(values: pl.Series) -> pl.Series:
    """Whether a text holds characters of the private use area."""
    return values.str.contains(PRIVATE_USE)
