"""Writes people and events of the synthetic city as rows of an extract, with text columns as core systems have them."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from kobe_platform.synthesis import identifiers, layout
from kobe_platform.synthesis.city import CHILD, ELDER, FEMALE, MALE, NONE, OTHER, PARTNER, RESIDENT, City
from kobe_platform.synthesis.events import CANCELLATIONS, Events

FIRST_TABLE_DAY = int(np.datetime64("1868-01-25", "D").astype(np.int64))
LAST_TABLE_DAY = int(np.datetime64("2079-12-31", "D").astype(np.int64))
ERAS = ((5, "2019-05-01"), (4, "1989-01-08"), (3, "1926-12-25"), (2, "1912-07-30"), (1, "1868-01-25"))
"""Era digit and first day, latest first."""
LOT_FORMS = ("{}番{}号", "{}番地の{}", "{}番地")


@cache
def day_texts() -> tuple[pl.Series, pl.Series]:
    """Every day since 1868-01-25 in western (``19850412``) and era form (``3600412``); the last of both is blank."""
    days = np.arange(FIRST_TABLE_DAY, LAST_TABLE_DAY + 1).astype("datetime64[D]")
    texts = np.char.replace(np.datetime_as_string(days), "-", "")
    year = texts.astype("U4").astype(int)
    era, of_era = np.ones(len(days), dtype=int), year - 1867
    for digit, first in reversed(ERAS):
        since = days >= np.datetime64(first)
        era = np.where(since, digit, era)
        of_era = np.where(since, year - int(first[:4]) + 1, of_era)
    rest = np.array([text[4:] for text in texts.tolist()])
    old = pl.Series(era).cast(pl.String) + pl.Series(of_era).cast(pl.String).str.zfill(2) + pl.Series(rest)
    return pl.Series([*texts.tolist(), ""]), pl.concat([old, pl.Series([""])])


def dates(day: np.ndarray) -> pl.Series:
    """Days as ``20250731``; blank where ``NONE``."""
    return day_texts()[0].gather(_day_index(day))


def births(day: np.ndarray, foreign: np.ndarray) -> pl.Series:
    """Birth dates: era form of Japanese residents, western form of foreign ones."""
    western, era = day_texts()
    index = _day_index(day) + np.where(foreign, len(western), 0)
    return pl.concat([era, western]).gather(index)


def _day_index(day: np.ndarray) -> np.ndarray:
    blank = LAST_TABLE_DAY - FIRST_TABLE_DAY + 1
    return np.where(day == NONE, blank, np.clip(day.astype(np.int64) - FIRST_TABLE_DAY, 0, blank - 1))


@cache
def _relationships() -> tuple[np.ndarray, pl.Series]:
    """続柄 by (generation of the head, own generation, sex of the own row): an index table and the texts."""
    texts = ["02", "11", "12", "20", "51", "52", "2011", "2012", "2020", "96", "99"]
    index = {text: place for place, text in enumerate(texts)}
    table = np.full((4, 4, 3), index["96"])
    spouse = {MALE: "11", FEMALE: "12"}
    parent = {MALE: "51", FEMALE: "52"}
    in_law = {MALE: "20", FEMALE: "2012"}
    for sex in (MALE, FEMALE):
        table[PARTNER, PARTNER, sex] = table[ELDER, ELDER, sex] = index[spouse[sex]]
        table[PARTNER, ELDER, sex] = table[CHILD, PARTNER, sex] = index[parent[sex]]
        table[PARTNER, CHILD, sex] = index["20"]
        table[ELDER, PARTNER, sex] = index[in_law[sex]]
        table[ELDER, CHILD, sex] = index["2020"]
        table[:, OTHER, sex] = index["99"]
    return table, pl.Series(texts)


def relationships(city: City, people: np.ndarray) -> pl.Series:
    """続柄 codes of ``people``, derived from their generation and that of their household's head."""
    residents = city.residents
    here = np.flatnonzero(residents.state == RESIDENT)
    head_role = np.full(len(city.households), PARTNER, dtype=np.int8)
    heads = here[residents.head[here]]
    head_role[residents.household[heads]] = residents.role[heads]
    table, texts = _relationships()
    home = residents.household[people]
    codes = table[head_role[home], residents.role[people], residents.sex[people]]
    partners = np.bincount(residents.household[here[residents.role[here] == PARTNER]], minlength=len(head_role))
    own_child = (head_role[home] == ELDER) & (residents.role[people] == PARTNER) & (partners[home] == 1)
    codes = np.where(own_child, table[PARTNER, CHILD, MALE], codes)
    return texts.gather(np.where(residents.head[people], 0, codes))


@cache
def _lot_texts() -> pl.Series:
    texts = [form.format(lot, sub + 1) for form in LOT_FORMS for lot in range(100) for sub in range(40)]
    return pl.Series([*texts, ""])


def lots(lot: np.ndarray, sub: np.ndarray) -> pl.Series:
    """番地 as text; a household always writes it in the same way. Blank where ``lot`` is negative."""
    form = (lot.astype(np.int64) * 7 + sub) % 10
    form = np.where(form < 6, 0, np.where(form < 9, 1, 2))
    return _lot_texts().gather(np.where(lot < 0, 3 * 4000, form * 4000 + lot.astype(np.int64) * 40 + sub))


def _table(values, blank: str | None = "") -> pl.Series:
    return pl.Series([*values, blank], dtype=pl.String)


def _draw(table: pl.Series, index: np.ndarray) -> pl.Series:
    """Texts by index; the table's last entry (blank) where the index is negative."""
    return table.gather(np.where(index < 0, len(table) - 1, index).astype(np.uint32))


def _flags(values: np.ndarray) -> pl.Series:
    return pl.Series([str(digit) for digit in range(10)]).gather(values.astype(np.uint32))


def addresses(city: City, plots: np.ndarray, blank: np.ndarray) -> tuple[pl.Series, pl.Series]:
    """住所コード and 小学校区 (blank where the core system left it so); both blank for a negative plot."""
    geography = city.geography
    code = _draw(_table(geography.plot_code.tolist()), plots)
    district = np.where((plots < 0) | blank, -1, geography.plot_district[np.maximum(plots, 0)])
    return code, _draw(_table(geography.districts), district)


def register_rows(city: City, people: np.ndarray | None = None) -> pl.DataFrame:
    """The rows of ``resident_register`` of ``people`` (default: the whole stock), columns in the extract's order."""
    people = city.stock if people is None else people
    r, h = city.residents, city.households
    home = r.household[people]
    code, district = addresses(city, h.plot[home], h.blank[home])
    foreign = r.foreign[people]
    columns = {
        "atena_no": identifiers.atena_numbers(people),
        "household_no": identifiers.household_numbers(home),
        "history_no": pl.Series(r.history[people]).cast(pl.String),
        "my_number": identifiers.my_numbers(people),
        "resident_code": identifiers.resident_codes(people),
        **_personal_texts(city, people),
        "lot": lots(h.lot[home], h.sub[home]),
        "resident_type": _flags(1 + foreign),
        "resident_state": _flags(r.state[people]),
        "birth_date": births(r.birth[people], foreign),
        "birth_unknown": _flags(np.zeros(len(people))),
        "sex": _flags(r.sex[people]),
        "relationship": relationships(city, people),
        "address_code": code,
        "postal_code": pl.Series(city.geography.plot_postal).gather(h.plot[home]),
        "school_district": district,
        "nationality": _draw(_table(city.nationalities), r.nationality[people]),
        "residence_status": _draw(_statuses(), r.status[people]),
        "stay_expiry": dates(r.stay_expiry[people]),
        "became_resident_on": dates(r.became[people]),
        "moved_in_on": dates(r.moved_in[people]),
        "foreign_since": dates(r.foreign_since[people]),
        "previous_address": _draw(_table(city.counterparts), r.previous[people]),
        "protection": _flags(r.protection[people]),
    }
    return pl.DataFrame({name: columns[name] for name in layout.headers(layout.REGISTER)})


@cache
def _statuses() -> pl.Series:
    return _table([f"{code:02d}" for code in range(100)])


def _personal_texts(city: City, people: np.ndarray) -> dict[str, pl.Series]:
    """Columns that no rule reads: names, cards, 本籍, 方書, telephone, account, notes."""
    r = city.residents
    names, texts = identifiers.name_tables(), identifiers.home_texts()
    foreign, male = r.foreign[people], r.sex[people] == MALE
    home = r.household[people].astype(np.int64)
    mixed = people.astype(np.int64) * 2_654_435_761 % 4_294_967_296
    given = np.where(male, r.given[people], len(names["male"]) + r.given[people])
    latin = len(names["male"]) * 2 + (mixed % len(names["latin"]))
    first = pl.concat([names["male"], names["female"], names["latin"]]).gather(np.where(foreign, latin, given))
    first_kana = pl.concat([names["male_kana"], names["female_kana"], names["latin"]]).gather(
        np.where(foreign, latin, given)
    )
    last_index = np.where(foreign, len(names["surname"]) + home % len(names["latin"]), r.surname[people])
    last = pl.concat([names["surname"], names["latin"]]).gather(last_index)
    last_kana = pl.concat([names["surname_kana"], names["latin"]]).gather(last_index)
    married_name = ~male & (mixed % 100 < 3) & ~foreign
    alias = foreign & (mixed % 100 < 25)
    local = names["surname"].gather(mixed % len(names["surname"])) + "　" + names["male"].gather(r.given[people])
    domicile = np.where(foreign, -1, (home * 48_271 + r.surname[people]) % len(texts["domicile"]))
    annex = np.where(home % 100 < 45, 0, home * 69_621 % len(texts["annex"]))
    notes = np.where(mixed % 1000 < 970, 0, mixed % len(texts["notes"]))
    blank = pl.Series([""])
    return {
        "residence_card_no": identifiers.residence_cards(people).zip_with(pl.Series(foreign), blank),
        "name": last + "　" + first,
        "kana": last_kana + "　" + first_kana,
        "maiden_name": _draw(pl.concat([names["surname"], blank]), np.where(married_name, mixed % 600, -1)),
        "alias": local.zip_with(pl.Series(alias), blank),
        "domicile": _draw(pl.concat([texts["domicile"], blank]), domicile),
        "domicile_head": (last + "　" + names["male"].gather(home % 450)).zip_with(pl.Series(~foreign), blank),
        "annex": texts["annex"].gather(annex),
        "phone": ("000-" + identifiers.text_of(mixed % 10_000, 4) + "-" + identifiers.text_of(home % 10_000, 4)),
        "account": "9999" + identifiers.text_of(mixed % 10**10, 10),
        "notes": texts["notes"].gather(notes),
    }


def movement_rows(city: City, events: Events) -> pl.DataFrame:
    """The rows of ``resident_movements`` in the order of ``events``; attributes as they are at the month's end."""
    r, people = city.residents, events.person
    foreign = r.foreign[people]
    code_before, district_before = addresses(city, events.plot_before, events.blank_before)
    code_after, district_after = addresses(city, events.plot_after, events.blank_after)
    counterparts = _table(city.counterparts)
    cancels = np.isin(events.reason, CANCELLATIONS)
    columns = {
        "atena_no": identifiers.atena_numbers(people),
        "history_no": pl.Series(events.history).cast(pl.String),
        "household_before": identifiers.household_numbers(events.household_before).fill_null(""),
        "household_after": identifiers.household_numbers(events.household_after).fill_null(""),
        "reason": _statuses().gather(events.reason),
        "event_on": dates(events.event_on),
        "filed_on": dates(events.filed_on),
        "processed_on": dates(events.processed_on),
        "cancels_history_no": pl.Series(events.cancels).cast(pl.String).zip_with(pl.Series(cancels), pl.Series([""])),
        "address_before": code_before,
        "lot_before": lots(np.where(events.plot_before < 0, -1, events.lot_before), events.sub_before),
        "district_before": district_before,
        "address_after": code_after,
        "lot_after": lots(np.where(events.plot_after < 0, -1, events.lot_after), events.sub_after),
        "district_after": district_after,
        "counterpart": _draw(counterparts, events.counterpart),
        "destination_planned": _draw(counterparts, events.planned),
        "destination_confirmed": _draw(counterparts, events.confirmed),
        "immigration_notice": _flags(events.notice),
        "birth_date": births(r.birth[people], foreign),
        "birth_unknown": _flags(np.zeros(len(people))),
        "sex": _flags(r.sex[people]),
        "resident_type": _flags(1 + foreign),
        "nationality": _draw(_table(city.nationalities), r.nationality[people]),
        "residence_status": _draw(_statuses(), r.status[people]),
        "protection": _flags(r.protection[people]),
    }
    return pl.DataFrame({name: columns[name] for name in layout.headers(layout.MOVEMENTS)})
