"""Cells that the only person of another hidden cell could work out, opened so that nobody can.

Two hidden cells that every proof moves in one proportion may be tied by the equations: who knows that the one counts
himself alone then knows the other. For each such pair a table is looked for that moves the one and not the other; where
there is none, more is hidden until there is. A cell and a total with nothing else in it are the same persons: no pair.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.suppression.neighbourhood import ALL, NEAR
from kobe_platform.disclosure.suppression.programs import propagate
from kobe_platform.disclosure.suppression.search import Suppressor
from kobe_platform.errors import DisclosureError

ROUNDS = 20
MATES = 6


def part_members(search: Suppressor) -> None:
    """Hide until no count of 1 … k−1 follows from another hidden one that may be 1.

    Raises:
        DisclosureError: a pair cannot be parted (coordinates: table and codes of the cell that would follow).
    """
    parted: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        pairs = [pair for pair in _tied_pairs(search) if pair not in parted]
        if not pairs:
            return
        for cell, lone in pairs:
            if not _moves_alone(search, cell, lone):
                _move_alone(search, cell, lone)
            parted.add((cell, lone))
        search.settle()
    raise DisclosureError(
        "what a lone member could work out does not settle", code="disclosure.unprotected", remedy="coarsen the tables"
    )


def _tied_pairs(search: Suppressor) -> list[tuple[int, int]]:
    """(cell, lone one) of hidden cells that all proofs move in proportion, where a lone 1 makes the cell small."""
    model, hidden = search.model, search.pattern.hidden
    # By what everybody knows; how residuals are filled up would exclude some, and the audit does not use it.
    fall, _ = propagate(search.near.by_row, search.free | search.idle, (model.value - model.lower).astype(float))
    asked = _asked(search)
    may_be_one = hidden & asked & (model.value > 0) & (model.value - fall <= 1)
    persons = _same_persons(search)
    pairs = []
    for cells, moves in _proportional(search):
        for lone, by in zip(cells, moves, strict=True):
            if not may_be_one[lone]:
                continue
            for cell, other in zip(cells, moves, strict=True):
                value = model.value[cell] * by + other * (1 - model.value[lone])
                if asked[cell] and persons[cell] != persons[lone] and 0 < value * np.sign(by) < model.k[cell] * abs(by):
                    pairs.append((cell, lone))
    return pairs


def _asked(search: Suppressor) -> np.ndarray:
    """Cells of the tables that a lone member is asked about in."""
    model = search.model
    asked = np.zeros(model.size, dtype=bool)
    for name, layout in model.layouts.items():
        if model.spec.attack.asks_of(name):
            asked[layout.variables.ravel()] = True
    return asked


def _same_persons(search: Suppressor) -> np.ndarray:
    """Variable → number of its set of persons, by equations of two hidden cells and nothing else but zero residuals."""
    kept = np.flatnonzero(~search.idle)
    rows, free = sparse.csr_array(search.near.by_column[:, kept]), search.free[kept]
    first = rows.indptr[:-1][np.diff(rows.indptr) == 2]
    one, other = rows.indices[first], rows.indices[first + 1]
    equal = free[one] & free[other] & (rows.data[first] == -rows.data[first + 1])
    ends = kept[one[equal]], kept[other[equal]]
    links = sparse.csr_array((np.ones(equal.sum()), ends), shape=(search.model.size, search.model.size))
    return connected_components(links, directed=False)[1]


def _proportional(search: Suppressor) -> list[tuple[list[int], list[int]]]:
    """Groups of hidden cells that every proof moves in one proportion, and their shares in it (whole numbers)."""
    tables = search.pattern.proofs.tables()
    numbers = np.repeat(np.arange(len(tables)), [len(variables) for variables, _ in tables])
    variables, moves = (np.concatenate([t[i] for t in tables] or [np.empty(0, np.int64)]) for i in (0, 1))
    by_cell = sparse.csc_array((moves, (numbers, variables)), shape=(len(tables), search.model.size))
    groups: dict[tuple[bytes, bytes], tuple[list[int], list[int]]] = {}
    for cell in np.flatnonzero(search.pattern.hidden & (np.diff(by_cell.indptr) > 0)).tolist():
        part = slice(by_cell.indptr[cell], by_cell.indptr[cell + 1])
        order = np.argsort(by_cell.indices[part])
        own = by_cell.data[part][order]
        share = int(np.gcd.reduce(own) * np.sign(own[0]))
        cells, shares = groups.setdefault((by_cell.indices[part][order].tobytes(), (own // share).tobytes()), ([], []))
        cells.append(cell)
        shares.append(share)
    return [group for group in groups.values() if len(group[0]) > 1]


def _moves_alone(search: Suppressor, cell: int, lone: int) -> bool:
    """Whether the present pattern lets a cell move while the other one stands still.

    Residuals of zero may move for once: an outsider does not know what they are. Such tables prove nothing else.
    """
    proofs = search.pattern.proofs
    if len(np.setdiff1d(proofs.moving(cell), proofs.moving(lone))):
        return True
    state = proofs.snapshot()
    proofs.withdraw(proofs.moving(cell))
    search.pattern.hidden[lone] = False
    free = search.free | search.idle
    near = (search.near.hidden_mates(cell, free, search.slackness, MATES), search.near.around(cell, NEAR, free, free))
    found = False
    for scope in (*near, search.near.around(cell, ALL, free, free)):
        search.certify(cell, scope, idle=True)
        found = bool(proofs.spread[cell])
        if found:
            break
    search.pattern.hidden[lone] = True
    proofs.restore(state)
    return found


def _move_alone(search: Suppressor, cell: int, lone: int) -> None:
    """Hide what it takes for a cell to vary by its width while the other one stands still."""
    proofs, may_hide = search.pattern.proofs, search.may_hide[lone]
    state = proofs.snapshot()
    known = proofs.count
    proofs.withdraw(proofs.moving(cell))
    search.pattern.hidden[lone] = search.may_hide[lone] = False
    search.open(cell)
    search.pattern.hidden[lone], search.may_hide[lone] = True, may_hide
    added = proofs.tables(known)
    proofs.restore(state)
    for variables, moves in added:
        proofs.add(variables, moves)
