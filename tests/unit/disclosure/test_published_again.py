"""What protection published passes protection again, also beside a table that tells nothing new.

An answer on demand, a further table of the month and a month protected anew all give published tables back as fixed
ones. Were these refused, everything beside them would be.
"""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.disclosure import Spec, Table, opener, protect
from kobe_platform.errors import DisclosureError
from tests.unit.disclosure.test_linked_populations import problem

OPEN_BY_LITTLE = [17, 18, 21, 28, 34, 48, 50, 64, 84, 86]
"""Specifications in which some hidden figure is open by its width or hardly more, some of them residuals."""


def published(spec: Spec, cells: dict[str, pl.DataFrame]) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """The specification with all tables fixed, and the pattern that they were published with."""
    tables = protect(spec, cells).tables
    hidden = {name: table.filter(pl.col("status") == "suppressed").drop("value") for name, table in tables.items()}
    fixed = tuple(table.model_copy(update={"fixed": True}) for table in spec.tables)
    return spec.model_copy(update={"tables": fixed}), hidden


@pytest.mark.parametrize("seed", [*range(4), *OPEN_BY_LITTLE])
def test_published_tables_are_accepted_as_fixed_ones(seed):
    """Residents and a part of them in linked tables with residuals, a coarser view and an inclusion."""
    spec, cells = problem(seed)
    fixed, hidden = published(spec, cells)
    again = protect(fixed, cells, hidden=hidden).tables
    for name, rows in hidden.items():
        assert again[name].filter(pl.col("status") == "suppressed").drop("value").equals(rows)


@pytest.mark.parametrize("seed", OPEN_BY_LITTLE[:5])
def test_a_margin_of_published_tables_is_accepted_beside_them(seed):
    spec, cells = problem(seed)
    fixed, hidden = published(spec, cells)
    margin = Table(name="margin", dimensions=["age"], population="all")
    beside = fixed.model_copy(update={"tables": (*fixed.tables, margin)})
    cells["margin"] = cells["all"].group_by("age").agg(pl.col("persons").sum())
    assert protect(beside, cells, hidden=hidden).tables["margin"].height


def test_without_a_look_at_all_that_is_hidden_they_would_be_refused(monkeypatch):
    """The rule broken: where only the relatives of a cell are looked at, a published pattern does not pass."""
    monkeypatch.setattr(opener, "HIDDEN_AROUND", ())
    spec, cells = problem(OPEN_BY_LITTLE[0])
    fixed, hidden = published(spec, cells)
    with pytest.raises(DisclosureError, match="cannot be protected"):
        protect(fixed, cells, hidden=hidden)
