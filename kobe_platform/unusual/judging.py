"""Judges a month's figures: how unlikely each is after its own past errors, and which of all series are listed.

The error of a figure is the logarithm of its ratio to what was expected. Its spread is the median absolute error of
the past (× 1.4826, as of a normal distribution), March and April apart from all other months, and at least what chance
alone does to a count. Below :data:`SMALL` expected events, the tail of a negative binomial distribution takes the place
of Student's t. Listed are the series that the rule of Benjamini and Hochberg (1995) lets pass at a false-discovery rate
of :data:`FALSE_DISCOVERY`, at most :data:`MOST_LINES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FALSE_DISCOVERY = 0.10
MOST_LINES = 15
LEAST = 30
"""Figures, and expected figures, below this are not judged."""
SMALL = 100.0
"""Expected figures below this are judged as counts."""
USUAL = 0.90
"""Share of figures that a usual range is to hold."""
FEWEST_ERRORS, FEWEST_SPRING_ERRORS = 12, 6
"""Past errors that a judgement needs; the second in March and April, of which a year has two."""
MOST_FREEDOM = 10
"""Degrees of freedom of Student's t at most: errors have heavier tails than a normal distribution."""
SPRING = ("03", "04")
_NORMAL, _FEW = 1.4826, 0.8
"""Factors of the median absolute error: of a normal distribution, and of few errors (Croux and Rousseeuw, 1992)."""


@dataclass(frozen=True)
class Judged:
    """A month's figures, one entry a series; NaN where a series is not judged.

    Attributes:
        expected, lower, upper: what it was to be, and the usual range.
        probability: of a figure at least as far from what was expected.
        listed: places of the listed series, the least likely first.
    """

    expected: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    probability: np.ndarray
    listed: tuple[int, ...]


def judge(figures: np.ndarray, ahead: np.ndarray, spread: np.ndarray, number: np.ndarray, flow: np.ndarray) -> Judged:
    """Judge one month.

    Args:
        figures: of the month.
        ahead: logarithms of what was expected.
        spread, number: robust spread of past errors, and how many there were (:func:`spread_of`).
        flow: which series count events, so that chance alone spreads them.
    """
    usual = np.exp(ahead)
    chance = np.where(flow, np.sqrt(1 / usual), 1 / usual)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.maximum(spread, chance) * np.sqrt(1 + 1 / number)
        seen = (np.minimum(figures, usual) >= LEAST) & (number > 0) & np.isfinite(scale)
    usual, scale, count = (np.where(seen, one, np.nan) for one in (usual, scale, figures))
    freedom = np.where(seen, np.minimum(number - 2, MOST_FREEDOM), np.nan)
    small = flow & (usual < SMALL)
    wide, narrow = _by_ratio(count, usual, scale, freedom), _by_count(count, usual, scale, small)
    probability, lower, upper = (np.where(small, one, other) for one, other in zip(narrow, wide, strict=True))
    return Judged(usual, lower, upper, probability, listed(probability))


def spread_of(errors: np.ndarray, months: Sequence[str], month: str) -> tuple[np.ndarray, np.ndarray]:
    """The robust spread of past errors of a month's own kind, and how many there were; too few count as none.

    Args:
        errors: past months × series, NaN where there is none.
        months: of the rows.
        month: March and April are compared with each other, all other months likewise.
    """
    spring = month[5:] in SPRING
    alike = np.array([(one[5:] in SPRING) == spring for one in months], dtype=bool)
    past = np.abs(errors[alike])
    number = (~np.isnan(past)).sum(axis=0)
    enough = number >= (FEWEST_SPRING_ERRORS if spring else FEWEST_ERRORS)
    spread = np.full(errors.shape[1], np.nan)
    if enough.any():
        few = number[enough] / (number[enough] - _FEW)
        spread[enough] = _NORMAL * few * np.nanmedian(past[:, enough], axis=0)
    return spread, np.where(enough, number, 0)


def listed(probability: np.ndarray) -> tuple[int, ...]:
    """Places of the series whose figures stand out, the least likely first (Benjamini–Hochberg)."""
    places = np.flatnonzero(~np.isnan(probability))
    order = places[np.argsort(probability[places], kind="stable")]
    bound = FALSE_DISCOVERY * np.arange(1, order.size + 1) / max(order.size, 1)
    passed = np.flatnonzero(probability[order] <= bound)
    number = passed[-1] + 1 if passed.size else 0
    return tuple(int(place) for place in order[: min(number, MOST_LINES)])


def _by_ratio(
    count: np.ndarray, usual: np.ndarray, scale: np.ndarray, freedom: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two-sided probability and range of Student's t over the logarithm of the ratio."""
    from scipy import special  # here, as each plan names this module and few judge

    probability = 2 * special.stdtr(freedom, -np.abs(np.log(count / usual)) / scale)
    reach = special.stdtrit(freedom, (1 + USUAL) / 2) * scale
    return probability, np.ceil(usual * np.exp(-reach)), np.floor(usual * np.exp(reach))


def _by_count(
    count: np.ndarray, usual: np.ndarray, scale: np.ndarray, small: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of a negative binomial distribution (Poisson where chance alone spreads the past), where ``small``."""
    from scipy import special

    size = 1 / np.maximum(scale**2 - 1 / usual, 1e-9)
    share = size / (size + usual)
    below = special.betainc(size, count + 1, share)
    above = 1 - special.betainc(size, np.maximum(count, 1), share)
    probability = np.minimum(1.0, 2 * np.minimum(below, np.where(count > 0, above, 1.0)))
    steps = np.arange(0, 1 + np.max(np.where(small, usual * np.exp(5 * scale), 0.0), initial=0.0))
    lower, upper = np.full(usual.shape, np.nan), np.full(usual.shape, np.nan)
    for place in np.flatnonzero(small):
        until = special.betainc(size[place], steps + 1, share[place])
        tail = (1 - USUAL) / 2
        lower[place] = steps[np.searchsorted(until, tail, side="right")]
        upper[place] = steps[np.searchsorted(until, 1 - tail, side="left")]
    return probability, lower, upper
