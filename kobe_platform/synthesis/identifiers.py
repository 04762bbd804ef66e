"""Makes identifiers for the synthetic city's people: numbers that no real person has, names of made-up syllables.

All of them are computed from the person's or household's index and are not stored. 個人番号 and 住民票コード have a
*wrong* check digit. No two people have the same number of a kind.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

_SURNAME_FIRST = (
    "霧:キリ 凪:ナギ 雫:シズク 蔦:ツタ 鴇:トキ 蛍:ホタル 篝:カガリ 暁:アカツキ 朧:オボロ 澪:ミオ "
    "轍:ワダチ 鐸:タク 碇:イカリ 帆:ホ 櫂:カイ 梶:カジ 鞍:クラ 弓:ユミ 鞠:マリ 笛:フエ 琴:コト "
    "硯:スズリ 筆:フデ 絹:キヌ 綾:アヤ"
)
_SURNAME_SECOND = (
    "渡瀬:ワタセ 之坂:ノサカ 見原:ミハラ 賀江:ガエ 津倉:ツクラ 比良:ヒラ 久留:クル 野辺:ノベ 木庭:キニワ "
    "須川:スガワ 越路:コシジ 鳴門:ナルト 舞台:ブタイ 城戸:キド 沼井:ヌマイ 迫水:サコミズ 羽鳥:ハトリ "
    "塩谷:シオヤ 峯岸:ミネギシ 髙砂:タカサゴ 﨑山:サキヤマ 茅野:カヤノ 柚木:ユノキ 桧垣:ヒガキ"
)
_MALE_FIRST = (
    "颯:ハヤ 凌:リョウ 岳:ガク 朔:サク 蒼:ソウ 慧:ケイ 悠:ユウ 陸:リク 碧:アオ 隼:シュン 櫂:カイ "
    "律:リツ 奏:カナ 暁:アキ 丈:ジョウ"
)
_MALE_SECOND = (
    "之助:ノスケ 一朗:イチロウ 太郎丸:タロウマル 志郎:シロウ 左衛門:ザエモン 吾:ゴ 弥:ヤ 馬:マ 斗:ト "
    "造:ゾウ 彦:ヒコ 成:ナリ 臣:オミ 騎:キ 介:スケ 多聞:タモン 将:マサ 文:フミ 人:ト 樹:キ 明:アキ "
    "輔:スケ 信:ノブ 武:タケ 国:クニ 継:ツグ 道:ミチ 利:トシ 晴:ハル 光:ミツ"
)
_FEMALE_FIRST = (
    "雪:ユキ 千:チ 彩:アヤ 美:ミ 沙:サ 琴:コト 詩:ウタ 結:ユイ 凛:リン 紗:サ 芽:メ 瑠:ル 真:マ 早:サ 珠:タマ"
)
_FEMALE_SECOND = (
    "乃:ノ 緒:オ 絵:エ 代:ヨ 音:ネ 羽:ハ 衣:イ 月:ツキ 香:カ 世:セ 里:サト 帆:ホ 葉:ハ 子:コ "
    "江:エ 奈:ナ 耶:ヤ 希:キ 瀬:セ 織:オリ 実:ミ 花:カ 弥:ミ 里子:リコ 美子:ミコ 津子:ツコ 寿:ス "
    "恵:エ 杜:モリ 雨:ウ"
)
_LATIN_FIRST = ["KA", "TO", "RI", "VE", "SHU", "ZA", "MO", "LE", "BA", "DI", "NU", "HO", "PRA", "GE", "CHA"]
_LATIN_SECOND = ["RANO", "MIRU", "DALE", "VOSH", "TENG", "NARI", "BOLU", "SETH", "KUNA", "LIAM"]
ATENA_WEIGHTS = (2, 3, 4, 5, 6, 7)
MY_NUMBER_WEIGHTS = (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)
"""From the right; order of the ministerial ordinance on 個人番号."""


def _pieces(text: str) -> list[tuple[str, str]]:
    return [(before, after) for before, _, after in (piece.partition(":") for piece in text.split())]


def _combine(first: str, second: str) -> tuple[list[str], list[str]]:
    pairs = [(a, b) for a in _pieces(first) for b in _pieces(second)]
    return [a[0] + b[0] for a, b in pairs], [a[1] + b[1] for a, b in pairs]


@cache
def name_tables() -> dict[str, pl.Series]:
    """Made-up names and their kana: ``surname``, ``male``, ``female`` (indices of ``Residents``), ``latin``."""
    surname, surname_kana = _combine(_SURNAME_FIRST, _SURNAME_SECOND)
    male, male_kana = _combine(_MALE_FIRST, _MALE_SECOND)
    female, female_kana = _combine(_FEMALE_FIRST, _FEMALE_SECOND)
    latin = [a + b for a in _LATIN_FIRST for b in _LATIN_SECOND]
    wide = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x41, 0x5B)})
    tables = {
        "surname": surname, "surname_kana": surname_kana, "male": male, "male_kana": male_kana,
        "female": female, "female_kana": female_kana, "latin": [text.translate(wide) for text in latin],
    }  # fmt: skip
    return {name: pl.Series(name, values) for name, values in tables.items()}


def digits_of(number: np.ndarray, count: int) -> np.ndarray:
    """Decimal digits, ``count`` columns, highest first (uint8)."""
    digits = np.empty((len(number), count), dtype=np.uint8)
    rest = number.astype(np.int64)
    for column in range(count - 1, -1, -1):
        rest, digits[:, column] = np.divmod(rest, 10)
    return digits


def check_digit(digits: np.ndarray, weights: tuple[int, ...]) -> np.ndarray:
    """Modulus-11 check digit: weights from the right, repeated; 0 for a remainder of 0 or 1, else 11 - remainder."""
    count = digits.shape[1]
    total = np.zeros(len(digits), dtype=np.int32)
    for place in range(count):
        total += digits[:, count - 1 - place].astype(np.int32) * weights[place % len(weights)]
    rest = total % 11
    return np.where(rest <= 1, 0, 11 - rest).astype(np.uint8)


def _scattered(index: np.ndarray, digits: int, salt: int) -> np.ndarray:
    """A one-to-one mix of indices into numbers below 10**digits (an affine map; its factor is prime to 10)."""
    space = 10**digits
    return (index.astype(np.int64) * (73_939_133 % space) + salt * 6_700_417) % space


def _joined(digits: np.ndarray, last: np.ndarray) -> pl.Series:
    number = np.zeros(len(digits), dtype=np.int64)
    for column in range(digits.shape[1]):
        number = number * 10 + digits[:, column]
    return text_of(number * 10 + last, digits.shape[1] + 1)


def text_of(number: np.ndarray, width: int) -> pl.Series:
    """Numbers as text with leading zeros."""
    return pl.Series(number.astype(np.int64)).cast(pl.String).str.zfill(width)


def atena_numbers(person: np.ndarray) -> pl.Series:
    """宛名番号: 15 digits, the last a valid check digit."""
    digits = digits_of(1_000_000 + person.astype(np.int64) * 7, 14)
    return _joined(digits, check_digit(digits, ATENA_WEIGHTS))


def household_numbers(household: np.ndarray) -> pl.Series:
    """世帯番号: 12 digits with leading zeros; null for a negative index."""
    text = text_of(2_000_000 + np.maximum(household, 0).astype(np.int64) * 3, 12)
    return (
        text if (household >= 0).all() else text.zip_with(pl.Series(household >= 0), pl.Series([None], dtype=pl.String))
    )


def my_numbers(person: np.ndarray) -> pl.Series:
    """個人番号 of nobody: 12 digits that begin with 9, the check digit wrong."""
    digits = digits_of(9 * 10**10 + _scattered(person, 10, 17), 11)
    wrong = (check_digit(digits, MY_NUMBER_WEIGHTS) + 1 + person % 9) % 10
    return _joined(digits, wrong)


def resident_codes(person: np.ndarray) -> pl.Series:
    """住民票コード of nobody: 11 digits that begin with 9, the check digit wrong."""
    digits = digits_of(9 * 10**9 + _scattered(person, 9, 29), 10)
    wrong = (check_digit(digits, ATENA_WEIGHTS) + 1 + person % 9) % 10
    return _joined(digits, wrong)


def residence_cards(person: np.ndarray) -> pl.Series:
    """在留カード等番号 of nobody: letters that are not issued around eight digits."""
    middle = text_of(_scattered(person, 8, 31), 8)
    return ("ZQ" + middle + "XX").rename("residence_card_no")


@cache
def home_texts() -> dict[str, pl.Series]:
    """Made-up 本籍, 方書 and 備考, as tables to draw from; the first 方書 and 備考 are blank."""
    provinces = ["瀬音県", "碧浜県", "霧生県", "朧月県", "篝火県", "澪標県"]
    towns = ["波野市", "凪原市", "鴇野町", "蔦江町", "櫂浦市", "笛吹野村", "鐸木町", "雫石野市"]
    domicile = [f"{a}{b}字{c}{n}番地" for a in provinces for b in towns for c in "東西南北" for n in range(1, 40)]
    houses = [
        "ハイツ凪",
        "コーポ霧生",
        "メゾン篝",
        "グランド澪",
        "リバーサイド朧",
        "第二鴇荘",
        "パレス櫂",
        "レジデンス暁",
    ]
    annex = ["", *(f"{h}{floor}{room:02d}号" for h in houses for floor in range(1, 13) for room in range(1, 13))]
    notes = [
        "",
        "窓口にて聴取済",
        "郵便返戻あり～要確認",
        "旧字体は①の通り",
        "家屋番号変更につき注意",
        "世帯主へ連絡済み",
    ]
    return {"domicile": pl.Series(domicile), "annex": pl.Series(annex), "notes": pl.Series(notes)}
