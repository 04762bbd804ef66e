"""Groups of finest codes, as the auditor compares tables by them."""

from __future__ import annotations

from collections.abc import Mapping, Set

from kobe_platform.disclosure.auditor.figures import Figures

Groups = frozenset[frozenset[str]]
"""A way to part the finest codes of a classification."""


def finest_groups(figures: Figures, dimension: str) -> Groups:
    """The groups that the finest codes of a dimension make."""
    codes = figures.codes[dimension]
    inner = set(codes.parent.values())
    return frozenset(codes.finest[code] for code in codes.parent if code not in inner)


def united(one: Groups, other: Groups) -> Groups:
    """The finest groups that are sums of the groups of both."""
    merged: list[frozenset[str]] = []
    for group in (*one, *other):
        touching = [own for own in merged if own & group]
        merged = [own for own in merged if not own & group] + [group.union(*touching)]
    return frozenset(merged)


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
