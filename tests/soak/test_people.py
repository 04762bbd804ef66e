"""Random small cities, attacked through the people behind all stocks: what is promised is never narrow."""

import pytest

from kobe_platform.errors import DisclosureError
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from tests.unit.statistics.people import narrow
from tests.unit.statistics.small_cities import AREAS
from tests.unit.statistics.test_people import published

STATISTICS = load_statistics(Settings().statistics)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(40))
def test_no_figure_of_a_small_city_is_narrow_for_who_reckons_with_its_people(seed):
    """But by joint cells of two populations, which are not compared (docs/disclosure.md, What it does not promise)."""
    try:
        tables = published(STATISTICS, seed)
    except DisclosureError as refused:
        pytest.skip(f"nothing is published of this city: {refused.code}")
    found = list(narrow(STATISTICS, tables, AREAS, whole=True))
    assert not [one for one in found if not one.table.startswith("foreigners_age_")]
