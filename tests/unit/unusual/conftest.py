"""The project's own watched series, and months of made-up published figures for them."""

import numpy as np
import polars as pl
import pytest

from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic
from kobe_platform.unusual.months import month_of
from kobe_platform.unusual.tables import UsualRanges
from tests.forecast_city import WARDS, months_until
from tests.forecast_city import published as as_published

LAST = "2025-12"
MOVES = ("moves_in_month", "moves_out_month")


@pytest.fixture(scope="session")
def tables() -> dict[str, Statistic]:
    return load_published(Settings().statistics)


@pytest.fixture(scope="session")
def usual(tables) -> UsualRanges:
    return tables["usual_ranges"]


def moves(month: str, table: str = MOVES[0], level: int = 300, shock: dict | None = None, hidden=()) -> pl.DataFrame:
    """Moves of a month by ward, with a season, working days and some noise; ``shock``: ward → factor."""
    number = int(month[:4]) * 12 + int(month[5:])
    rng = np.random.default_rng([number, MOVES.index(table)])
    season = {3: 2.4, 4: 1.8}.get(int(month[5:]), 1.0 + 0.1 * np.sin(int(month[5:])))
    noise = np.exp(0.03 * rng.standard_normal(len(WARDS.leaves)))
    rows = [
        (ward, round(level * (n + 1) * season * noise[n] * (shock or {}).get(ward, 1.0)))
        for n, ward in enumerate(WARDS.leaves)
    ]
    city = (WARDS.root, sum(value for _, value in rows))
    return as_published(pl.DataFrame([*rows, city], schema=["area", "value"], orient="row"), month, hidden)


def course(usual: UsualRanges, number: int = 60, last: str = LAST, **told) -> dict[str, pl.DataFrame]:
    """Usual ranges month by month over made-up moves; ``told`` is of the last month's ``moves_in_month``."""
    found: dict[str, pl.DataFrame] = {}
    for month in months_until(last, number):
        given = told if month == last else {}
        published = {MOVES[0]: moves(month, **given), MOVES[1]: moves(month, MOVES[1])}
        found[month] = month_of(usual, month, published, found)
    return found
