"""What protection published passes protection again, also beside a table that tells nothing new.

An answer on demand, a further table of the month and a month protected anew all give published tables back as fixed
ones. Were these refused, everything beside them would be.
"""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.disclosure import Costs, Spec, Table, audit, protect
from kobe_platform.disclosure.suppression import cell_protection
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(4), *OPEN_BY_LITTLE])
def test_published_tables_are_accepted_as_fixed_ones(seed):
    """Residents and a part of them in linked tables with residuals, a coarser view and an inclusion."""
    spec, cells = problem(seed)
    fixed, hidden = published(spec, cells)
    again = protect(fixed, cells, hidden=hidden).tables
    for name, rows in hidden.items():
        assert again[name].filter(pl.col("status") == "suppressed").drop("value").equals(rows)


@pytest.mark.slow
@pytest.mark.parametrize("seed", OPEN_BY_LITTLE[:5])
def test_a_margin_of_published_tables_is_accepted_beside_them(seed):
    spec, cells = problem(seed)
    fixed, hidden = published(spec, cells)
    margin = Table(name="margin", dimensions=["age"], population="all")
    beside = fixed.model_copy(update={"tables": (*fixed.tables, margin)})
    cells["margin"] = cells["all"].group_by("age").agg(pl.col("persons").sum())
    assert protect(beside, cells, hidden=hidden).tables["margin"].height


def test_without_a_look_at_all_that_is_hidden_they_would_be_refused(monkeypatch):
    """The rule broken: where one move is sought among a cell's relatives alone, a published pattern does not pass."""
    monkeypatch.setattr(cell_protection, "HIDDEN_AROUND", ())
    monkeypatch.setattr(cell_protection.CellProtector, "_open_apart", lambda *_: False)
    spec, cells = problem(OPEN_BY_LITTLE[1])
    fixed, hidden = published(spec, cells)
    with pytest.raises(DisclosureError, match="cannot be protected"):
        protect(fixed, cells, hidden=hidden)


NARROWED = 27
"""A specification in which the table asked for makes a published figure narrow, unless more of it is hidden."""


def asked_beside(seed: int, name: str = "part_age") -> tuple[Spec, dict, dict, dict]:
    """All tables but one published, that one asked for: specification, cells, published tables, their patterns."""
    spec, cells = problem(seed)
    spec = spec.model_copy(update={"costs": Costs(rounds=0)})  # as answers on demand are searched for
    others = tuple(table for table in spec.tables if table.name != name)
    tables = protect(spec.model_copy(update={"tables": others, "relations": ()}), cells).tables
    hidden = {one: table.filter(pl.col("status") == "suppressed").drop("value") for one, table in tables.items()}
    fixed = tuple(table.model_copy(update={"fixed": table.name != name}) for table in spec.tables)
    return spec.model_copy(update={"tables": fixed}), cells, tables, hidden


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_what_is_proven_already_need_not_be_proven_again_to_tell_whether_a_table_can_be_given(seed):
    """The quick way (published figures are left to the audit) comes to what the long way comes to."""
    spec, cells, tables, hidden = asked_beside(seed)
    verdicts = []
    for proven in ((), tables):
        try:
            asked = protect(spec, cells, hidden=hidden, proven=proven).tables["part_age"]
            verdicts.append(audit(spec, {**tables, "part_age": asked}).publishable)
        except DisclosureError:
            verdicts.append(False)
    assert verdicts[0] == verdicts[1]


def test_what_the_audit_finds_of_proven_tables_is_kept_open_when_it_is_doubted():
    spec, cells, tables, hidden = asked_beside(NARROWED)
    asked = protect(spec, cells, hidden=hidden, proven=tables).tables["part_age"]
    report = audit(spec, {**tables, "part_age": asked})
    assert not report.publishable, "proven tables are not proven again, so the audit is what stops this"
    doubted = {}
    for finding in report.findings:
        rows = pl.DataFrame([finding.coordinates])
        doubted[finding.table] = pl.concat([doubted.get(finding.table, rows.clear()), rows]).unique()
    asked = protect(spec, cells, hidden=hidden, proven=tables, doubted=doubted).tables["part_age"]
    assert audit(spec, {**tables, "part_age": asked}).publishable
