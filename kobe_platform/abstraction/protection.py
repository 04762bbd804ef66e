"""Hides the places of persons under 支援措置 and of the members of their households (privacy design §4).

They are counted in ward and city totals only. Town, district and places elsewhere become the same ``unknown`` as
everyone else's, household links null. The flag ends here: nothing written tells that a row was protected, and no list
is kept.
"""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Area, CoarseArea, District, Protection, Pseudonym
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.intake.extracts.taking import ENCODING
from kobe_platform.vocabulary.codes import UNKNOWN


def find_protected(working: Working, column: Protection) -> None:
    """Marks the rows to hide: flagged persons, and the members of their households.

    Every row counts for this, also those that are filtered or set aside; a code outside both lists protects.
    """
    flags = working.texts(column.id)
    released = flags.values.is_in(list(column.released))
    unlisted = ~released & ~flags.values.is_in(list(column.protected))
    if unlisted.any():
        working.warned["protection.unknown_code"] += int(flags.spread(unlisted).sum())
    flagged = flags.spread(~released)
    households = [working.text(name) for name in column.households]
    none = pl.Series([], dtype=pl.String)
    protected_households = pl.concat([none, *(household.filter(flagged) for household in households)]).unique()
    persons = working.text(column.person)
    protected_persons = persons.filter(flagged).unique()
    if column.companion:
        more = _of_companion(working, column, protected_households)
        protected_households = pl.concat([protected_households, more["household"]]).unique()
        protected_persons = pl.concat([protected_persons, more["person"]]).unique()
    protected_households = protected_households.filter(protected_households != "")
    hidden = flagged | persons.is_in(protected_persons.implode())
    for household in households:
        hidden |= household.is_in(protected_households.implode())
    working.hidden = hidden


def companion_columns(contract: Contract, source: str) -> list[str]:
    """The columns of a companion extract that abstraction reads."""
    named = [column.companion_columns.values() for column in contract.having(Protection) if column.companion == source]
    return sorted({name for names in named for name in names} | {ENCODING})


def _of_companion(working: Working, column: Protection, households: pl.Series) -> pl.DataFrame:
    """``person, household`` of everyone in a protected household, as the companion extract of the month has them.

    Args:
        households: those that the delivery's own flags protect; the companion's flags protect more.

    Raises:
        ConfigurationError: ``abstraction.companion``: without it members of households would go unprotected.
    """
    if column.companion is None or column.companion not in working.companions:
        raise ConfigurationError(
            "the extract in which households of protected persons are looked up is not there",
            code="abstraction.companion",
            at={"source": working.contract.name, "companion": str(column.companion), "month": working.month},
            remedy="take in that extract of the same month first",
        )
    companion = ByteColumns.of(working.companions[column.companion])
    other = Working(companion, working.contract, working.month, {}, {}, working.pseudonym_key)
    names = column.companion_columns
    flags = other.texts(names["protection"])
    flagged = flags.spread(~flags.values.is_in(list(column.released)))
    homes = other.texts(names["household"])
    protected = pl.concat([homes.values.gather(homes.index.filter(flagged)), households]).unique()
    protected = protected.filter(protected != "")
    chosen = flagged | homes.spread(homes.values.is_in(protected.implode()))
    rows = other.raw.frame(rows=chosen.fill_null(False).arg_true())
    few = Working(ByteColumns.of(rows), working.contract, working.month, {}, {}, working.pseudonym_key)
    return pl.DataFrame({"person": few.text(names["person"]), "household": few.text(names["household"])})


def hide(working: Working) -> None:
    """Takes from the hidden rows what must not be known of them."""
    if working.hidden is None:
        return
    for column in working.contract.columns:
        if not getattr(column, "hide_protected", False):
            continue
        if isinstance(column, Area) and column.to_town:
            _replace(working, column.to_town, UNKNOWN)
        elif isinstance(column, District | CoarseArea):
            _replace(working, column.to, UNKNOWN)
        elif isinstance(column, Pseudonym):
            _replace(working, column.to, None)


def _replace(working: Working, name: str, by: str | None) -> None:
    """Replaces what is there; where a value does not apply (null) nothing is put."""
    values = working.derived[name]
    frame = pl.DataFrame({"value": values, "hidden": working.hidden})
    hidden = pl.col("hidden") & pl.col("value").is_not_null()
    replaced = frame.select(pl.when(hidden).then(pl.lit(by, dtype=values.dtype)).otherwise("value"))
    working.derive(name, replaced.to_series())
