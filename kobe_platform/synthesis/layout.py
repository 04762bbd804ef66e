"""Lists the items of the extracts that the synthetic core system writes: their order, headers and widths.

The contracts in ``assets/contracts`` describe the same form for the receiver; a test compares the two.
"""

from __future__ import annotations

REGISTER = "resident_register"
MOVEMENTS = "resident_movements"
TOWNS = "town_districts"
ESTIMATES = "estimated_population"
HISTORY = "population_history"
SOURCES = (REGISTER, MOVEMENTS, TOWNS, ESTIMATES, HISTORY)
KINDS = {REGISTER: "snapshot", MOVEMENTS: "events", TOWNS: "public", ESTIMATES: "public", HISTORY: "public"}

_REGISTER_ITEMS = """
atena_no 宛名番号 15
household_no 世帯番号 12
history_no 履歴番号 5
my_number 個人番号 12
resident_code 住民票コード 11
residence_card_no 在留カード等番号 12
name 氏名 60
kana フリガナ 60
maiden_name 旧氏 30
alias 通称 60
domicile 本籍 120
domicile_head 筆頭者 40
annex 方書 60
phone 電話番号 13
account 口座番号 20
notes 備考 60
lot 番地 40
resident_type 住民種別 1
resident_state 住民状態 1
birth_date 生年月日 8
birth_unknown 生年月日不詳区分 1
sex 性別 1
relationship 続柄 8
address_code 住所コード 11
postal_code 郵便番号 7
school_district 小学校区 4
nationality 国籍・地域 3
residence_status 在留資格 2
stay_expiry 在留期間満了日 8
became_resident_on 住民となった日 8
moved_in_on 住所を定めた日 8
foreign_since 外国人住民となった日 8
previous_address 転入前住所 5
protection 支援措置区分 1
"""
_MOVEMENT_ITEMS = """
atena_no 宛名番号 15
history_no 履歴番号 5
household_before 世帯番号（前） 12
household_after 世帯番号（後） 12
reason 異動事由 2
event_on 異動日 8
filed_on 届出日 8
processed_on 処理日 8
cancels_history_no 取消対象履歴番号 5
address_before 住所コード（前） 11
lot_before 番地（前） 40
district_before 小学校区（前） 4
address_after 住所コード（後） 11
lot_after 番地（後） 40
district_after 小学校区（後） 4
counterpart 相手地域 5
destination_planned 転出先（予定） 5
destination_confirmed 転出先（確定） 5
immigration_notice 法務省通知区分 1
birth_date 生年月日 8
birth_unknown 生年月日不詳区分 1
sex 性別 1
resident_type 住民種別 1
nationality 国籍・地域 3
residence_status 在留資格 2
protection 支援措置区分 1
"""


def _items(text: str) -> tuple[tuple[str, str, int], ...]:
    rows = (line.split() for line in text.strip().splitlines())
    return tuple((identifier, header, int(width)) for identifier, header, width in rows)


ITEMS = {REGISTER: _items(_REGISTER_ITEMS), MOVEMENTS: _items(_MOVEMENT_ITEMS)}
"""Source → (id, Japanese header, width in bytes) of each item, in the extract's order."""


def headers(source: str) -> dict[str, str]:
    """Item id → header of a personal source; public ones are headed by their ids."""
    return {identifier: header for identifier, header, _ in ITEMS[source]}


def widths(source: str) -> dict[str, int]:
    """Item id → width in bytes of the fixed layout."""
    return {identifier: width for identifier, _, width in ITEMS[source]}
