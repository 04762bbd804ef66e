"""Applies the contract's rules to one delivery, in the order in which they depend on each other.

The registry maps each rule of :mod:`kobe_platform.contracts.columns` to its function; no source has code of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from kobe_platform.abstraction.ages import derive_age, derive_duration, derive_event_month
from kobe_platform.abstraction.areas import coarsen_area, derive_area, derive_district
from kobe_platform.abstraction.attainments import derive_attainment
from kobe_platform.abstraction.codes import keep_number, keep_text, map_codes
from kobe_platform.abstraction.households import derive_household
from kobe_platform.abstraction.movements import derive_reason
from kobe_platform.abstraction.protection import find_protected, hide
from kobe_platform.abstraction.versions import drop_identical, keep_states, latest_version, net_cancellations
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import AnyColumn, Pseudonym
from kobe_platform.custody.pseudonyms import pseudonyms
from kobe_platform.errors import PlatformError
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.vocabulary.rules import hold, rejection

FEW = 10
"""Fewer rows set aside than this refuse nothing by their share alone, unless they are most of the rows."""


@dataclass(frozen=True, repr=False)
class Abstracted:
    """What the lake may hold of a delivery.

    Attributes:
        frame: typed lake columns in the contract's order, rows in the order of their pseudonyms.
        facts: ``rows`` = ``kept`` + Σ ``set_aside`` + ``superseded`` + Σ ``filtered``; beside them
            ``warned`` and ``normalised``.
    """

    frame: pl.DataFrame
    facts: dict[str, object]


def _pseudonymise(working: Working, column: Pseudonym) -> None:
    """A keyed pseudonym of the column, or of it and its companions; blank is null."""
    key = working.pseudonym_key(column.purpose)
    if column.with_:
        parts = [working.text(name) for name in (column.id, *column.with_)]
        text = pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator="/")).to_series()
        working.derive(column.to, pseudonyms(text, key))
        return
    texts = working.texts(column.id)
    working.derive(column.to, texts.spread(pseudonyms(texts.values.replace("", None), key)))


def _nothing(working: Working, column: AnyColumn) -> None:
    """Read by another rule, or never read."""


STEPS: Mapping[str, Callable[[Working, Any], None]] = {
    "history": latest_version,
    "netting": net_cancellations,
    "filter": keep_states,
    "codes": map_codes,
    "area": derive_area,
    "reason": derive_reason,
    "event_month": derive_event_month,
    "age": derive_age,
    "duration": derive_duration,
    "district": derive_district,
    "coarse_area": coarsen_area,
    "keep": keep_text,
    "number": keep_number,
    "relationship": derive_household,
    "attainment": derive_attainment,
    "pseudonym": _pseudonymise,
    "protection": find_protected,
    "read": _nothing,
    "drop": _nothing,
    "never": _nothing,
}
"""Rule → function, in the order of application: which rows count, their columns, households and links."""


def abstract(
    raw: pl.DataFrame | ByteColumns,
    contract: Contract,
    *,
    month: str,
    references: Mapping[str, pl.DataFrame],
    companions: Mapping[str, pl.DataFrame],
    pseudonym_key: Callable[[str], bytes],
) -> Abstracted:
    """抽象化 of one raw extract: nothing of it identifies anyone at a glance.

    Args:
        raw: binary columns as :func:`kobe_platform.intake.extracts.take_in` leaves them.
        month: YYYY-MM; its last day is the reference day.
        references: public reference tables by source name, typed as taken in.
        companions: raw extracts of the same month by source name (``contract.needs``).
        pseudonym_key: purpose → 32 bytes.

    Raises:
        ConfigurationError: a reference or companion is missing.
    """
    rows = ByteColumns.of(raw) if isinstance(raw, pl.DataFrame) else raw
    working = Working(rows, contract, month, references, companions, pseudonym_key)
    order = _in_order(contract)
    with working.reading_ahead(dict.fromkeys([*contract.key, *(column.id for _, column in order)])):  # the key first
        drop_identical(working)
        for step, column in order:
            _carry_out(step, working, column)
        hide(working)
    facts, kept, derived = working.facts(), working.kept, working.derived
    del raw, rows, working  # what was read is not held while the result is put in order
    return Abstracted(_shuffled(derived, contract, kept), facts)


def _in_order(contract: Contract) -> list[tuple[Callable[[Working, Any], None], AnyColumn]]:
    """Each column with its rule's function, in the order in which they depend on each other."""
    columns = sorted(contract.columns, key=lambda column: bool(getattr(column, "only_for", None)))
    return [(step, column) for rule, step in STEPS.items() for column in columns if column.rule == rule]


def _carry_out(step: Callable[[Working, Any], None], working: Working, column: AnyColumn) -> None:
    """One rule on one column; what it stumbles over is told by column and rule, never by value."""
    try:
        step(working, column)
    except PlatformError:
        raise
    except Exception as error:
        raise PlatformError(
            "the rule of a column cannot be carried out",
            code="abstraction.rule",
            at={
                "source": working.contract.name,
                "month": working.month,
                "column": column.id,
                "rule": column.rule,
                "error": type(error).__name__,
            },
            remedy="compare the column's parameters with docs/contracts.md, and report it if they are right",
            ja="契約で定めた項目の規則を適用できません",
        ) from None


def _shuffled(derived: dict[str, pl.Series], contract: Contract, kept: pl.Series) -> pl.DataFrame:
    """Kept rows by the first pseudonym that all have, so that their order tells nothing; else by content.

    Args:
        derived: columns by name; they are taken from it one by one, so that none is held twice.
    """
    rows = kept.arg_true()
    links = [derived[column.to].gather(rows) for column in contract.having(Pseudonym)]
    complete = [link for link in links if not link.null_count()]
    if complete:
        rows = rows.gather(complete[0].arg_sort())
    frame = pl.DataFrame([derived.pop(name).gather(rows) for name in contract.outputs])
    return frame if complete else frame.sort(frame.columns)


def validate(abstracted: Abstracted, contract: Contract, *, month: str, previous_rows: int | None) -> dict[str, object]:
    """What must hold before a frame becomes the lake's partition.

    Args:
        previous_rows: rows of the former month's partition; None where there is none or an operator approved.

    Returns:
        The facts, with ``previous_rows`` and ``row_change`` (share) where there was a former month.

    Raises:
        DeliveryRejected: ``delivery.set_aside_share`` (with the largest rule's name and count).
        DeliveryHeld: ``delivery.row_change`` (quirk 20).
    """
    facts = dict(abstracted.facts)
    at = {"delivery": f"{contract.name}/{month}"}
    set_aside: Mapping[str, int] = facts["set_aside"]  # type: ignore[assignment]
    rows, aside = int(facts["rows"]), sum(set_aside.values())  # type: ignore[call-overload]
    thresholds = contract.thresholds
    if aside > thresholds.set_aside * rows and (aside >= FEW or 2 * aside > rows):
        worst = max(set_aside, key=lambda rule: set_aside[rule])
        raise rejection(
            "delivery.set_aside_share", **at, rows=rows, set_aside=aside, most_by=worst, of_it=set_aside[worst]
        )
    if previous_rows is None or "snapshot" not in contract.kinds:
        return facts
    kept = abstracted.frame.height
    change = abs(kept - previous_rows)
    share = thresholds.row_change_by_month.get(month[5:], thresholds.row_change)
    allowed = max(int(share * previous_rows), thresholds.row_change_rows)
    if change > allowed:
        raise hold("delivery.row_change", **at, rows=kept, former_rows=previous_rows, allowed=allowed)
    return {**facts, "previous_rows": previous_rows, "row_change": round(change / max(previous_rows, 1), 6)}
