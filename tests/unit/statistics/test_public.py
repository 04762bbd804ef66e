"""Public figures are passed through: one figure a cell, the revised one where a month came twice."""

import polars as pl

from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_public, load_statistics

STATISTICS = load_statistics(Settings().statistics)


def test_a_month_delivered_as_published_and_as_revised_counts_as_revised():
    delivered = pl.DataFrame(
        {
            "ward_code": ["28100", "28100", "28101"],
            "households": [705_061, 705_459, 3],
            "population": [1_537_860, 1_537_272, 30],
            "male": [726_877, 726_700, 10],
            "female": [810_983, 810_572, 20],
            "basis": ["published", "revised", "published"],
        }
    )
    for frame in (delivered, delivered.reverse()):
        table = compute_public(STATISTICS["estimated_population"], {"estimated_population": frame}, "2015-10")
        cells = {(area, series): value for _, area, series, value, _ in table.iter_rows()}
        assert table.height == 8
        assert cells["28100", "population"] == 1_537_272
        assert cells["28100", "households"] == 705_459
        assert cells["28101", "female"] == 20


def test_figures_of_other_cities_stand_as_they_were_delivered():
    delivered = pl.DataFrame(
        {"city_code": ["28202", "28100"], "figure": ["population", "area"], "value": [450_000, 55_702]}
    )
    table = compute_public(STATISTICS["city_comparison"], {"city_comparison": delivered}, "2025-10")
    assert table.rows() == [
        ("2025-10", "28100", "area", 55_702, "published"),
        ("2025-10", "28202", "population", 450_000, "published"),
    ]
