"""Whoever stands behind the published stocks: no hidden figure is narrow for an outsider who reckons with people.

Random small cities, all tables of the group, protected as a release would be, attacked through the people themselves
(:mod:`people`). ``tests/soak`` goes on with many more cities.
"""

import polars as pl
import pytest

from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_group, groups, load_statistics, protect_group
from tests.unit.statistics.people import narrow
from tests.unit.statistics.small_cities import AREAS, city

STATISTICS = load_statistics(Settings().statistics)
HOMES = {
    name: s
    for name, s in STATISTICS.items()
    if s.population in ("households", "residents") and not {"age1", "age_child"} & {*s.dimensions.values()}
}
"""Without single years of age, whose people are five times as many cells: the soak has them."""


def published(statistics, seed: int) -> dict[str, pl.DataFrame]:
    members = groups(statistics.values())["stocks/month"]
    cells = compute_group(members, {"resident_register": city(seed)}, AREAS).cells
    return protect_group(members, cells, AREAS, period="2025-07").tables


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3])
def test_people_leave_room_for_every_hidden_figure_of_households(seed):
    assert not list(narrow(HOMES, published(HOMES, seed), AREAS))


@pytest.mark.slow
def test_without_the_definitions_people_do_not():
    """The rule broken: families and sizes that nobody ties say too much of each other."""
    untied = {name: s.model_copy(update={"relations": ()}) for name, s in HOMES.items()}
    found = list(narrow(untied, published(untied, 3), AREAS))
    assert {one.table for one in found} & {"households_size_district", "households_family_district"}
