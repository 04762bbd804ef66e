"""The shape in which the auditor gathers coefficients: one row for each cell that stands in an equation."""

from __future__ import annotations

import polars as pl

SCHEMA = pl.Schema({"equation": pl.Int64(), "cell": pl.Int64(), "sign": pl.Int64()})
"""``equation`` counts from 0 within a frame; ``cell`` −1 is the slack of an inequality; ``sign`` the coefficient."""
