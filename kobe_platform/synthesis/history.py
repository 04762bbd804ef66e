"""Makes up the public series of the months before the first delivery: estimated population, births, deaths and moves.

They end where the city begins: the stock at the first delivered month is that of the month before with its flows. So
they are made backwards, from a city that is there already.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.synthesis.parameters import Parameters

COLUMNS = (
    "as_of",
    "ward_code",
    "households",
    "population",
    "male",
    "female",
    "births",
    "deaths",
    "moves_in",
    "moves_out",
)


def history(parameters: Parameters, first: np.datetime64, stock: np.ndarray, seed: int) -> pl.DataFrame:
    """One row a month and area, the city's before the wards', from the beginning up to the month before ``first``.

    Population and households are those of the month's first day, flows those of the month. From one month to the next,
    population changes by births − deaths + moves in − moves out, in a ward also by moves from and to the others, and in
    the month of a census by what it found.

    Args:
        first: month of the first delivery.
        stock: households, men and women of each ward on its first day, shape (wards, 3).

    Returns:
        All texts, as a file has them; no rows where ``first`` is not after the beginning.
    """
    told = parameters.history
    rng = np.random.default_rng([seed, 2])
    homes, men, women = stock.T.astype(float)
    people = (men + women).astype(int)
    households, male = homes / people, men / people
    records: list[tuple[str, ...]] = []
    for month in np.arange(np.datetime64(told.begin, "M"), first)[::-1]:
        years = (first - month).astype(int) / 12
        flows = _flows(parameters, month, years, people, rng)
        births, deaths, moves_in, moves_out = flows
        after = str(month + 1)
        found = np.round(people * told.censuses.get(after, 0.0)).astype(int)
        people = people - (births - deaths + moves_in - moves_out + _between(people, told.between, rng) + found)
        living = np.round(people * households * (1 + told.household * years)).astype(int)
        males = np.round(people * male).astype(int)
        columns = np.stack([living, people, males, people - males, *flows], axis=1)
        codes = [parameters.city.code, *(ward.code for ward in parameters.wards)]
        rows = dict(zip(codes, [columns.sum(axis=0), *columns], strict=True)).items()
        records = [(f"{month}-01", code, *(str(int(value)) for value in row)) for code, row in rows] + records
    return pl.DataFrame(records, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _flows(
    parameters: Parameters, month: np.datetime64, years: float, people: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Births, deaths, moves in and out of each ward in a month."""
    told, flows, wards = parameters.history, parameters.flows, parameters.wards
    at, factor = int(str(month)[5:]) - 1, told.moves.get(str(month)[:4], 1.0)
    winter = 1 + 0.12 * np.cos(2 * np.pi * at / 12)
    rates = (
        np.array([ward.births for ward in wards]) * (1 + told.births * years),
        np.full(len(wards), flows.deaths) * (1 + told.deaths * years) * winter,
        np.array([ward.in_ for ward in wards]) * (1 + told.moves_in * years) * factor * flows.season_in[at],
        np.array([ward.out for ward in wards]) * (1 + (factor - 1) / 2) * flows.season_out[at],
    )
    return tuple(rng.poisson(people * rate / 12_000) for rate in rates)


def _between(people: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """What each ward gains from the others; sums to zero."""
    gain = np.round(rng.normal(0, share, len(people)) * people).astype(int)
    gain[np.argmax(people)] -= gain.sum()
    return gain
