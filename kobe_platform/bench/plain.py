"""The plain script of `kobe bench month`: Polars and DuckDB without any of the platform's guarantees, on made-up data.

It does the same work in the obvious way: one pass over the decoded file, the columns that statistics need,
plain Parquet, one GROUP BY a table. Measured against it, the platform's encryption, accounting and checks have
a price in seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
ERAS = {"1": 1867, "2": 1911, "3": 1925, "4": 1988, "5": 2018}
COUNTS = (
    "SELECT ward, age // 5 AS age5, sex, count(*) AS n FROM register GROUP BY CUBE (ward, age5, sex)",
    "SELECT ward, district, age // 5 AS age5, sex, count(*) AS n FROM register GROUP BY ALL",
    "SELECT ward, district, sum(age) AS total, count(age) AS n FROM register GROUP BY ALL",
    "SELECT ward, nationality, sex, count(*) AS n FROM register WHERE resident_type = '2' GROUP BY ALL",
    "SELECT ward, district, nationality, count(*) AS n FROM register WHERE resident_type = '2' GROUP BY ALL",
    "SELECT ward, district, residence_status, count(*) AS n FROM register WHERE resident_type = '2' GROUP BY ALL",
    "SELECT ward, district, stay, count(*) AS n FROM register WHERE resident_type = '2' GROUP BY ALL",
    "SELECT ward, district, age // 10 AS age10, count(*) AS n FROM register WHERE resident_type = '2' GROUP BY ALL",
    "SELECT ward, district, size, count(*) AS n FROM (SELECT household_no, any_value(ward) AS ward, "
    "any_value(district) AS district, least(count(*), 6) AS size FROM register GROUP BY 1) GROUP BY ALL",
    "SELECT ward, district, relationship, count(*) AS n FROM register GROUP BY ALL",
    "SELECT reason, ward_after, district_after, age // 10 AS age10, sex, count(*) AS n FROM movements GROUP BY ALL",
    "SELECT reason, ward_before, ward_after, counterpart, count(*) AS n FROM movements GROUP BY ALL",
)


def inbox_to_parquet(inbox: Path, scratch: Path, month: str) -> float:
    """Decode and parse both extracts, derive columns, write plain Parquet; seconds."""
    started = time.perf_counter()
    register = _read(inbox, "resident_register", month)
    register.select(
        pl.col("宛名番号").alias("atena_no"),
        pl.col("世帯番号").alias("household_no"),
        _ward("住所コード").alias("ward"),
        pl.col("小学校区").alias("district"),
        pl.col("住民種別").alias("resident_type"),
        pl.col("性別").alias("sex"),
        _age(month).alias("age"),
        pl.col("続柄").alias("relationship"),
        pl.col("国籍・地域").alias("nationality"),
        pl.col("在留資格").alias("residence_status"),
        pl.col("外国人住民となった日").str.slice(0, 4).alias("stay"),
    ).write_parquet(scratch / "register.parquet")
    movements = _read(inbox, "resident_movements", month)
    movements.select(
        pl.col("異動事由").alias("reason"),
        _ward("住所コード（前）").alias("ward_before"),
        _ward("住所コード（後）").alias("ward_after"),
        pl.col("小学校区（後）").alias("district_after"),
        pl.col("相手地域").alias("counterpart"),
        pl.col("性別").alias("sex"),
        _age(month).alias("age"),
    ).write_parquet(scratch / "movements.parquet")
    return time.perf_counter() - started


def parquet_to_counts(scratch: Path) -> float:
    """The counts of one month's tables by DuckDB over the plain Parquet files; seconds."""
    import duckdb

    started = time.perf_counter()
    with duckdb.connect() as connection:
        for name in ("register", "movements"):
            frame = pl.read_parquet(scratch / f"{name}.parquet")
            connection.register(name, frame.to_arrow())
        for sql in COUNTS:
            connection.execute(sql).fetchall()
    return time.perf_counter() - started


def _read(inbox: Path, source: str, month: str) -> pl.DataFrame:
    folder = next(inbox.glob(f"*/{source}/{month}"))
    text = (folder / f"{source}.csv").read_bytes().decode("cp932", "replace").translate(DIGITS)
    return pl.read_csv(text.encode(), infer_schema=False)


def _ward(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 5)


def _age(month: str) -> pl.Expr:
    born, kind = pl.col("生年月日"), pl.col("住民種別")
    era = born.str.slice(0, 1).replace_strict(ERAS, default=None, return_dtype=pl.Int32)
    western = pl.when(kind == "2").then(born.str.slice(0, 4).cast(pl.Int32, strict=False))
    year = western.otherwise(era + born.str.slice(1, 2).cast(pl.Int32, strict=False))
    birthday_to_come = born.str.slice(-4, 2).cast(pl.Int32, strict=False) > int(month[5:])
    return int(month[:4]) - year - birthday_to_come.cast(pl.Int32)
