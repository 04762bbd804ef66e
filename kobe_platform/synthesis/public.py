"""Makes the synthetic city's public deliveries: table of school districts and estimated population (推計人口)."""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.synthesis.city import FEMALE, MALE, City

ESTIMATE_COLUMNS = ("as_of", "ward_code", "households", "population", "male", "female", "basis")


def ward_stock(city: City) -> np.ndarray:
    """Households, men and women of each ward on the register: shape (wards, 3)."""
    r, stock = city.residents, city.stock
    ward = city.ward_of(r.household[stock])
    homes = np.unique(r.household[stock])
    n = len(city.geography.wards)
    counts = [np.bincount(city.ward_of(homes), minlength=n)]
    counts += [np.bincount(ward[r.sex[stock] == sex], minlength=n) for sex in (MALE, FEMALE)]
    return np.stack(counts, axis=1)


def estimate_base(city: City, stock: np.ndarray) -> np.ndarray:
    """Constant differences between estimate and register, as a census would find them. Shape (wards, 3)."""
    shares = city.parameters.city
    offsets = np.array([shares.estimate_household_offset, shares.estimate_offset, shares.estimate_offset])
    return np.round(stock * offsets).astype(int)


def estimates(city: City, month: np.datetime64, stock_before: np.ndarray, base: np.ndarray) -> pl.DataFrame:
    """``estimated_population`` as of the first day of ``month``: the stock before that month plus the fixed base.

    Therefore estimate(t+1) - estimate(t) is the register's net change of month t. The city's row comes first.
    """
    wards = stock_before + base
    rows = {city.parameters.city.code: wards.sum(axis=0), **dict(zip(city.geography.wards, wards, strict=True))}
    records = [
        (f"{month}-01", code, *(str(int(v)) for v in (homes, men + women, men, women)), "synthetic")
        for code, (homes, men, women) in rows.items()
    ]
    return pl.DataFrame(records, schema=list(ESTIMATE_COLUMNS), orient="row")
