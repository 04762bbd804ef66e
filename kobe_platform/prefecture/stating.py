"""Tells each municipality what the totals that are about to be published ask of it, and waits until all have taken it.

A receipt names the digests: of what a municipality is told now, and of what it has taken. What it was told before stays
in force: who has old totals, and what was published then, has both still when another municipality has corrected its
figures. A month whose totals somebody was not told of yet is not released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import Handed

COMPLETE, INCOMPLETE, OTHERS = "complete", "incomplete", "others"
"""Whether a month has totals; if not, whether a municipality is missing, or totals of others than these are out."""
NOTHING = Scenarios((), ())
"""Told where new totals ask for nothing of a municipality that was told something before."""


def statements(
    month: str,
    group: str,
    handed: Sequence[Handed],
    scenarios: Mapping[str, Scenarios],
    before: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What each municipality is told, and what the receipt says of it.

    Args:
        before: the receipt so far.
    """
    told, stated, last = [], {}, before.get("stated", {})
    for one in handed:
        code = one.municipality
        if code not in scenarios and code not in last:
            continue
        own = scenarios.get(code, NOTHING)
        stated[code] = own.digest
        told.append(
            {
                "municipality": code,
                "month": month,
                "group": group,
                "content": one.content,
                "recorded": one.recorded,
                "scenarios": own.as_record(),
            }
        )
    # Whatever was taken before has to be taken again: a home may have been restored from a backup.
    return told, {"stated": stated, "taken": {}}


def carried(before: Mapping[str, Any]) -> dict[str, Any]:
    """What a receipt goes on to say where no totals were made."""
    return {name: before.get(name, {}) for name in ("stated", "taken")}


def with_taken(receipt: Mapping[str, Any], taken: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A receipt after municipalities have taken something: pairs of a code and a digest."""
    stated = receipt.get("stated", {})
    own = {code: digest for code, digest in taken if stated.get(code) == digest}
    return {**receipt, "taken": {**receipt.get("taken", {}), **own}}


def waiting(receipt: Mapping[str, Any]) -> list[str]:
    """Codes of the municipalities that have not taken what they are to be told; none where there are no totals."""
    if receipt.get("totals") != COMPLETE:
        return []
    taken = receipt.get("taken", {})
    return sorted(code for code, digest in receipt.get("stated", {}).items() if taken.get(code) != digest)


def refuse_untold(receipts: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a release as long as a municipality has not taken what the totals of a month ask of it.

    Raises:
        DisclosureError: ``prefecture.waiting``, with the first such month and municipality.
    """
    for receipt in receipts:
        if codes := waiting(receipt):
            raise DisclosureError(
                "a municipality has not taken what the totals ask of it: nothing is released",
                code="prefecture.waiting",
                at={"month": receipt["month"], "group": receipt["group"], "municipality": codes[0]},
                remedy="look at what is left of it (kobe prefecture status CODE), then kobe prefecture publish",
                ja="合計に関する通知を受け取っていない市町村があるため、公開しません",
            )
