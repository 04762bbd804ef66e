"""Turns the vocabulary's hierarchies into dimensions of the disclosure engine, and ties coarser ones to finer ones."""

from __future__ import annotations

from collections.abc import Set

from kobe_platform.disclosure import Dimension
from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies


def tree(name: str, areas: Hierarchy | None) -> Hierarchy:
    """The hierarchy of this name; ``district`` is the month's.

    Raises:
        ConfigurationError: districts are asked for and none are known.
    """
    if name != "district":
        return hierarchies()[name]
    if areas is None:
        raise ConfigurationError(
            "no school districts are known for the month",
            code="statistics.districts",
            at={"source": "town_districts"},
            remedy="deliver town_districts for this month or an earlier one",
            ja="学校区の一覧がありません",
        )
    return areas


def regrouped(name: str, used: Set[str], areas: Hierarchy | None) -> str | None:
    """The finer hierarchy that ``name`` regroups, where one is needed to tie the tables of a group; else None.

    It is the same for all that are used: the coarsest that all of them regroup, or one of them.
    """
    if name == "ward":
        return "district" if areas is not None and "district" in used else None
    coarse = tree(name, areas)
    siblings = [other for other in hierarchies().values() if other.source == coarse.source and other.name != name]
    others_used = [other for other in siblings if other.name in used]
    if all(gathers(coarse, other) for other in others_used):
        return None
    finer = [other for other in siblings if gathers(other, coarse) is not None]
    shared = [other for other in finer if all(o.name == other.name or gathers(other, o) for o in others_used)]
    return min(shared, key=lambda other: len(other.leaves)).name if shared else None


def overlapping(one: str, other: str) -> bool:
    """Whether two hierarchies of one source have groups that overlap without nesting: then their difference follows."""
    trees = hierarchies()
    if one == other or {one, other} & {"district", "ward"} or trees[one].source != trees[other].source:
        return False
    return gathers(trees[one], trees[other]) is None and gathers(trees[other], trees[one]) is None


def gathers(fine: Hierarchy, coarse: Hierarchy) -> dict[str, tuple[str, ...]] | None:
    """Coarse finest code → the fine finest codes in it; None where ``coarse`` is no regrouping of ``fine``."""
    if len(fine.leaves) <= len(coarse.leaves):
        return None
    if {code.code for code in coarse.codes} <= {code.code for code in fine.codes}:
        return {code: below(fine, code) for code in coarse.leaves}
    if fine.breaks and coarse.breaks:
        if not set(coarse.breaks) <= set(fine.breaks):
            return None
        bounds = [*coarse.breaks[1:], None]
        return {
            code: tuple(
                leaf
                for leaf, low in zip(fine.leaves, fine.breaks, strict=True)
                if low >= start and (end is None or low < end)
            )
            for code, start, end in zip(coarse.leaves, coarse.breaks, bounds, strict=True)
        }
    return _gathered_by_source(fine, coarse) if fine.mapping and coarse.mapping else None


def _gathered_by_source(fine: Hierarchy, coarse: Hierarchy) -> dict[str, tuple[str, ...]] | None:
    """The same over lists that map the source's codes: every code in one fine leaf must come to one coarse leaf."""
    if fine.other is None or coarse.other is None:
        return None
    found: dict[str, str] = {fine.other: coarse.other}
    for code in sorted({*fine.mapping, *coarse.mapping}):
        leaf, target = fine.mapping.get(code, fine.other), coarse.mapping.get(code, coarse.other)
        if found.setdefault(leaf, target) != target:
            return None
    return {code: tuple(leaf for leaf in fine.leaves if found.get(leaf) == code) for code in coarse.leaves}


def below(hierarchy: Hierarchy, code: str) -> tuple[str, ...]:
    """The finest codes of a tree that stand at or under ``code``."""
    parents = {entry.code: entry.parent for entry in hierarchy.codes}
    found = []
    for leaf in hierarchy.leaves:
        node: str | None = leaf
        while node is not None and node != code:
            node = parents[node]
        if node == code:
            found.append(leaf)
    return tuple(found)


def dimension(name: str, base: str | None, finer: str | None, areas: Hierarchy | None) -> Dimension:
    """The engine's dimension of a hierarchy; ``base`` is the label of the finer dimension that it regroups."""
    hierarchy = tree(name, areas)
    parents = {code.code: code.parent for code in hierarchy.codes}
    if base is None or finer is None:
        return Dimension(hierarchy=parents, residual=hierarchy.residual)
    if name == "ward":
        return Dimension(hierarchy=parents, of=base)
    fine = tree(finer, areas)
    known = {code.code for code in fine.codes}
    groups = gathers(fine, hierarchy) or {}
    consists = {code: leaves for code, leaves in groups.items() if code not in known}
    return Dimension(hierarchy=parents, residual=hierarchy.residual, of=base, consists_of=consists)
