"""Models of the statements in a specification that tie tables: sums, inclusions, combinations, members and means.

Figures of tables that are tied can be computed from each other, so the suppressor and the auditor must both reckon with
every statement. Whether the tables and columns that a statement names exist is checked in :mod:`spec`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Term(_Strict):
    """A summand of a relation.

    Attributes:
        table: name of the table; a summand that is nothing but a name may be written as text.
        sign: 1: its cells are added; -1: they are taken away.
        at: column → code, of columns that are not compared; others stand at their total.
    """

    table: str
    sign: Literal[1, -1] = 1
    at: dict[str, str] = Field(default_factory=dict)


class Relation(_Strict):
    """Σ left = Σ right (or ≤), for every combination of codes that all terms have in the columns ``on``.

    Columns of a term that are neither in ``on`` nor in its ``at`` stand at their total. Examples: stock–flow
    (``left`` this month's stock; ``right`` last month's stock, births, arrivals, deaths and departures with sign −1),
    inclusion (foreigners ``<=`` residents), a year as the sum of its months.

    Attributes:
        name: what errors and reports call it.
        on: columns that all terms have and in which both sides are compared, code by code.
        left: tables that are summed on the left.
        right: tables that are summed on the right.
        sense: whether both sides are equal, or the left is at most the right.
    """

    name: str
    on: tuple[str, ...] = ()
    left: tuple[Term, ...]
    right: tuple[Term, ...]
    sense: Literal["=", "<="] = "="

    @field_validator("left", "right", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return [{"table": term} if isinstance(term, str) else term for term in value]


class Mean(_Strict):
    """Published means over the persons of a table: what follows from them enters the audit as inequalities.

    A mean m of persons whose counts by class are x, the values of a class lying between ``least`` and ``most``, says
    Σ least·x ≤ (m + h)·Σ x and Σ most·x ≥ (m − h)·Σ x, with h half a unit of the last decimal.

    Attributes:
        table: name of the published means (the ``on`` columns, ``value``, ``status``).
        of: the count table behind it.
        dimension: column of ``of`` whose values are averaged; codes without values are not averaged (age unknown).
        values: code → (least, most) whole value of one person of that code.
        decimals: to which the means are rounded.
        on: columns of the means; default: all others of ``of``.
    """

    table: str
    of: str
    dimension: str
    values: dict[str, tuple[int, int]] = Field(min_length=1)
    decimals: int = Field(1, ge=0, le=4)
    on: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ranges(self) -> Mean:
        if any(least > most for least, most in self.values.values()):
            raise ValueError("a class's least value lies above its most")
        return self


class Inclusion(_Strict):
    """Every member of one population is also a member of another: at all codes that their tables share, part ≤ whole.

    Attributes:
        part: the population that lies in the other.
        whole: the population that holds it.
    """

    part: str
    whole: str


class Combination(_Strict):
    """Which codes of two dimensions one member of a population can have together, by definition.

    A household of one person is of the family type *single* and of no other. So a table by one of the dimensions tells
    something about a table by the other, though no table shows both.

    Attributes:
        population: the population.
        one, other: dimensions that regroup no other.
        possible: finest code of ``one`` → finest codes of ``other``; a code that is not named goes with every code.
    """

    population: str
    one: str
    other: str
    possible: dict[str, tuple[str, ...]] = Field(min_length=1)


class Members(_Strict):
    """The members of ``groups`` (households) are members of ``of`` (residents), with a least number for each group.

    Attributes:
        groups: the population of the groups.
        of: the population of their members.
        dimension: of ``groups``; regroups no other.
        least: its finest codes → how many of ``of`` a group of this code has at least; 1 where a code is not named.
        on: dimensions (or regroupings) within whose codes all of a group stand; others are taken at their total.
    """

    groups: str
    of: str
    dimension: str
    least: dict[str, int] = Field(min_length=1)
    on: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _positive(self) -> Members:
        if any(least < 1 for least in self.least.values()):
            raise ValueError("a group has one member at least")
        return self
