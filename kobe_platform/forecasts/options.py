"""Defines what a method of forecasting is and what it may be told; each method reads the options that concern it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kobe_platform.forecasts.panel import Panel


@dataclass(frozen=True)
class MethodOptions:
    """Options of the methods.

    Attributes:
        area, age: names of the dimensions of areas and single years of age (cohort methods).
        parent: code of the area of which all others are parts, such as the city's.
        top_age: the open-ended oldest age (its group takes in itself and the age below); None where ages just stop.
        variant: whether a cohort's change is a ratio or a difference.
        pseudo_persons: how many persons of the parent's change are mixed into each area's (shrinkage); 0 is none.
        smoothing: how many ages on each side share one change.
        controlled: areas are scaled to the parent's own forecast, age by age.
        years: length of the window of ``seasonal_index``; calendar years of events of ``cohort_component``.
        seed: of ``gradient_boosting``, which draws random numbers when it bins much data.
    """

    area: str = "area"
    age: str = "age"
    parent: str = ""
    top_age: int | None = None
    variant: Literal["ratio", "difference"] = "ratio"
    pseudo_persons: float = 0.0
    smoothing: int = 0
    controlled: bool = False
    years: int = 3
    seed: int = 0


Method = Callable[[Panel, Sequence[int], MethodOptions], np.ndarray]
"""What every method is: from a panel whose last month is the origin, months ahead × cells; NaN is no forecast."""
