"""Builds the equations among a model's variables: sums along every axis, regrouped codes, relations between tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from kobe_platform.disclosure.spec import Relation, Spec
from kobe_platform.disclosure.table_index import TableIndex, refusal
from kobe_platform.disclosure.trees import Classification, base_of

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Row numbers (from 0 in each block), variables, coefficients."""
NO_ROWS: Rows = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def additive(layout: TableIndex, known: np.ndarray) -> Rows:
    """One equation for every inner node of an axis and every combination of the other axes."""
    rows, columns, coefficients, done = [], [], [], 0
    for axis, tree in enumerate(layout.trees):
        moved = np.moveaxis(layout.variables, axis, 0).reshape(len(tree), -1)
        for node in np.flatnonzero(~tree.leaf):
            members = moved[np.concatenate([[node], tree.children[node]])]
            members = members[:, ~known[members].all(axis=0)]
            number = np.broadcast_to(done + np.arange(members.shape[1]), members.shape)
            sign = np.ones(members.shape)
            sign[0] = -1
            keep = ~known[members]
            rows.append(number[keep])
            columns.append(members[keep])
            coefficients.append(sign[keep])
            done += members.shape[1]
    return _block(rows, columns, coefficients)


def _block(rows: list[Any], columns: list[Any], coefficients: list[Any]) -> Rows:
    if not rows:
        return NO_ROWS
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(coefficients)


def regrouped(spec: Spec, classes: Mapping[str, Classification], layouts: Mapping[str, TableIndex]) -> list[Rows]:
    """A regrouped code's cell = Σ the cells that it gathers, wherever other tables hold all of those."""
    blocks = []
    for base, classification in classes.items():
        if not classification.sums:
            continue
        for population in sorted({table.population for table in spec.tables}):
            group = [x for x in layouts.values() if x.table.population == population]
            blocks += _regrouped_population(spec, base, classification, group)
    return blocks


def _regrouped_population(spec: Spec, base: str, classification: Classification, group: list[TableIndex]) -> list[Rows]:
    rows, columns, coefficients, number = [], [], [], 0
    for cell in _combinations(spec, base, classification, group):
        for node, parts in classification.sums:
            if node in cell and all(part in cell for part in parts):
                members = [cell[node], *(cell[part] for part in parts)]
                rows.append(np.full(len(members), number))
                columns.append(np.array(members))
                coefficients.append(np.array([-1.0] + [1.0] * len(parts)))
                number += 1
    return [_block(rows, columns, coefficients)]


def _combinations(
    spec: Spec, base: str, classification: Classification, group: list[TableIndex]
) -> Iterable[dict[int, int]]:
    """Node of ``base`` → variable, for every combination of the other dimensions in one population."""
    found: dict[int, dict[int, int]] = {}
    for layout in group:
        names = list(layout.table.dimensions.values())
        bases = [base_of(spec, d) for d in names]
        if base not in bases:
            continue
        axis = bases.index(base)
        nodes = classification.nodes[names[axis]]
        moved = np.moveaxis(layout.variables, axis, 0).reshape(len(nodes), -1)
        for column in range(moved.shape[1]):
            cells = found.setdefault(int(moved[0, column]), {})
            cells.update(zip(nodes.tolist(), moved[:, column].tolist(), strict=True))
    return found.values()


def relation_rows(relation: Relation, layouts: Mapping[str, TableIndex]) -> Rows:
    """Rows of left − right for every combination of codes that all terms have."""
    terms = [(t, t.sign) for t in relation.left] + [(t, -t.sign) for t in relation.right]
    common: list[list[str]] = []
    for column in relation.on:
        sets = []
        for term, _ in terms:
            layout = layouts[term.table]
            sets.append(layout.trees[layout.columns.index(column)])
        common.append([c for c in sets[0].codes if all(c in other.node for other in sets[1:])])
    rows, columns, coefficients = [], [], []
    total = int(np.prod([len(codes) for codes in common], dtype=np.int64))
    for term, sign in terms:
        layout = layouts[term.table]
        index: list[np.ndarray] = []
        for column, tree in zip(layout.columns, layout.trees, strict=True):
            if column in relation.on:
                index.append(np.array([tree.node[c] for c in common[relation.on.index(column)]], dtype=np.int64))
            elif column in term.at:
                if term.at[column] not in tree.node:
                    raise refusal("a relation names an unknown code", "disclosure.code", relation=relation.name)
                index.append(np.array([tree.node[term.at[column]]]))
            else:
                index.append(np.array([0]))
        picked = layout.variables[np.ix_(*index)]
        axes = [layout.columns.index(c) for c in relation.on]
        rest = [a for a in range(picked.ndim) if a not in axes]
        rows.append(np.arange(total))
        columns.append(picked.transpose(axes + rest).ravel())
        coefficients.append(np.full(total, float(sign)))
    return _block(rows, columns, coefficients)


def beneath(blocks: Sequence[Rows]) -> Rows:
    """All blocks as one, the rows of each numbered on."""
    rows, offset = [], 0
    for number, _, _ in blocks:
        rows.append(number + offset)
        offset += int(number.max(initial=-1)) + 1
    return _block(rows, [b[1] for b in blocks], [b[2] for b in blocks])


def stacked(blocks: list[Rows], size: int, known: np.ndarray) -> sparse.csr_array:
    """All blocks stacked, known zeros left out, empty and repeated rows dropped."""
    row, column, coefficient = beneath(blocks)
    keep = ~known[column]
    height = int(row.max(initial=-1)) + 1
    matrix = sparse.csr_array((coefficient[keep], (row[keep], column[keep])), shape=(height, size))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    signature = _signatures(matrix)
    _, first = np.unique(signature, axis=0, return_index=True)
    first = np.sort(first)
    return matrix[first[np.diff(matrix.indptr)[first] > 0]]


def _signatures(matrix: sparse.csr_array) -> np.ndarray:
    """Two 64-bit sums a row over mixed column numbers; equal rows have equal ones (repetition slows the solver)."""
    generator = np.random.default_rng(20220524)
    weights = generator.integers(1, 2**62, size=(matrix.shape[1], 2), dtype=np.int64)
    signs = matrix.data.astype(np.int64)[:, None]
    with np.errstate(over="ignore"):
        products = signs * weights[matrix.indices]
        total = np.zeros((matrix.shape[0], 2), dtype=np.int64)
        np.add.at(total, np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), products)
    return total
