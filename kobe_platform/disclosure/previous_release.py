"""Defines former releases of the same reference date, in the form in which search and audit read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kobe_platform.disclosure.spec import Spec
from kobe_platform.errors import DisclosureError


@dataclass(frozen=True)
class FormerRelease:
    """The published tables of an earlier release of the same reference date.

    Attributes:
        tables: table → dimension columns, ``value``, ``status``; tables that it did not have are absent.
        spec: the specification that it stood under; None: the present one, whose codes it may lack.
    """

    tables: Mapping[str, pl.DataFrame]
    spec: Spec | None = None


def check_former(spec: Spec, releases: Sequence[FormerRelease | Mapping[str, pl.DataFrame]]) -> None:
    """Refuse former releases that neither search nor audit can read beside the present tables.

    Raises:
        DisclosureError: tables of one population are, or were, rounded, given noise or magnitudes
            (``disclosure.method``): what several such releases tell together is not examined.
    """
    present = _by_population(spec, {table.name for table in spec.tables})
    for release in releases:
        known = release if isinstance(release, FormerRelease) else FormerRelease(release)
        former = _by_population(known.spec or spec, set(known.tables))
        for population, suppressed in former.items():
            if population in present and not (suppressed and present[population]):
                raise DisclosureError(
                    "former releases are examined for suppressed counts alone",
                    code="disclosure.method",
                    at={"population": population},
                    remedy="release such a table once for a reference date, or leave --previous out and say why",
                )


def _by_population(spec: Spec, names: set[str]) -> dict[str, bool]:
    """Population → whether all of its tables are counts that suppression protects."""
    found: dict[str, bool] = {}
    for table in spec.tables:
        if table.name in names:
            plain = table.method == "suppression" and not table.magnitude
            found[table.population] = found.get(table.population, True) and plain
    return found
