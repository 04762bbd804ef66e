"""The plain script of `kobe bench month`, on made-up data: none of the platform's guarantees.

The fastest plain way that we know: only the columns that statistics need are parsed, as bytes and into dictionaries;
each distinct value is decoded once, and what is derived is derived from distinct values. It checks, encrypts and
accounts for nothing, so what the platform takes beyond it is the price of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Coded:
    """A column: its distinct words, and which of them each row has (null where it has none)."""

    words: list[str]
    rows: pl.Series

    def mapped(self, change: Callable[[str], object] = str, dtype: type[pl.DataType] = pl.String) -> pl.Series:
        """What a function makes of each distinct word, for all rows."""
        return pl.Series([change(word) for word in self.words], dtype=dtype).gather(self.rows)


def inbox_to_parquet(inbox: Path, scratch: Path, month: str) -> None:
    """Parse both extracts, derive columns, write plain Parquet."""
    register = _read(inbox, "resident_register", month, {
        "世帯番号": "household_no", "住所コード": "address", "小学校区": "district", "住民種別": "resident_type",
        "性別": "sex", "生年月日": "born", "続柄": "relationship", "国籍・地域": "nationality",
        "在留資格": "residence_status", "外国人住民となった日": "since",
    })  # fmt: skip
    kept = register.keys() - {"address", "born", "since"}
    pl.DataFrame({name: register[name].mapped() for name in kept}).with_columns(
        register["address"].mapped(_ward).alias("ward"),
        register["since"].mapped(lambda day: day[:4]).alias("stay"),
        _ages(register, month).alias("age"),
    ).write_parquet(scratch / "register.parquet")
    movements = _read(inbox, "resident_movements", month, {
        "異動事由": "reason", "住所コード（前）": "before", "住所コード（後）": "after",
        "小学校区（後）": "district_after", "相手地域": "counterpart",
        "性別": "sex", "生年月日": "born", "住民種別": "resident_type",
    })  # fmt: skip
    kept = movements.keys() - {"before", "after", "born", "resident_type"}
    pl.DataFrame({name: movements[name].mapped() for name in kept}).with_columns(
        movements["before"].mapped(_ward).alias("ward_before"),
        movements["after"].mapped(_ward).alias("ward_after"),
        _ages(movements, month).alias("age"),
    ).write_parquet(scratch / "movements.parquet")


def parquet_to_counts(scratch: Path) -> None:
    """The counts of one month's tables by DuckDB over the plain Parquet files."""
    import duckdb

    with duckdb.connect() as connection:
        for name in ("register", "movements"):
            frame = pl.read_parquet(scratch / f"{name}.parquet")
            connection.register(name, frame.to_arrow())
        for sql in COUNTS:
            connection.execute(sql).fetchall()


def _read(inbox: Path, source: str, month: str, columns: dict[str, str]) -> dict[str, Coded]:
    """The named columns. No second byte of CP932 is a comma, a quote or a line end, so that its bytes can be parsed."""
    import pyarrow as pa
    from pyarrow import csv

    path = next(inbox.glob(f"*/{source}/{month}")) / f"{source}.csv"
    with path.open("rb") as file:
        places = {name: f"f{place}" for place, name in enumerate(file.readline().decode("cp932").strip().split(","))}
    wanted = {places[name]: pa.dictionary(pa.int32(), pa.binary()) for name in columns}
    converted = csv.ConvertOptions(
        include_columns=list(wanted), column_types=wanted, check_utf8=False, strings_can_be_null=True, null_values=[""]
    )
    reading = csv.ReadOptions(autogenerate_column_names=True, skip_rows=1, block_size=8 << 20)
    table = csv.read_csv(path, reading, convert_options=converted).unify_dictionaries()
    return {new: _coded(table[places[name]]) for name, new in columns.items()}


def _coded(column) -> Coded:
    import pyarrow as pa

    words = [word.decode("cp932", "replace").translate(DIGITS) for word in column.chunk(0).dictionary.to_pylist()]
    return Coded(words, pl.Series(pl.from_arrow(pa.chunked_array([chunk.indices for chunk in column.chunks]))))


def _ward(address: str) -> str:
    return address[:5]


def _ages(columns: dict[str, Coded], month: str) -> pl.Series:
    """Whole years at the month's end; foreign residents' days are of the western calendar, the others' of an era."""

    def since(year: Callable[[str], int]) -> Callable[[str], int | None]:
        def age(day: str) -> int | None:
            try:
                return int(month[:4]) - year(day) - (int(day[-4:-2]) > int(month[5:]))
            except (KeyError, ValueError):
                return None

        return age

    foreign = columns["born"].mapped(since(lambda day: int(day[:4])), pl.Int32)
    others = columns["born"].mapped(since(lambda day: ERAS[day[0]] + int(day[1:3])), pl.Int32)
    return foreign.zip_with((columns["resident_type"].mapped() == "2").fill_null(False), others)
