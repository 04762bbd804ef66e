"""Quirks of single rows: what the everyday mix (``--dirt``) plants, and what is planted on request only."""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.synthesis import identifiers
from kobe_platform.synthesis.city import RESIDENT, City
from kobe_platform.synthesis.events import MOVE
from kobe_platform.synthesis.layout import MOVEMENTS, REGISTER
from kobe_platform.synthesis.quirks import Quirk
from kobe_platform.synthesis.rows import movement_rows, register_rows

ONLY_REGISTER, ONLY_MOVEMENTS = (REGISTER,), (MOVEMENTS,)
DELIMITED = ("delimited",)
UTF8 = ("utf-8", "utf-8-sig")
_WIDE = {str(digit): chr(0xFF10 + digit) for digit in range(10)}

japanese = pl.col("resident_type") == "1"
foreign = pl.col("resident_type") == "2"
birth = pl.col("birth_date")
known_birth = birth.str.len_chars() >= 7
lot = pl.col("lot")
_era_year = birth.str.slice(1, 2).cast(pl.Int32, strict=False)
_letter = birth.str.slice(0, 1).replace_strict({"1": "M", "2": "T", "3": "S", "4": "H", "5": "R"}, default="S")
_era = birth.str.slice(0, 1).replace_strict({"1": "明治", "2": "大正", "3": "昭和", "4": "平成", "5": "令和"}, default="昭和")
_first_western = birth.str.slice(0, 1).replace_strict({"1": 1867, "2": 1911, "3": 1925, "4": 1988, "5": 2018}, default=1925, return_dtype=pl.Int32)
_western_year = (_first_western + _era_year).cast(pl.String)
_month, _day = birth.str.slice(-4, 2), birth.str.slice(-2, 2)
_born_in = lambda era, low, high: japanese & (birth.str.slice(0, 1) == era) & _era_year.is_between(low, high)  # noqa: E731


def _wide(column: str) -> pl.Expr:
    return pl.col(column).str.replace_many(list(_WIDE), list(_WIDE.values()))


def _departed(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Rows of people who moved out, died or were removed, as they stood last."""
    gone = np.flatnonzero(city.residents.state != RESIDENT)
    chosen = np.sort(rng.choice(gone, min(count, len(gone)), replace=False)).astype(np.int32)
    return register_rows(city, chosen)


def _announced(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Planned departures that lie ahead: the people still live here and leave next month."""
    return movement_rows(city, city.announced).head(count)


def _repeated(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Some of the rows once more."""
    return rows[np.sort(rng.choice(rows.height, min(count, rows.height), replace=False))]


def _conflicting(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    other = pl.when(pl.col("sex") == "1").then(pl.lit("2")).otherwise(pl.lit("1"))
    return _repeated(rows, city, rng, count).with_columns(sex=other)


def _person_twice(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    later = (pl.col("history_no").cast(pl.Int32) + 1).cast(pl.String)
    return _repeated(rows, city, rng, count).with_columns(history_no=later)


def _passing_through(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """In and out on the same day: two events of a person who is on no register at the month's end."""
    arrivals = rows.filter((pl.col("reason") == "01") & (pl.col("protection") == "0"))
    chosen = _repeated(arrivals, city, rng, count)
    strangers = identifiers.atena_numbers(np.arange(chosen.height) + 1_000_000_000)
    chosen = chosen.with_columns(strangers.alias("atena_no"), history_no=pl.lit("1"), household_after=pl.lit("00" + "8" * 10))
    blank = pl.lit(None, dtype=pl.String)
    leaving = chosen.with_columns(
        history_no=pl.lit("2"), reason=pl.lit("21"),
        household_before="household_after", address_before="address_after", lot_before="lot_after", district_before="district_after",
        household_after=blank, address_after=blank, lot_after=blank, district_after=blank,
        destination_planned="counterpart", destination_confirmed="counterpart",
    )  # fmt: skip
    return pl.concat([chosen, leaving])


def _move_and_return(rows: pl.DataFrame, city: City, rng: np.random.Generator, count: int) -> pl.DataFrame:
    """A move to another ward and back on later days: out and in of each ward net to zero."""
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


def _dates() -> list[Quirk]:
    """6 to 8: dates in every form, unknown ones, impossible ones."""
    elder = _born_in("3", 2, 63)
    return [
        Quirk("date_slashes", 6, "N", "生年月日が西暦 1985/04/12", share=2e-3, eligible=elder, change={"birth_date": _western_year + "/" + _month + "/" + _day}, layouts=DELIMITED),
        Quirk("date_hyphens", 6, "N", "生年月日が西暦 1985-04-12", share=1e-3, eligible=elder, change={"birth_date": _western_year + "-" + _month + "-" + _day}, layouts=DELIMITED),
        Quirk("date_era_letter", 6, "N", "生年月日が S60.04.12", share=2e-3, eligible=elder, change={"birth_date": _letter + birth.str.slice(1, 2) + "." + _month + "." + _day}, layouts=DELIMITED),
        Quirk("date_era_kanji", 6, "N", "生年月日が 昭和60年4月12日", share=1e-3, eligible=elder, change={"birth_date": _era + birth.str.slice(1, 2) + "年" + _month.str.strip_chars_start("0") + "月" + _day.str.strip_chars_start("0") + "日"}, layouts=DELIMITED),
        Quirk("era_overrun", 6, "N", "元号の期限を過ぎた年（昭和65年＝平成2年）", share=1e-3, eligible=_born_in("4", 2, 20), change={"birth_date": "3" + (_era_year + 63).cast(pl.String) + _month + _day}),
        Quirk("heisei_overrun", 6, "N", "平成31年5月以後（＝令和）", share=1e-3, eligible=_born_in("5", 2, 9), change={"birth_date": "4" + (_era_year + 30).cast(pl.String) + _month + _day}),
        Quirk("date_serial", 6, "N", "表計算ソフトの通し日数（43951）", share=2e-4, eligible=elder, change={"birth_date": _serial()}),
        Quirk("date_ambiguous", 6, "Q", "二通りに読める生年月日", share=2e-4, eligible=elder, change={"birth_date": birth.str.slice(1, 2) + _month + _day}),
        Quirk("birth_day_unknown", 7, "N", "生年月日の日が不詳（00）", share=1e-3, eligible=japanese & known_birth, change={"birth_date": birth.str.slice(0, 5) + "00", "birth_unknown": pl.lit("1")}),
        Quirk("birth_month_unknown", 7, "N", "生年月日の月日が不詳（99）", share=5e-4, eligible=japanese & known_birth, change={"birth_date": birth.str.slice(0, 3) + "9999", "birth_unknown": pl.lit("2")}),
        Quirk("birth_foreign_unknown", 7, "N", "外国人の生年月日の月日が不詳（0000）", share=5e-4, eligible=foreign & known_birth, change={"birth_date": birth.str.slice(0, 4) + "0000", "birth_unknown": pl.lit("2")}),
        Quirk("birth_unknown", 7, "N", "生年月日がすべて不詳", share=5e-5, eligible=japanese & known_birth, change={"birth_date": pl.lit("0000000"), "birth_unknown": pl.lit("3")}),
        Quirk("birth_text", 7, "N", "「昭和30年頃」「不詳」などの文言", share=2e-4, eligible=elder, change={"birth_date": _era + birth.str.slice(1, 2) + "年頃", "birth_unknown": pl.lit("2")}, layouts=DELIMITED),
        Quirk("birth_future", 8, "Q", "生年月日が基準日より後", share=2e-4, eligible=japanese & known_birth, change={"birth_date": pl.lit("5500101")}),
        Quirk("too_old", 8, "Q", "120歳を超える", share=5e-5, eligible=japanese & known_birth, change={"birth_date": "125" + _month + _day}),
    ]  # fmt: skip


def _serial() -> pl.Expr:
    born = pl.concat_str(_western_year, _month, _day).str.to_date("%Y%m%d", strict=False)
    return (born - pl.date(1899, 12, 30)).dt.total_days().cast(pl.String)


def _texts() -> list[Quirk]:
    """1, 3, 4, 27: characters."""
    has_lot = lot.fill_null("") != ""
    return [
        Quirk("newline_in_quotes", 1, "N", "引用符の中の改行", ONLY_REGISTER, share=1e-3, change={"notes": pl.lit("窓口にて\r\n聴取済")}, layouts=DELIMITED),
        Quirk("nul_padding", 1, "N", "値の後ろの NUL", ONLY_REGISTER, share=1e-3, eligible=has_lot, change={"lot": lot + "\0\0"}),
        Quirk("gaiji", 3, "W", "外字（番地）", ONLY_REGISTER, share=3e-4, eligible=has_lot, change={"lot": lot + "\ue012"}),
        Quirk("gaiji_name", 3, "N", "外字（氏名：読まない項目）", ONLY_REGISTER, share=2e-3, change={"name": pl.col("name") + "\ue0a9"}),
        Quirk("variation_selector", 3, "N", "異体字セレクタ", ONLY_REGISTER, eligible=has_lot, change={"lot": lot + "\U000e0100"}, encodings=UTF8),
        Quirk("beyond_bmp", 3, "N", "サロゲートペアの文字", ONLY_REGISTER, change={"name": "𠮷" + pl.col("name"), "lot": lot + "𠮷"}, encodings=UTF8),
        Quirk("full_width_lot", 4, "N", "番地が全角数字", ONLY_REGISTER, share=0.08, eligible=has_lot, change={"lot": _wide("lot")}),
        Quirk("wave_dash", 4, "N", "番地の波ダッシュと全角ハイフン", ONLY_REGISTER, share=0.01, eligible=has_lot, change={"lot": _wide("lot").str.replace("番地の|番", "－").str.replace("号|番地", "～")}),
        Quirk("full_width_codes", 4, "N", "コードが全角", share=1e-3, eligible=pl.col("sex") != "", change={"sex": _wide("sex"), "resident_type": _wide("resident_type")}, layouts=DELIMITED),
        Quirk("padded_keys", 4, "N", "キーの後ろの空白", share=5e-4, change={"atena_no": pl.col("atena_no") + "  "}, layouts=DELIMITED),
        Quirk("full_width_keys", 4, "N", "キーが全角数字", share=2e-4, change={"atena_no": _wide("atena_no")}, layouts=DELIMITED),
        Quirk("half_width_kana", 4, "N", "フリガナが半角カナ", ONLY_REGISTER, share=5e-3, change={"kana": pl.lit("ｷﾘﾜﾀｾ ﾊﾔﾉｽｹ")}),
        Quirk("formula_text", 27, "N", "= + - @ で始まる値", ONLY_REGISTER, share=5e-4, eligible=has_lot, change={"notes": pl.lit("=1+1"), "alias": pl.lit("@SUM(A1)"), "lot": "+" + lot}),
    ]  # fmt: skip


def _register_contents() -> list[Quirk]:
    """8 to 15: contents of the register."""
    address = pl.col("address_code")
    return [
        Quirk("blank_sex", 0, "N", "性別が空白", share=5e-5, change={"sex": pl.lit("")}),
        Quirk("sex_zero", 0, "N", "性別が 0（不明）", share=5e-5, change={"sex": pl.lit("0")}),
        Quirk("history_gap", 10, "W", "履歴番号の飛び", ONLY_MOVEMENTS, share=2e-3, change={"history_no": (pl.col("history_no").cast(pl.Int32) + 40).cast(pl.String)}, eligible=pl.col("cancels_history_no").is_null() & (pl.col("reason") == "44")),
        Quirk("no_head", 10, "W", "世帯主のいない世帯", ONLY_REGISTER, share=5e-4, eligible=pl.col("relationship") == "02", change={"relationship": pl.lit("99")}),
        Quirk("check_digit", 10, "W", "宛名番号の検査数字の誤り", ONLY_REGISTER, share=2e-4, change={"atena_no": pl.col("atena_no").str.slice(0, 14) + ((pl.col("atena_no").str.slice(14).cast(pl.Int32) + 5) % 10).cast(pl.String)}, eligible=pl.col("protection") == "0"),
        Quirk("expired_stay", 10, "W", "在留期間の満了後", ONLY_REGISTER, share=2e-3, eligible=pl.col("stay_expiry").fill_null("") != "", change={"stay_expiry": pl.lit("20190331")}),
        Quirk("two_heads", 11, "Q", "世帯主が二人", ONLY_REGISTER, share=2e-4, eligible=(pl.col("relationship") == "20") & (pl.col("protection") == "0"), change={"relationship": pl.lit("02")}),
        Quirk("nationality_on_japanese", 11, "Q", "日本人に国籍・地域", share=2e-4, eligible=japanese, change={"nationality": pl.lit("USA")}),
        Quirk("no_nationality", 11, "Q", "外国人の国籍・地域が空白", share=2e-5, eligible=foreign, change={"nationality": pl.lit("")}),
        Quirk("unknown_relationship", 12, "W", "続柄が一覧にない", ONLY_REGISTER, share=3e-4, eligible=pl.col("relationship") == "96", change={"relationship": pl.lit("88")}),
        Quirk("unknown_status", 12, "W", "在留資格が一覧にない", ONLY_REGISTER, share=5e-5, eligible=foreign, change={"residence_status": pl.lit("77")}),
        Quirk("unknown_reason", 12, "W", "異動事由が一覧にない", ONLY_MOVEMENTS, share=2e-4, eligible=pl.col("reason").is_in(["44", "45", "49"]), change={"reason": pl.lit("48")}),
        Quirk("town_abolished", 14, "W", "廃止された町", ONLY_REGISTER, share=3e-4, change={"address_code": address.str.slice(0, 5) + "980001"}),
        Quirk("district_blank", 15, "N", "小学校区が空白（導出できる）", ONLY_REGISTER, share=0.01, eligible=address.str.slice(5) != "990000", change={"school_district": pl.lit("")}),
        Quirk("district_underivable", 15, "W", "小学校区が空白で導出できない", ONLY_REGISTER, share=1e-3, count=200, eligible=address.str.slice(5) != "990000", change={"school_district": pl.lit(""), "address_code": address.str.slice(0, 5) + "990000"}),
    ]  # fmt: skip


def _leaks_and_keys() -> list[Quirk]:
    """5 and 17, on request only: keys that a spreadsheet touched, numbers where they do not belong."""
    lost = pl.col("atena_no").str.strip_chars_start("0")
    number = pl.col("my_number")
    return [
        Quirk("lost_zeros", 5, "R", "先頭のゼロが落ちたキー", count=50, change={"atena_no": lost}),
        Quirk("exponent_keys", 5, "R", "指数表記のキー（1.23E+11）", count=5, change={"atena_no": pl.lit("1.23E+11")}),
        Quirk("my_number_in_annex", 17, "R", "方書に個人番号", ONLY_REGISTER, count=1, change={"annex": "ハイツ凪" + number}),
        Quirk("my_number_in_notes", 17, "R", "備考に個人番号", ONLY_REGISTER, count=1, change={"notes": "個人番号 " + number.str.slice(0, 4) + "-" + number.str.slice(4, 4) + "-" + number.str.slice(8, 4)}),
        Quirk("my_number_in_lot", 17, "R", "番地に個人番号", ONLY_REGISTER, count=1, change={"lot": number}),
        Quirk("many_unknown_codes", 12, "R", "一覧にない在留資格が多い", ONLY_REGISTER, count=10**9, eligible=foreign, change={"residence_status": pl.lit("77")}),
    ]  # fmt: skip


QUIRKS = [
    *_texts(),
    *_leaks_and_keys(),
    *_dates(),
    *_register_contents(),
    Quirk("row_repeated", 9, "N", "同じ行が二度", share=1e-4, append=_repeated),
    Quirk("history_conflict", 9, "R", "同じ履歴番号で内容が違う", (MOVEMENTS, REGISTER), append=_conflicting),
    Quirk("person_twice", 9, "R", "一人が二度（履歴番号違い）", ONLY_REGISTER, append=_person_twice),
    Quirk("departed", 13, "filter", "転出者・死亡者の行が残る", ONLY_REGISTER, share=2e-3, count=20, append=_departed),
    Quirk("planned_departure", 13, "filter", "転出予定（異動日が先）", ONLY_MOVEMENTS, share=0.05, count=20, append=_announced),
    Quirk("in_and_out", 25, "net", "同じ日の転入と転出", ONLY_MOVEMENTS, share=1e-3, append=_passing_through),
    Quirk("move_and_return", 25, "net", "転居して戻り、また転居", ONLY_MOVEMENTS, append=_move_and_return),
]  # fmt: skip
"""Quirks of rows."""
