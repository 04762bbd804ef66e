"""Counts the synthetic city independently of its extracts: the figures that the platform's tables must equal in tests.

The counts are taken from the city's arrays by ``numpy.bincount`` and not from the rows of the extract, so that an error
of the writer or of the platform shows as a difference.
"""

from __future__ import annotations

import numpy as np

from kobe_platform.synthesis.city import CHILD, ELDER, OTHER, PARTNER, City, protected_households
from kobe_platform.synthesis.events import (
    ADMIN_ENTRY,
    ADMIN_REMOVAL,
    BIRTH,
    CHANGE_CANCELLED,
    DEATH,
    ENTRY_CANCELLED,
    IN_ABROAD,
    IN_DOMESTIC,
    MOVE,
    OTHER_ENTRY,
    OTHER_REMOVAL,
    OUT_ABROAD,
    OUT_DOMESTIC,
    REMOVAL_CANCELLED,
    Events,
)  # fmt: skip

SEXES = ("", "male", "female")
FLOWS = {
    IN_DOMESTIC: "in_domestic", IN_ABROAD: "in_abroad", BIRTH: "birth",
    ADMIN_ENTRY: "admin_in", OTHER_ENTRY: "admin_in",
    OUT_DOMESTIC: "out_domestic", OUT_ABROAD: "out_abroad", DEATH: "death", ADMIN_REMOVAL: "admin_out",
    OTHER_REMOVAL: "admin_out", ENTRY_CANCELLED: "admin_out", REMOVAL_CANCELLED: "admin_in",
}  # fmt: skip


def truth(city: City, events: Events) -> dict[str, object]:
    """Counts of the month at whose end ``city`` is and whose events ``events`` are.

    Returns:
        Tables as lists of rows, keys first, the count last:

        - ``population``: ward, sex, age (not top-coded), japanese / foreign → persons
        - ``districts``: ward, district → persons; ``unknown`` for protected households and underivable addresses
        - ``households``: ward, size → households; ``families``: ward, family type → households
        - ``foreigners``: ward, nationality, residence status code → persons
        - ``protected_persons``: ward → members of protected households
        - ``flows``: ward, reason, on notice (0 / 1) → persons, what was cancelled within the month left out; moves
          between wards stand twice, as ``ward_move_in`` and ``ward_move_out``
        - ``netted``: ward, reason code → events that a cancellation of the same month undid, and those cancellations

        and ``month`` and ``residents``.
    """
    r, stock = city.residents, city.stock
    home = r.household[stock]
    wards = np.array(city.geography.wards)
    ward = wards[city.ward_of(home)]
    sex = np.array(SEXES)[r.sex[stock]]
    kind = np.array(["japanese", "foreign"])[r.foreign[stock].astype(int)]
    age = r.age_on(city.last_day, stock)
    district = city.geography.plot_district[city.households.plot[home]]
    names = np.array([*city.geography.districts, "unknown"])
    hidden = np.isin(home, protected_households(r))
    foreign = r.foreign[stock]
    nations = np.array(city.nationalities)[np.maximum(r.nationality[stock], 0)]
    flows, netted = _flows(city, events)
    return {
        "month": str(city.month),
        "residents": len(stock),
        "population": _count(ward, sex, age, kind),
        "districts": _count(ward, names[np.where(hidden, -1, district)]),
        **_households(city, home, age),
        "foreigners": _count(ward[foreign], nations[foreign], r.status[stock][foreign]),
        "protected_persons": _count(ward[hidden]),
        "flows": flows,
        "netted": netted,
    }


def _count(*keys: np.ndarray) -> list[list]:
    """Rows of (keys …, count), sorted by keys."""
    if not len(keys[0]):
        return []
    code = np.zeros(len(keys[0]), dtype=np.int64)
    levels = []
    for key in keys:
        values, index = np.unique(key, return_inverse=True)
        code = code * len(values) + index
        levels.append(values)
    cells, counts = np.unique(code, return_counts=True)
    columns: list[list] = [counts.tolist()]
    for values in reversed(levels):
        cells, index = np.divmod(cells, len(values))
        columns.insert(0, values[index].tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def _households(city: City, home: np.ndarray, age: np.ndarray) -> dict[str, list]:
    """Households by ward and size, and by ward and family type."""
    r, stock = city.residents, city.stock
    homes, index, size = np.unique(home, return_inverse=True, return_counts=True)
    ward = np.array(city.geography.wards)[city.ward_of(homes)]
    role = r.role[stock]
    of_role = {which: np.bincount(index[role == which], minlength=len(homes)) for which in range(4)}
    family = np.full(len(homes), "other", dtype="U16")
    pure = of_role[OTHER] == 0
    elders, partners, children = of_role[ELDER], of_role[PARTNER], of_role[CHILD]
    family[pure & (partners == 2) & (elders == 0) & (children == 0)] = "couple"
    family[pure & (partners == 2) & (elders == 0) & (children > 0)] = "couple_children"
    family[pure & (partners == 1) & (elders == 0) & (children > 0)] = "single_parent"
    family[pure & (partners == 1) & (elders == 1) & (children == 0)] = "single_parent"
    family[(elders > 0) & (children > 0)] = "three_generation"
    family[size == 1] = "single"
    return {"households": _count(ward, size), "families": _count(ward, family)}


def _flows(city: City, events: Events) -> tuple[list, list]:
    """Flows by ward, reason and immigration notice; and what was undone within the month, by ward and reason code."""
    geography = city.geography
    wards = np.array(geography.wards)
    key = events.person.astype(np.int64) * 100_000
    undone = np.isin(key + events.history, (key + events.cancels)[events.cancels > 0])
    undoes = (events.cancels > 0) & np.isin(key + events.cancels, key + events.history)
    netted = undone | undoes
    inside = np.where(events.plot_after >= 0, events.plot_after, events.plot_before)
    ward = wards[geography.plot_ward[inside]]
    reason = np.array([FLOWS.get(code, "") for code in events.reason.tolist()], dtype="U20")
    changed = np.isin(events.reason, (MOVE, CHANGE_CANCELLED))
    before, after = geography.plot_ward[events.plot_before], geography.plot_ward[events.plot_after]
    reason[changed & (before == after)] = "within_ward"
    reason[(reason == "") & ~changed] = "non_demographic"
    across = changed & (before != after) & ~netted
    counted = ~netted & ~(changed & (before != after))
    rows = _count(ward[counted], reason[counted], events.notice[counted].astype(int))
    n = int(across.sum())
    for name, end in (("ward_move_in", after), ("ward_move_out", before)):
        rows += _count(wards[end[across]], np.full(n, name), np.zeros(n, dtype=int))
    return sorted(rows), _count(ward[netted], events.reason[netted])
