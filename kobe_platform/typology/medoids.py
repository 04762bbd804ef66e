"""Finds k types of places, each around a real place (k-medoids), and how stable the types are when places are left out.

Partitioning around medoids (Kaufman and Rousseeuw 1990): medoids are chosen one by one, then exchanged as long as that
brings places nearer to theirs. Only samples are drawn at random, and their seed is fixed: same profile, same types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLES, SHARE = 50, 0.8
"""How many samples stability is judged by, and the share of the places in each."""
LEAST_GAIN = 1e-9
"""An exchange that gains less is rounding."""


@dataclass(frozen=True)
class Typing:
    """Types of places.

    Attributes:
        medoids: place of each type that is most like the others of it.
        member: type of each place, as its position among ``medoids``.
        together: of each place the share of samples in which it stays with its type.
        stability: of each type the mean overlap (Jaccard) with the most alike type of each sample; from 0.75 on a type
            is taken as stable (Hennig 2007).
        silhouette: mean silhouette of the places, -1 to 1.
    """

    medoids: np.ndarray
    member: np.ndarray
    together: np.ndarray
    stability: np.ndarray
    silhouette: float


def distances(profile: np.ndarray) -> np.ndarray:
    """Euclidean distances between places (rows) over standardised features (columns); one that does not vary is 0."""
    spread = profile.std(axis=0)
    scaled = (profile - profile.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.sqrt(((scaled[:, None, :] - scaled[None, :, :]) ** 2).sum(axis=2))


def medoids_of(apart: np.ndarray, k: int) -> np.ndarray:
    """The k medoids of places with these distances, in the order of the places."""
    chosen = [int(apart.sum(axis=1).argmin())]
    while len(chosen) < k:
        nearest = apart[:, chosen].min(axis=1)
        gains = np.maximum(nearest[:, None] - apart, 0).sum(axis=0)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
    cost = apart[:, chosen].min(axis=1).sum()
    while True:
        best = (cost - LEAST_GAIN, -1, -1)
        for position in range(k):
            others = [one for place, one in enumerate(chosen) if place != position]
            kept = apart[:, others].min(axis=1) if others else np.full(len(apart), np.inf)
            costs = np.minimum(kept[:, None], apart).sum(axis=0)
            candidate = int(costs.argmin())
            if costs[candidate] < best[0]:
                best = (float(costs[candidate]), position, candidate)
        if best[1] < 0:
            return np.sort(np.array(chosen))
        cost, chosen[best[1]] = best[0], best[2]


def typed(apart: np.ndarray, k: int) -> Typing:
    """Types of places with these distances, with their stability over samples."""
    medoids = medoids_of(apart, k)
    member = apart[:, medoids].argmin(axis=1)
    rng = np.random.default_rng(0)
    met, stayed = np.zeros(len(apart)), np.zeros(len(apart))
    overlaps = np.zeros((SAMPLES, k))
    for number in range(SAMPLES):
        sample = np.sort(rng.choice(len(apart), max(round(SHARE * len(apart)), k), replace=False))
        inner = apart[np.ix_(sample, sample)]
        found = inner[:, medoids_of(inner, k)].argmin(axis=1)
        mine = member[sample][:, None] == np.arange(k)
        theirs = found[:, None] == np.arange(k)
        both = mine.T.astype(int) @ theirs.astype(int)
        either = mine.sum(axis=0)[:, None] + theirs.sum(axis=0)[None, :] - both
        overlap = both / np.maximum(either, 1)
        overlaps[number] = overlap.max(axis=1)
        met[sample] += 1
        stayed[sample] += overlap.argmax(axis=1)[member[sample]] == found
    together = np.divide(stayed, met, out=np.ones(len(apart)), where=met > 0)
    return Typing(medoids, member, together, overlaps.mean(axis=0), silhouette(apart, member))


def silhouette(apart: np.ndarray, member: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw 1987); a place that is alone in its type counts 0."""
    kinds = np.unique(member)
    sizes = np.array([(member == kind).sum() for kind in kinds])
    totals = np.stack([apart[:, member == kind].sum(axis=1) for kind in kinds], axis=1)
    own = np.searchsorted(kinds, member)
    rows = np.arange(len(apart))
    inside = totals[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = totals / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    alone = sizes[own] == 1
    values = np.where(alone, 0, (outside - inside) / np.maximum(np.maximum(outside, inside), LEAST_GAIN))
    return float(values.mean())
