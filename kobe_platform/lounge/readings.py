"""How words are read, in katakana, from a dictionary when a site is built; nothing of it is needed when it is used.

SudachiPy and its small dictionary (both Apache 2.0) know names of places and words of administration; what they do not
know is left as it is written, and is found by its characters alone.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sudachipy import Tokenizer

_ONE_AT_A_TIME = threading.Lock()


@cache
def _dictionary() -> Tokenizer:
    from sudachipy import Dictionary, SplitMode  # a build alone reads it: 0.1 s

    return Dictionary(dict="small").tokenizer(mode=SplitMode.C)


@lru_cache(maxsize=50_000)
def reading(text: str) -> str:
    """The reading of a text in katakana: ``垂水区`` gives ``タルミク``."""
    with _ONE_AT_A_TIME:
        return "".join(word.reading_form() or word.surface() for word in _dictionary().tokenize(text))
