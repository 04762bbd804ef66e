"""Cuts the figures of a map into classes: seven equal steps, or up to five classes of as many areas each (quantiles).

Hidden and absent areas take no part. ``classes.js`` cuts in the same way in the browser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = 7
QUANTILES = 5
_SHADES = {1: (7,), 2: (2, 6), 3: (2, 4, 6), 4: (1, 3, 5, 7), 5: (1, 3, 4, 5, 7), STEPS: (1, 2, 3, 4, 5, 6, 7)}
"""Classes → their shades of the seven, apart from each other."""


@dataclass(frozen=True)
class Classes:
    """Classes of figures.

    Attributes:
        low: lower end of the first class.
        ends: upper end of each class, itself within it.
    """

    low: float
    ends: tuple[float, ...]

    def shade(self, value: float) -> int:
        """The shade 1 … 7 of a figure; 0 for nothing."""
        if not self.ends or (not value and not self.low):
            return 0
        at = next((n for n, end in enumerate(self.ends) if value <= end), len(self.ends) - 1)
        return _SHADES[len(self.ends)][at]

    @property
    def shades(self) -> tuple[int, ...]:
        """The shade of each class, in order."""
        return _SHADES[len(self.ends)] if self.ends else ()


def classes_of(known: Sequence[float], *, free: bool = False, quantile: bool = False) -> Classes:
    """Cut figures into classes.

    Args:
        known: the published figures.
        free: equal steps begin at the least figure instead of zero.
        quantile: classes of as many figures each; equal figures share one.
    """
    if not known:
        return Classes(0, ())
    if quantile:
        ordered = sorted(known)
        places = (math.ceil(len(ordered) * n / QUANTILES) - 1 for n in range(1, QUANTILES + 1))
        return Classes(ordered[0], tuple(dict.fromkeys(ordered[max(0, place)] for place in places)))
    low = min(known) if free or min(known) < 0 else 0
    high = max(known)
    if high <= low:
        return Classes(low, (high,))
    steps = [low + (high - low) * n / STEPS for n in range(1, STEPS)]
    return Classes(low, (*steps, high))
