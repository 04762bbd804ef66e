"""Defines the keys of a table in ``hierarchies.toml``; :mod:`codes` builds the tree of codes from them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FORMS = {
    "codes": {"parents", "map", "patterns", "without", "first"},
    "breaks": {"groups", "unit"},
    "keep": set(),
    "within": set(),
}
"""The four ways to name the finest codes, of which a hierarchy has one → the keys that only this one reads."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelledCode(_Strict):
    """A code and what screens call it.

    Attributes:
        code: as releases and files have it.
        label: Japanese name; empty for a root that is never shown.
    """

    code: str
    label: str


class HierarchyTable(_Strict):
    """A dimension that statistics are published by; one of ``codes``, ``breaks``, ``keep``, ``within`` names its codes.

    Attributes:
        title: Japanese name on screens.
        root: code and label of the total.
        source: lake column that the finest codes are derived from.
        codes: code → label, in display order.
        parents: code → its parent, where that is not the root; with ``codes``.
        map: value of the source → code; every other value becomes ``other``; with ``codes``.
        patterns: code → regular expression over the values of the source, the first match wins; with ``codes``.
        without: value of the source that never occurs, such as the municipality itself as the other end of a move: a
            code whose pattern is for this value alone is left out; with ``patterns``.
        first: a code that stands before ``codes``, which may list it too.
        breaks: lower bounds of bands of a whole number: [0, 5, 10] gives 0-4, 5-9 and 10+.
        groups: lower bounds of the bands' parents; with ``breaks``.
        unit: word after a number in the labels of bands, such as 歳; with ``breaks``.
        keep: values of the source that stand for themselves; every other one becomes ``other``.
        within: its codes are those of ``list`` that lie within this one: the wards of a city; there may be none.
        list: CSV file of the vocabulary that has the labels of ``keep`` and ``within``.
        other: the code of all values that nothing else names, by itself or with its label if ``codes`` does not have
            it; left out: values of the source are used as they are, and what no pattern matches is ``unknown``.
        unknown: code that an unknown value counts as, where the hierarchy has a place for it.
        residual: codes that are counted in totals only and never have a row of their own (what is unknown).
    """

    title: str
    root: LabelledCode
    source: str
    codes: dict[str, str] | None = None
    parents: dict[str, str] = {}
    map: dict[str, str] = {}
    patterns: dict[str, str] = {}
    without: str = ""
    first: LabelledCode | None = None
    breaks: tuple[int, ...] | None = Field(None, min_length=1)
    groups: tuple[int, ...] = ()
    unit: str = ""
    keep: tuple[str, ...] | None = None
    within: str | None = None
    list: str | None = None
    other: str | LabelledCode | None = None
    unknown: str = "unknown"
    residual: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            raise ValueError("one of codes, breaks, keep, within names the codes")
        unread = {key for form, keys in FORMS.items() if form != given[0] for key in keys} & self.model_fields_set
        if unread:
            raise ValueError(f"{min(unread)} does not go with {given[0]}")
        if given[0] in ("keep", "within") and self.list is None:
            raise ValueError(f"{given[0]} needs the list that has the labels")
        if self.list is not None and given[0] not in ("keep", "within"):
            raise ValueError(f"list does not go with {given[0]}")
        return self

    @property
    def kept(self) -> set[str]:
        """The keys of ``codes`` without that whose pattern is for ``without`` alone."""
        never = f"^{self.without}$" if self.without else None
        return {code for code in self.codes or {} if self.patterns.get(code, "") != never}
