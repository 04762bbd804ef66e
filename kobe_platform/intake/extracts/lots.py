"""Reads lot numbers (番地) as registers write them: in figures, in kanji by place or by unit, or mixed.

A lot is the number before 番 or, where there is none, the one that the text begins with; block (丁目), section (地割)
and branch number (枝番) are no part of it. What is not understood stays unknown: another district is worse than none.
"""

from __future__ import annotations

import re

import polars as pl

_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_FIGURES = str.maketrans("〇零一二三四五六七八九壱壹弐貳参參伍", "001234567891122335")
_FORMAL = str.maketrans(
    {"拾": "十", "佰": "百", "仟": "千", "萬": "万", "廿": "二十", "卄": "二十", "卅": "三十", "卌": "四十"}
)
_NUMBER = "[0-9〇零一二三四五六七八九壱壹弐貳参參伍十百千万拾佰仟萬廿卄卅卌]+"
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_DASH = "-‐‑‒–—―−ーｰ~〜"
_NONE = "無番地|番外|番地なし|地番なし"
_BEFORE = r"^.*(?:丁目|地割)"
_BY_WORD = rf"^[^0-9番]*?({_NUMBER})番"
_AFTER = rf"(?:$|[{_DASH}のノ之号{_STEMS}・、,(/])"
_AHEAD = rf"^[第{_STEMS}]?({_NUMBER}){_AFTER}"
_IN_SECTION = rf"^大?字[^0-9]*([0-9]+){_AFTER}"
_MOST = 999_999


def lot_numbers(values: pl.Series) -> pl.Series:
    """The number of each normalised lot as Int32; null where there is none or it is not understood.

    Examples: 十二番地, 一二番地 12; 二十3番 23; 1丁目2番3号 2; 第3地割12番地 12; 甲5番地の2 5; 12ー3 12; 無番地 null.
    """
    text = values.str.replace_all(r"[\s\u3000]", "").str.replace(_BEFORE, "")
    frame = pl.DataFrame({"text": text})
    number = pl.coalesce(pl.col("text").str.extract(pattern, 1) for pattern in (_BY_WORD, _AHEAD, _IN_SECTION))
    written = frame.select(pl.when(~pl.col("text").str.contains(_NONE)).then(number).alias("written")).to_series()
    in_figures = written.str.extract(r"^([0-9]{1,6})$", 1).cast(pl.Int32)
    others = written.filter(written.is_not_null() & in_figures.is_null()).unique()
    if others.is_empty():
        return in_figures
    in_kanji = written.replace_strict({one: lot_number(one) for one in others}, default=None, return_dtype=pl.Int32)
    return pl.DataFrame({"a": in_figures, "b": in_kanji}).select(pl.coalesce("a", "b")).to_series()


def lot_number(written: str) -> int | None:
    """A number in kanji, by place (一〇五), by unit (百五, 一千二百), formal (弐拾), or mixed with figures (二十3)."""
    plain = re.sub("([十百千万])[〇零]+", r"\1", written.translate(_FORMAL)).translate(_FIGURES)
    if re.fullmatch(r"[0-9]{1,6}", plain):
        return int(plain)
    total, before = 0, 10 * _UNITS["万"]
    for factor, unit in re.findall(r"([0-9]*)([十百千万])", plain):
        size = _UNITS[unit]
        most = 2 if unit == "万" else 1
        if size >= before or len(factor) > most or factor == "0":
            return None
        total, before = total + int(factor or 1) * size, size
    rest = re.sub(r".*[十百千万]", "", plain)
    if len(rest) >= len(str(before)) or (len(rest) > 1 and rest.startswith("0")):
        return None
    total += int(rest or 0)
    return total if 0 < total <= _MOST else None
