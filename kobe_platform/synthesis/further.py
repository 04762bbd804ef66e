"""Makes up extracts of three core systems that know residents by their 宛名番号: 介護保険, 就学, 国民健康保険.

Whom a system knows follows from age and from one number of each person that never changes, so that levels grow with
age, grades go up in April, and a person stays insured until an age or a whim ends it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from kobe_platform.synthesis import identifiers
from kobe_platform.synthesis.city import City, first_day, last_day
from kobe_platform.synthesis.rows import addresses, dates, lots

YEAR = 365.25
CARE_AT = ((60, 0.0), (65, 0.02), (70, 0.045), (75, 0.1), (80, 0.22), (85, 0.44), (90, 0.68), (100, 0.85))
"""Age → share of persons who are certified (介護保険事業状況報告, rounded)."""
CARE_LEVELS = ("11", "12", "21", "22", "23", "24", "25")
NHI_AT = ((0, 0.13), (20, 0.17), (40, 0.18), (58, 0.22), (62, 0.45), (66, 0.68), (74.99, 0.72), (75, 0.0))
"""Age → share of residents who are insured by the city; at 75 all leave."""
DRIFT = 0.004
"""Share of persons who come and of those who leave the insurance in a month."""
TO_SCHOOL = 0.97
"""Share of children who go to a school of the city."""

Delivered = Iterator[tuple[str, str, pl.DataFrame]]


def care(city: City, residents: int) -> Delivered:
    """Certified persons at the month's end, with the level that they had a year before."""
    now = last_day(city.month)
    people = city.stock
    level, before = (_care_level(city, people, day) for day in (now, now - 365))
    held = level >= 0
    rows = {
        **_person(city, people[held], "被保険者番号"),
        "生年月日": dates(city.residents.birth[people[held]]),
        "要介護状態区分": _texts(CARE_LEVELS, level[held]),
        "前年同月の区分": _texts(CARE_LEVELS, before[held]),
    }
    yield "care_certification", "snapshot", pl.DataFrame(rows)


def _care_level(city: City, people: np.ndarray, day: int) -> np.ndarray:
    """Place of the level on a day, -1 for those who are not certified."""
    share = _share(CARE_AT, _ages(city, people, day))
    prone, hard = _numbers(city, "care")[people], _numbers(city, "level")[people]
    progress = np.where(share > 0, 1 - prone / np.maximum(share, 1e-9), 0)
    level = np.clip((7 * (0.7 * hard + 0.5 * progress)).astype(int), 0, 6)
    return np.where(prone < share, level, -1)


def schooling(city: City, residents: int) -> Delivered:
    """Pupils at the month's end by grade, with the address of their household."""
    month = city.month.astype(object)
    start = np.datetime64(f"{month.year - (month.month < 4)}-04", "M")
    people = city.stock
    grade = city.residents.age_on(first_day(start) - 1, people) - 5  # age attained at the end of 31 March
    here = (grade >= 1) & (grade <= 6) & (_numbers(city, "school")[people] < TO_SCHOOL)
    pupils, r, h = people[here], city.residents, city.households
    home = r.household[pupils]
    district = addresses(city, h.plot[home], h.blank[home])[1]
    rows = {
        **_person(city, pupils, None),
        "学校コード": pl.Series(["0"]).gather(np.zeros(len(pupils), dtype=np.uint32)),
        "番地": lots(h.lot[home], h.sub[home]),
        "小学校区": district,
        "学年": pl.Series(grade[here]).cast(pl.String),
        "支援措置区分": pl.Series(r.protection[pupils]).cast(pl.String),
    }
    yield "school_enrolment", "snapshot", pl.DataFrame(rows)


def insurance(city: City, residents: int) -> Delivered:
    """The insured at the month's end, and who came and went in the month."""
    people, r = city.stock, city.residents
    now, then = last_day(city.month), first_day(city.month) - 1
    insured, was = (_is_insured(city, people, day, back) for day, back in ((now, 0), (then, 1)))
    came = r.moved_in[people] > then
    was = was & ~came
    held = people[insured]
    members = {**_person(city, held, "記号番号"), "生年月日": dates(r.birth[held])}
    yield "nhi_members", "snapshot", pl.DataFrame(members)
    changed = people[insured != was]
    gained, moved = insured[insured != was], came[insured != was]
    late = _ages(city, changed, now) >= 75
    other = city.generator("nhi").random(len(changed)) < 0.1
    reason = np.where(
        gained,
        np.where(moved, "12", np.where(other, "19", "11")),
        np.where(late, "22", np.where(other, "29", "21")),
    )
    booked = city.generator("nhi_day").integers(then + 1, now + 1, len(changed))
    number = np.arange(len(changed)) + 1_000_000 * int(city.month.astype(np.int64))
    events = {
        "異動番号": pl.Series(number).cast(pl.String),
        **{name: column for name, column in _person(city, changed, None).items() if name != "住所コード"},
        "異動事由": pl.Series(reason.astype(str)),
        "届出日": dates(booked),
    }
    yield "nhi_changes", "events", pl.DataFrame(events)


def _is_insured(city: City, people: np.ndarray, day: int, back: int) -> np.ndarray:
    turn = (_numbers(city, "nhi")[people] + DRIFT * (int(city.month.astype(np.int64)) - back)) % 1
    return turn < _share(NHI_AT, _ages(city, people, day))


def _person(city: City, people: np.ndarray, number: str | None) -> dict[str, pl.Series]:
    """What every such extract says of a person: numbers, a made-up name, the address code."""
    home = city.residents.household[people]
    code, _ = addresses(city, city.households.plot[home], city.households.blank[home])
    names = identifiers.name_tables()
    name = names["surname"].gather(city.residents.surname[people]) + "　" + names["male"].gather(people % 450)
    columns = {"宛名番号": identifiers.atena_numbers(people)}
    if number:
        columns[number] = pl.Series(people.astype(np.int64) + 70_000_000).cast(pl.String)
    return {**columns, "氏名": name, "住所コード": code}


def _ages(city: City, people: np.ndarray, day: int) -> np.ndarray:
    return (day - city.residents.birth[people].astype(np.int64)) / YEAR


def _share(points: tuple[tuple[float, float], ...], ages: np.ndarray) -> np.ndarray:
    """The share at each age, straight between the points."""
    at, shares = zip(*points, strict=True)
    return np.interp(ages, np.array(at, dtype=float), np.array(shares, dtype=float))


def _numbers(city: City, purpose: str) -> np.ndarray:
    """One number from 0 to 1 of each person who ever was in the city; it is the same in every month."""
    return np.random.default_rng([city.seed, *purpose.encode()]).random(len(city.residents))


def _texts(codes: tuple[str, ...], places: np.ndarray) -> pl.Series:
    """Codes by place; blank where it is negative."""
    return pl.Series([*codes, ""]).gather(np.where(places < 0, len(codes), places).astype(np.uint32))
