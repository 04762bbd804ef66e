"""What each municipality must leave possible of the totals that are out, by what is published alone (decision 0072)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kobe_platform.disclosure import Together, find_scenarios
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import Handed
from kobe_platform.prefecture.joint import SummedCells, joint


def scenarios_of(
    handed: Sequence[Handed],
    sums: Sequence[SummedCells],
    shown: Mapping[str, np.ndarray],
    former: Sequence[tuple[Sequence[Handed], Sequence[SummedCells], Mapping[str, np.ndarray]]] = (),
) -> dict[str, Scenarios]:
    """Scenarios of every municipality of which a hidden cell is tied to others' by a total that is, or was, shown.

    All municipalities at once, whatever circles the totals were chosen in: within a circle the others' counts are
    known, and these must reach no municipality.

    Args:
        shown, former: as for :func:`joint.joint`.

    Raises:
        DisclosureError: ``prefecture.scenarios``: none were found.
    """
    telling = [(one, shown[one.summed.table]) for one in sums]
    telling += [(one, out[one.summed.table]) for _, then, out in former for one in then]
    if not any((one.telling & out).any() for one, out in telling):
        return {}
    everything = joint(handed, sums, range(len(handed)), shown, former)
    together = Together(
        {one.summed.table: (one.summed.area, one.summed.statistic) for one in sums},
        {f"{one.municipality}.{name}": (one.municipality, name) for one in handed for name in one.tables},
    )
    found = find_scenarios(everything.spec, everything.tables, everything.previous, together)
    if found is None:
        raise DisclosureError(
            "no tables were found that agree with all totals that are out: municipalities cannot be told what to keep",
            code="prefecture.scenarios",
            at={"month": handed[0].month, "group": handed[0].group, "municipalities": len(handed)},
            remedy="make a table that is summed above coarser; the month stays as it was released",
            ja="公表済みの合計と合う表を求められないため、合計を作り直しません",
        )
    return found
