"""Plants faults in a synthetic extract row by row: for each quirk of rows, what it changes or which rows it adds.

A quirk is a fault that real extracts have, as ``quirks.toml`` lists them. Some belong to the everyday mix (``--dirt``);
the others are planted on request only.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.synthesis import identifiers
from kobe_platform.synthesis.city import RESIDENT, City
from kobe_platform.synthesis.effects import Effect
from kobe_platform.synthesis.events import MOVE
from kobe_platform.synthesis.geography import ABOLISHED, UNLISTED
from kobe_platform.synthesis.rows import movement_rows, register_rows

_WIDE = {str(digit): chr(0xFF10 + digit) for digit in range(10)}

japanese = pl.col("resident_type") == "1"
foreign = pl.col("resident_type") == "2"
birth = pl.col("birth_date")
known_birth = birth.str.len_chars() >= 7
lot = pl.col("lot")
_era_year = birth.str.slice(1, 2).cast(pl.Int32, strict=False)
_letter = birth.str.slice(0, 1).replace_strict({"1": "M", "2": "T", "3": "S", "4": "H", "5": "R"}, default="S")
_era = birth.str.slice(0, 1).replace_strict(
    {"1": "明治", "2": "大正", "3": "昭和", "4": "平成", "5": "令和"}, default="昭和"
)
_first_western = birth.str.slice(0, 1).replace_strict(
    {"1": 1867, "2": 1911, "3": 1925, "4": 1988, "5": 2018}, default=1925, return_dtype=pl.Int32
)
_western_year = (_first_western + _era_year).cast(pl.String)
_month, _day = birth.str.slice(-4, 2), birth.str.slice(-2, 2)


def _born_in(era: str, first: int, last: int) -> pl.Expr:
    """Japanese residents born in these years of an era (its digit)."""
    return japanese & (birth.str.slice(0, 1) == era) & _era_year.is_between(first, last)


def _wide(column: str) -> pl.Expr:
    return pl.col(column).str.replace_many(list(_WIDE), list(_WIDE.values()))


def _departed(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Rows of people who moved out, died or were removed, with their last values."""
    gone = np.flatnonzero(city.residents.state != RESIDENT)
    chosen = np.sort(rng.choice(gone, min(count, len(gone)), replace=False)).astype(np.int32)
    return register_rows(city, chosen)


def _announced(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Departures that are planned for the next month; the people still live here."""
    return movement_rows(city, city.announced).head(count) if city.announced is not None else rows.clear()


def _repeated(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Some rows are repeated."""
    return rows[np.sort(rng.choice(rows.height, min(count, rows.height), replace=False))]


def _conflicting(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    other = pl.when(pl.col("sex") == "1").then(pl.lit("2")).otherwise(pl.lit("1"))
    return _repeated(rows, city, rng, count).with_columns(sex=other)


def _person_twice(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    later = (pl.col("history_no").cast(pl.Int32) + 1).cast(pl.String)
    return _repeated(rows, city, rng, count).with_columns(history_no=later)


def _older_versions(step: int) -> Effect:
    """Further rows, as in a history extract: some people with a 履歴番号 ``step`` before the current one."""

    def append(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
        number = pl.col("history_no").cast(pl.Int32)
        former = _repeated(rows.filter(number > step), city, rng, count)
        return former.with_columns(history_no=(number - step).cast(pl.String), moved_in_on=pl.lit("20010401"))

    def as_difference(manifest: dict) -> None:
        manifest["kind"] = "difference"

    return Effect(append=append, manifest=as_difference)


def _passing_through(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """In and out on the same day: two events of a person who is not on the register at the month's end."""
    arrivals = rows.filter((pl.col("reason") == "01") & (pl.col("protection") == "0"))
    chosen = _repeated(arrivals, city, rng, count)
    strangers = identifiers.atena_numbers(np.arange(chosen.height) + 1_000_000_000)
    chosen = chosen.with_columns(
        strangers.alias("atena_no"), history_no=pl.lit("1"), household_after=pl.lit("00" + "8" * 10)
    )
    blank = pl.lit(None, dtype=pl.String)
    leaving = chosen.with_columns(
        history_no=pl.lit("2"), reason=pl.lit("21"),
        household_before="household_after", address_before="address_after",
        lot_before="lot_after", district_before="district_after",
        household_after=blank, address_after=blank, lot_after=blank, district_after=blank,
        destination_planned="counterpart", destination_confirmed="counterpart",
    )  # fmt: skip
    return pl.concat([chosen, leaving])


def _move_and_return(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """A move to another ward and back on a later day, so that each ward has as many moves out as in."""
    moves = rows.filter(
        (pl.col("reason") == f"{MOVE}")
        & (pl.col("address_before").str.slice(0, 5) != pl.col("address_after").str.slice(0, 5))
        & pl.col("atena_no").is_unique()
    )
    chosen = _repeated(moves, city, rng, count)
    ends = ("household", "address", "lot", "district")
    swap = {f"{e}_before": pl.col(f"{e}_after") for e in ends} | {f"{e}_after": pl.col(f"{e}_before") for e in ends}
    number = pl.col("history_no").cast(pl.Int32)
    back = chosen.with_columns(history_no=(number + 1).cast(pl.String), **swap)
    again = chosen.with_columns(history_no=(number + 2).cast(pl.String))
    return pl.concat([back, again])


def _dates() -> dict[str, Effect]:
    """Quirks 6 to 8: dates in every form, unknown dates, impossible dates."""
    elder = _born_in("3", 2, 63)
    return {
        "date_slashes": Effect(eligible=elder, change={"birth_date": _western_year + "/" + _month + "/" + _day}),
        "date_hyphens": Effect(eligible=elder, change={"birth_date": _western_year + "-" + _month + "-" + _day}),
        "date_era_letter": Effect(
            eligible=elder, change={"birth_date": _letter + birth.str.slice(1, 2) + "." + _month + "." + _day}
        ),
        "date_era_kanji": Effect(
            eligible=elder,
            change={
                "birth_date": _era
                + birth.str.slice(1, 2)
                + "年"
                + _month.str.strip_chars_start("0")
                + "月"
                + _day.str.strip_chars_start("0")
                + "日"
            },
        ),
        "era_overrun": Effect(
            eligible=_born_in("4", 2, 20), change={"birth_date": "3" + (_era_year + 63).cast(pl.String) + _month + _day}
        ),
        "heisei_overrun": Effect(
            eligible=_born_in("5", 2, 9), change={"birth_date": "4" + (_era_year + 30).cast(pl.String) + _month + _day}
        ),
        "date_serial": Effect(eligible=elder, change={"birth_date": _serial()}),
        "date_ambiguous": Effect(eligible=elder, change={"birth_date": birth.str.slice(1, 2) + _month + _day}),
        "birth_day_unknown": Effect(
            eligible=japanese & known_birth,
            change={"birth_date": birth.str.slice(0, 5) + "00", "birth_unknown": pl.lit("1")},
        ),
        "birth_month_unknown": Effect(
            eligible=japanese & known_birth,
            change={"birth_date": birth.str.slice(0, 3) + "9999", "birth_unknown": pl.lit("2")},
        ),
        "birth_foreign_unknown": Effect(
            eligible=foreign & known_birth,
            change={"birth_date": birth.str.slice(0, 4) + "0000", "birth_unknown": pl.lit("2")},
        ),
        "birth_unknown": Effect(
            eligible=japanese & known_birth, change={"birth_date": pl.lit("0000000"), "birth_unknown": pl.lit("3")}
        ),
        "birth_text": Effect(
            eligible=elder, change={"birth_date": _era + birth.str.slice(1, 2) + "年頃", "birth_unknown": pl.lit("2")}
        ),
        "birth_text_season": Effect(
            eligible=elder,
            change={"birth_date": _era + birth.str.slice(1, 2) + "年春", "birth_unknown": pl.lit("2")},
        ),
        "birth_text_ten_days": Effect(
            eligible=elder,
            change={
                "birth_date": _era + birth.str.slice(1, 2) + "年" + _month + "月上旬",
                "birth_unknown": pl.lit("1"),
            },
        ),
        "birth_text_unknown": Effect(
            eligible=japanese & known_birth, change={"birth_date": pl.lit("不詳"), "birth_unknown": pl.lit("3")}
        ),
        "birth_mark_season": Effect(
            eligible=elder, change={"birth_date": birth.str.slice(0, 3) + "A200", "birth_unknown": pl.lit("2")}
        ),
        "birth_mark_ten_days": Effect(
            eligible=elder, change={"birth_date": birth.str.slice(0, 5) + "A1", "birth_unknown": pl.lit("1")}
        ),
        "birth_zeros": Effect(
            eligible=japanese & known_birth, change={"birth_date": pl.lit("0000-00-00"), "birth_unknown": pl.lit("3")}
        ),
        "birth_impossible": Effect(
            eligible=elder & ((_era_year + 1) % 4 != 0), change={"birth_date": birth.str.slice(0, 3) + "0229"}
        ),
        "era_boundary": Effect(eligible=_born_in("3", 60, 63), change={"birth_date": pl.lit("3640107")}),
        "birth_future": Effect(eligible=japanese & known_birth, change={"birth_date": pl.lit("5500101")}),
        "too_old": Effect(eligible=japanese & known_birth, change={"birth_date": "125" + _month + _day}),
    }


def _serial() -> pl.Expr:
    born = pl.concat_str(_western_year, _month, _day).str.to_date("%Y%m%d", strict=False)
    return (born - pl.date(1899, 12, 30)).dt.total_days().cast(pl.String)


def _texts() -> dict[str, Effect]:
    """Quirks 1, 3, 4 and 27: characters."""
    has_lot = lot.fill_null("") != ""
    return {
        "newline_in_quotes": Effect(change={"notes": pl.lit("窓口にて\r\n聴取済")}),
        "nul_padding": Effect(eligible=has_lot, change={"lot": lot + "\0\0"}),
        "gaiji": Effect(eligible=has_lot, change={"lot": lot + "\ue012"}),
        "gaiji_name": Effect(change={"name": pl.col("name") + "\ue0a9"}),
        "variation_selector": Effect(eligible=has_lot, change={"lot": lot + "\U000e0100"}),
        "beyond_bmp": Effect(change={"name": "𠮷" + pl.col("name"), "lot": lot + "𠮷"}),
        "full_width_lot": Effect(eligible=has_lot, change={"lot": _wide("lot")}),
        "wave_dash": Effect(
            eligible=has_lot, change={"lot": _wide("lot").str.replace("番地の|番", "－").str.replace("号|番地", "～")}
        ),
        "full_width_codes": Effect(
            eligible=pl.col("sex") != "", change={"sex": _wide("sex"), "resident_type": _wide("resident_type")}
        ),
        "padded_keys": Effect(change={"atena_no": pl.col("atena_no") + "  "}),
        "full_width_keys": Effect(change={"atena_no": _wide("atena_no")}),
        "half_width_kana": Effect(change={"kana": pl.lit("ｷﾘﾜﾀｾ ﾊﾔﾉｽｹ")}),
        "formula_text": Effect(
            eligible=has_lot, change={"notes": pl.lit("=1+1"), "alias": pl.lit("@SUM(A1)"), "lot": "+" + lot}
        ),
    }


def _register_contents() -> dict[str, Effect]:
    """Quirks 8 to 15: contents of the register."""
    address = pl.col("address_code")
    return {
        "blank_sex": Effect(change={"sex": pl.lit("")}),
        "sex_zero": Effect(change={"sex": pl.lit("0")}),
        "no_head": Effect(eligible=pl.col("relationship") == "02", change={"relationship": pl.lit("99")}),
        "check_digit": Effect(
            change={
                "atena_no": pl.col("atena_no").str.slice(0, 14)
                + ((pl.col("atena_no").str.slice(14).cast(pl.Int32) + 5) % 10).cast(pl.String)
            },
            eligible=pl.col("protection") == "0",
        ),
        "expired_stay": Effect(
            eligible=pl.col("stay_expiry").fill_null("") != "", change={"stay_expiry": pl.lit("20190331")}
        ),
        "two_heads": Effect(
            eligible=(pl.col("relationship") == "20") & (pl.col("protection") == "0"),
            change={"relationship": pl.lit("02")},
        ),
        "nationality_on_japanese": Effect(eligible=japanese, change={"nationality": pl.lit("USA")}),
        "no_nationality": Effect(eligible=foreign, change={"nationality": pl.lit("")}),
        "unknown_relationship": Effect(eligible=pl.col("relationship") == "99", change={"relationship": pl.lit("88")}),
        "unknown_status": Effect(eligible=foreign, change={"residence_status": pl.lit("77")}),
        "unknown_reason": Effect(eligible=pl.col("reason").is_in(["44", "45", "49"]), change={"reason": pl.lit("48")}),
        "town_abolished": Effect(change={"address_code": address.str.slice(0, 5) + ABOLISHED}),
        "district_blank": Effect(
            eligible=pl.col("school_district").fill_null("") != "", change={"school_district": pl.lit("")}
        ),
        "district_underivable": Effect(
            eligible=address.str.slice(5) != UNLISTED,
            change={"school_district": pl.lit(""), "address_code": address.str.slice(0, 5) + UNLISTED},
        ),
    }


def _leaks_and_keys() -> dict[str, Effect]:
    """Quirks 5 and 17, on request only: keys that a spreadsheet changed, and identifying numbers in other columns."""
    lost = pl.col("atena_no").str.strip_chars_start("0")
    number = pl.col("my_number")
    return {
        "lost_zeros": Effect(change={"atena_no": lost}),
        "exponent_keys": Effect(change={"atena_no": pl.lit("1.23E+11")}),
        "my_number_in_annex": Effect(change={"annex": "ハイツ凪" + number}),
        "my_number_in_notes": Effect(
            change={
                "notes": "個人番号 "
                + number.str.slice(0, 4)
                + "-"
                + number.str.slice(4, 4)
                + "-"
                + number.str.slice(8, 4)
            }
        ),
        "my_number_in_lot": Effect(change={"lot": number}),
        "many_unknown_codes": Effect(eligible=foreign, change={"residence_status": pl.lit("77")}),
    }


EFFECTS = {
    **_texts(),
    **_leaks_and_keys(),
    **_dates(),
    **_register_contents(),
    "older_versions": _older_versions(1),
    "history_gap": _older_versions(3),
    "row_repeated": Effect(append=_repeated),
    "history_conflict": Effect(append=_conflicting),
    "person_twice": Effect(append=_person_twice),
    "departed": Effect(append=_departed),
    "planned_departure": Effect(append=_announced),
    "in_and_out": Effect(append=_passing_through),
    "move_and_return": Effect(append=_move_and_return),
}
"""Quirks of rows."""
