"""Sets of numbers as sorted arrays, and what stands in some lines of a sparse matrix.

They are short and made tens of thousands of times a search. Numpy's own ways are made for long arrays: they hash, or
ask for shapes and types again at each of their layers.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse


def distinct(values: np.ndarray) -> np.ndarray:
    """Sorted, each once."""
    ordered = values.copy()
    ordered.sort()
    if len(ordered) < 2:
        return ordered
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What is in either, sorted, each once."""
    return distinct(np.concatenate([one, other]))


def without(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Those of some sorted values that are not among other sorted ones."""
    if not len(known):
        return values
    at = known.searchsorted(values)
    at[at == len(known)] = 0
    return values[known[at] != values]


def gather(matrix: sparse.csr_array | sparse.csc_array, lines: np.ndarray) -> np.ndarray:
    """Where the entries of some rows (of a matrix by rows) or columns (by columns) stand in them, line by line."""
    first = matrix.indptr[lines]
    lengths = matrix.indptr[lines + 1] - first
    ends = lengths.cumsum()
    entries = (first - ends + lengths).repeat(lengths)
    entries += np.arange(len(entries), dtype=entries.dtype)
    return matrix.indices[entries]
