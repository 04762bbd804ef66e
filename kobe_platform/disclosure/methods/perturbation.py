"""Computes the perturbation table of the cell-key method: for each count, the probabilities of its changes.

Marley & Leaver (2011) and Giessing (2016): among all distributions on whole changes of at most D that keep the
count on average and have variance V, take the one with the greatest entropy; no result is negative or one of the
small counts that are never shown, and zero stays zero. It is proportional to exp(a·v + b·v²) on the allowed
changes; a and b are found by Newton's method. Counts that cannot have variance V (the allowed results lie too near
or too far) get the nearest variance that they can have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kobe_platform.errors import DisclosureError

NEWTON_STEPS = 200
EXACT = 1e-10
NEAREST, FARTHEST = 1.02, 0.98
"""Variances stay this much inside what is possible: at its ends a distribution has two values only."""


@dataclass(frozen=True)
class PerturbationTable:
    """Chances of changes.

    Attributes:
        least: smallest count that is ever shown beside 0; most: D, the largest change.
        chances: counts 0 … last × changes −D … D; the last row holds for every larger count.
    """

    least: int
    most: int
    chances: np.ndarray

    @property
    def changes(self) -> np.ndarray:
        """−D … D."""
        return np.arange(-self.most, self.most + 1)

    def row(self, counts: np.ndarray) -> np.ndarray:
        """Row number of each count."""
        return np.minimum(counts, len(self.chances) - 1)

    def shown(self, counts: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Counts with their noise; ``keys`` (in [0, 1)) choose it, equal key and count always the same."""
        cumulative = np.cumsum(self.chances, axis=1)
        result = counts.copy()
        rows = self.row(counts)
        for row in np.unique(rows):
            here = rows == row
            chosen = np.searchsorted(cumulative[row], keys[here] * cumulative[row][-1], side="right")
            result[here] += self.changes[np.minimum(chosen, 2 * self.most)]
        return result

    def most_certain(self) -> float:
        """Greatest chance that any one count has, given a shown non-zero figure and no other knowledge.

        Every count that can be shown as the figure is taken as equally likely before.
        """
        last = len(self.chances) - 1
        highest = last + 2 * self.most + 1
        counts = np.arange(1, highest + self.most + 1)
        results = counts[:, None] + self.changes[None, :]
        joint = self.chances[self.row(counts)]
        worst = 0.0
        for figure in range(self.least, highest + 1):
            chance = joint[results == figure]
            if chance.sum() > 0:
                worst = max(worst, float(chance.max() / chance.sum()))
        return worst


def perturbation_table(most: int, variance: float, least: int) -> PerturbationTable:
    """The table for changes up to ``most`` with ``variance``; shown counts are 0 or at least ``least``.

    Raises:
        DisclosureError: some count has no allowed change that keeps it on average (``most`` too small for ``least``).
    """
    changes = np.arange(-most, most + 1)
    last = most + least
    chances = np.zeros((last + 1, len(changes)))
    chances[0, most] = 1.0
    for count in range(1, last + 1):
        results = count + changes
        allowed = (results == 0) | (results >= least)
        support = changes[allowed]
        if not (support <= 0).any() or not (support >= 0).any():
            raise DisclosureError(
                "the largest change is too small for the smallest count that is shown",
                code="disclosure.spec",
                at={"key": "noise.most", "most": most, "smallest shown": least},
                remedy=f"let noise.most be at least {max(least - 1, 1)}",
            )
        chances[count, allowed] = greatest_entropy(support, variance)
    return PerturbationTable(least, most, chances)


def greatest_entropy(support: np.ndarray, variance: float) -> np.ndarray:
    """Chances on whole changes with mean 0, variance as near to the wanted one as can be, and greatest entropy.

    Args:
        support: distinct changes in order, at least one ≤ 0 and one ≥ 0.
    """
    below, above = support[support <= 0][-1], support[support >= 0][0]
    least, most = -float(below) * above, -float(support[0]) * support[-1]
    if least == most or len(support) < 3:
        return _two_values(support, int(below), int(above))
    low = least * NEAREST if least > 0 else most * (1 - FARTHEST)
    wanted = min(max(variance, low), least + (most - least) * FARTHEST)
    if wanted <= least:
        return _two_values(support, int(below), int(above))
    return _newton(support.astype(float), wanted)


def _two_values(support: np.ndarray, below: int, above: int) -> np.ndarray:
    chances = np.zeros(len(support))
    if below == above:
        chances[support == below] = 1.0
    else:
        chances[support == below] = above / (above - below)
        chances[support == above] = -below / (above - below)
    return chances


def _newton(support: np.ndarray, variance: float) -> np.ndarray:
    """Greatest entropy with mean 0 and second moment ``variance``: Newton on the convex dual, steps halved at need."""
    scale = np.abs(support).max()
    features = np.stack([support / scale, (support / scale) ** 2])
    goal = np.array([0.0, variance / scale**2])
    weight = np.zeros(2)

    def dual(w: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = w @ features
        top = exponent.max()
        raw = np.exp(exponent - top)
        return top + np.log(raw.sum()) - w @ goal, raw / raw.sum()

    value, chances = dual(weight)
    for _ in range(NEWTON_STEPS):
        mean = features @ chances
        gradient = mean - goal
        if np.abs(gradient).max() < EXACT:
            return chances
        centred = features - mean[:, None]
        hessian = (centred * chances) @ centred.T + 1e-14 * np.eye(2)
        direction = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-12:
            tried, candidate = dual(weight - size * direction)
            if tried <= value - 1e-4 * size * float(gradient @ direction) or np.abs(size * direction).max() < 1e-9:
                break
            size /= 2
        weight, value, chances = weight - size * direction, tried, candidate
    raise DisclosureError(
        "the perturbation table was not found",
        code="disclosure.spec",
        at={"key": "noise"},
        remedy="take a variance that is neither tiny nor near its greatest value",
    )
