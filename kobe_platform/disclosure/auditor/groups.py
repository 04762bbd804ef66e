"""Groups of finest codes, as the auditor compares tables by them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache

from kobe_platform.disclosure.auditor.figures import Figures

Groups = frozenset[frozenset[str]]
"""A way to part the finest codes of a classification."""
KEPT = 1_000
"""Results that are kept: tables of one specification are compared at the same groups again and again."""


def finest_groups(figures: Figures, dimension: str) -> Groups:
    """The groups that the finest codes of a dimension make."""
    codes = figures.codes[dimension]
    inner = set(codes.parent.values())
    return frozenset(codes.finest[code] for code in codes.parent if code not in inner)


@lru_cache(maxsize=KEPT)
def united(one: Groups, other: Groups) -> Groups:
    """The finest groups that are sums of the groups of both."""
    of_code: dict[str, set[str]] = {}
    for group in (*one, *other):
        touching = {id(own): own for own in (of_code[code] for code in group if code in of_code)}
        merged = max(touching.values(), key=len, default=set())
        for own in touching.values():
            if own is not merged:
                merged |= own
                of_code |= dict.fromkeys(own, merged)
        new = group - merged
        merged |= new
        of_code |= dict.fromkeys(new, merged)
    return frozenset(frozenset(merged) for merged in {id(own): own for own in of_code.values()}.values())


@lru_cache(maxsize=KEPT)
def within(finer: Groups, coarser: Groups) -> bool:
    """Whether every group of one way to part lies in a group of the other."""
    group_of = {code: number for number, group in enumerate(coarser) for code in group}
    return all(len(inside := {group_of.get(code) for code in group}) == 1 and None not in inside for group in finer)


@lru_cache(maxsize=KEPT)
def refined(levels: frozenset[Groups]) -> tuple[frozenset[str], ...]:
    """The parts that groups of all levels share, in an order of their own."""
    of_code: dict[str, list[int]] = {}
    for number, group in enumerate(group for groups in levels for group in groups):
        for code in group:
            of_code.setdefault(code, []).append(number)
    parts: dict[tuple[int, ...], set[str]] = {}
    for code, numbers in of_code.items():
        parts.setdefault(tuple(numbers), set()).add(code)
    return tuple(sorted((frozenset(part) for part in parts.values()), key=sorted))


def cover(finest: Mapping[str, frozenset[str]], inner: Set[str | None], groups: Groups) -> list[tuple[str, int]]:
    """(code, number of the group) of the codes that make up each group: the code itself where there is one."""
    whole: dict[frozenset[str], str] = {}
    for code, codes in finest.items():
        whole.setdefault(codes, code)
    found = []
    for number, group in enumerate(sorted(groups, key=sorted)):
        if group in whole:
            found.append((whole[group], number))
        else:
            found += [(code, number) for code, codes in finest.items() if code not in inner and codes <= group]
    return found
