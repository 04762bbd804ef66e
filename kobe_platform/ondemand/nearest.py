"""The questions nearest to one that cannot be answered: a dimension made coarser or left out, the most cells first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from kobe_platform.ondemand.menu import Menu, column_of, whole_table
from kobe_platform.ondemand.question import Question
from kobe_platform.statistics.trees import below, gathers, tree
from kobe_platform.vocabulary.codes import Hierarchy

TRIED = 5
"""So many nearest questions are tried, no more: each that is passed over tells that it could not be answered either."""


@dataclass(frozen=True)
class Nearer:
    """A coarser question, and what of the other one was changed, in Japanese."""

    question: Question
    changes: tuple[str, ...]


def nearest(menu: Menu, question: Question, areas: Hierarchy | None) -> list[Nearer]:
    """The coarser questions that are worth trying, nearest (most cells) first; with two changes at most."""
    found: dict[tuple[str, ...], Nearer] = {}
    first = list(_coarser(menu, Nearer(question, ()), areas))
    second = [two for one in first for two in _coarser(menu, one, areas)]
    for one in (*first, *second):
        found.setdefault(one.question.dimensions, one)
    return sorted(found.values(), key=lambda one: (-cells_of(menu, one.question, areas), one.question.dimensions))


def cells_of(menu: Menu, question: Question, areas: Hierarchy | None) -> int:
    """Rows of a question's whole table, totals included."""
    trees = [tree(menu.dimensions[name].hierarchy, areas) for name in question.dimensions]
    return prod(len(one.codes) - len(one.residual) for one in trees)


def changes_of(menu: Menu, question: Question, areas: Hierarchy | None) -> list[str]:
    """What can be made coarser in a question, in Japanese."""
    return [one.changes[0] for one in _coarser(menu, Nearer(question, ()), areas)]


def _coarser(menu: Menu, nearer: Nearer, areas: Hierarchy | None) -> Iterator[Nearer]:
    """One dimension made coarser, or left out where another one stays."""
    question = nearer.question
    for name in question.dimensions:
        title = menu.dimensions[name].title
        for other in menu.measures[question.measure].dimensions:
            if gathered := _gathered(menu, name, other, areas):
                change = f"{title}を{menu.dimensions[other].title}にする"
                yield Nearer(_replaced(menu, question, name, other, gathered), (*nearer.changes, change))
        if len(question.dimensions) > 1:
            yield Nearer(_replaced(menu, question, name, None, {}), (*nearer.changes, f"{title}を外す"))


def _gathered(menu: Menu, fine: str, coarse: str, areas: Hierarchy | None) -> Mapping[str, tuple[str, ...]]:
    """Code of the coarser dimension → finest codes of the finer one in it; empty where it is no coarser one."""
    names = [menu.dimensions[name].hierarchy for name in (fine, coarse)]
    if fine == coarse or column_of(menu, fine) != column_of(menu, coarse) or (areas is None and "district" in names):
        return {}
    one, other = (tree(name, areas) for name in names)
    if names == ["district", "ward"]:  # also where a small city has no more districts than wards
        return {ward: below(one, ward) for ward in other.leaves}
    return gathers(one, other) or {}


def _replaced(
    menu: Menu, question: Question, old: str, new: str | None, gathered: Mapping[str, tuple[str, ...]]
) -> Question:
    """The question with another dimension, or without it; a filter of the old one shows the codes that hold its own."""
    names = {new if name == old else name for name in question.dimensions} - {None}
    dimensions = tuple(name for name in menu.dimensions if name in names)
    filters = {name: codes for name, codes in question.filters.items() if name != old}
    shown = question.filters.get(old, ())
    holding = tuple(code for code, fine in gathered.items() if code in shown or {*fine} & {*shown})
    if new is not None and holding:
        filters[new] = holding
    statistic = whole_table(menu, question.measure, dimensions)
    return replace(question, dimensions=dimensions, filters=filters, statistic=statistic)
