"""Defines the keys of a table beyond its frequency rule: rules for magnitudes, methods, coarsening."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["suppression", "rounding", "cell_key"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dominance(_Strict):
    """The (n, k %) rule: a cell is sensitive when its ``n`` largest contributors make up more than ``percent``.

    Source: Hundepool et al., Statistical Disclosure Control (2012), chapter 4.

    Attributes:
        n: how many of the largest contributors are added up.
        percent: share of the cell, in percent, above which it is sensitive.
    """

    n: int = Field(1, ge=1)
    percent: float = Field(75.0, gt=0, lt=100)


class Noise(_Strict):
    """Parameters of the cell-key method's perturbation table.

    Attributes:
        most: D, the largest change of a count.
        variance: V, the variance of the change, where a count's neighbours allow it.
        keys: column of the finest cells with their keys (sums of record keys modulo 2³²); without one the keys are made
            from coordinates and counts under the operator's secret.
    """

    most: int = Field(ge=1, le=200)
    variance: float = Field(gt=0)
    keys: str | None = None


class CoarseningStep(_Strict):
    """One step of coarsening one column.

    Without ``keep`` the deepest level of the column's hierarchy goes up into its parents (districts into their ward,
    ages into their group). With ``keep`` the codes of a flat column but its ``keep`` largest are gathered ``into`` one.

    Attributes:
        column: the table's column that is coarsened.
        keep: how many of a flat column's largest codes stay as they are.
        into: code that the others are gathered into; it belongs to ``keep``.
    """

    column: str
    keep: int | None = Field(None, ge=1)
    into: str | None = None

    @model_validator(mode="after")
    def _both(self) -> CoarseningStep:
        if (self.keep is None) != (self.into is None):
            raise ValueError("keep and into belong together")
        return self


class Coarsening(_Strict):
    """Steps taken in order until enough of a table can be shown.

    Attributes:
        until: share to reach.
        of: what the share is of: finest non-zero ``cells`` that are shown, or ``persons`` counted in them.
        steps: what is coarsened, in order.
    """

    until: float = Field(gt=0, le=1)
    of: Literal["cells", "persons"] = "cells"
    steps: tuple[CoarseningStep, ...] = Field(min_length=1)


class Options(_Strict):
    """Keys of a table that choose its rules and its method; all optional.

    Attributes:
        method: how the table is protected.
        base: of controlled rounding: the number whose multiples are published.
        noise: of the cell-key method: how far counts are changed.
        largest: columns of a magnitude table's finest cells with their largest contributions, largest first.
        contributors: column with the number of contributors; cells of fewer than k are then sensitive.
        contributor: instead of both: column that names who contributes (the holder of several firms, say). The table's
            file then has one row a contribution; what one contributor has in a cell counts as one.
        dominance, p_percent: rules for magnitudes (table's own, else those of ``[rule]``).
        homogeneity: columns that must not tell that all of a row are of one kind.
        coarsen: what may be merged until enough can be shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    method: Method = "suppression"
    base: int | None = Field(None, ge=2)
    noise: Noise | None = None
    largest: tuple[str, ...] = ()
    contributors: str | None = None
    contributor: str | None = None
    dominance: Dominance | None = None
    p_percent: float | None = Field(None, gt=0, lt=100)
    homogeneity: tuple[str, ...] = ()
    coarsen: Coarsening | None = None

    @property
    def magnitude(self) -> bool:
        """Whether the measure is a sum of contributions rather than a count of persons."""
        return bool(self.largest) or self.contributors is not None or self.contributor is not None

    @property
    def further_columns(self) -> tuple[str, ...]:
        """Whole-numbered columns of the finest cells beside dimensions and measure."""
        keys = self.noise.keys if self.noise else None
        return (*self.largest, *(column for column in (self.contributors, keys) if column))

    @model_validator(mode="after")
    def _consistent(self) -> Options:
        if (self.method == "rounding") != (self.base is not None):
            raise ValueError('base belongs to method = "rounding", and rounding needs one')
        if (self.method == "cell_key") != (self.noise is not None):
            raise ValueError('noise belongs to method = "cell_key", and the cell-key method needs it')
        if self.method != "suppression" and (self.magnitude or self.homogeneity or self.coarsen):
            raise ValueError("largest, contributors, homogeneity and coarsen belong to suppression")
        if self.contributor and (self.largest or self.contributors):
            raise ValueError("contributor takes the place of largest and contributors")
        if (self.dominance or self.p_percent) and not (self.largest or self.contributor):
            raise ValueError("dominance and p_percent need the columns of the largest contributions")
        return self
