"""Sets of neighbours and proofs are looked up for the cells that are asked about."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from kobe_platform.disclosure.suppression.proofs import Proofs
from kobe_platform.disclosure.suppression.sorted_sets import distinct, gather, union, without


@pytest.mark.parametrize("seed", range(20))
def test_sorted_sets_are_those_of_numpy(seed):
    random = np.random.default_rng(seed)
    one, other = (random.integers(0, 30, random.integers(0, 20)) for _ in range(2))
    kept = one.copy()
    assert np.array_equal(distinct(one), np.unique(one)) and np.array_equal(one, kept)
    assert np.array_equal(union(one, other), np.union1d(one, other))
    assert np.array_equal(without(distinct(one), distinct(other)), np.setdiff1d(one, other))
    matrix = sparse.csr_array(random.integers(-1, 2, (12, 9)))
    lines = random.integers(0, 12, random.integers(0, 6))
    entries = [matrix.indices[matrix.indptr[line] : matrix.indptr[line + 1]] for line in lines]
    assert np.array_equal(gather(matrix, lines), np.concatenate([np.empty(0, int), *entries]))


@pytest.mark.parametrize("counted", [None, np.array([3, 0, 9])])
def test_a_proof_is_the_same_for_one_cell_as_for_all(counted):
    proofs = Proofs(3, counted, counted)
    proofs.add(np.array([0, 1, 2]), np.array([4, -2, 0]))
    proofs.add(np.array([0, 2]), np.array([-5, 7]))
    for variable, spread in enumerate(proofs.spread.tolist()):
        assert proofs.opens(variable, spread) and not proofs.opens(variable, spread + 1)
    assert np.array_equal(proofs.spread_of(np.array([2, 0])), proofs.spread[[2, 0]])
