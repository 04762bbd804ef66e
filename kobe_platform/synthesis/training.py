"""Makes up the personnel system's records of training, and the public figures that stand beside them.

Nobody is behind a record: a member of staff is a number, drawn from the city's seed, with a section of ``sections.csv``
and days of courses that never change, so that a month's extract is what was completed by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from kobe_platform.synthesis.identifiers import name_tables
from kobe_platform.vocabulary.courses import load_courses, sections
from kobe_platform.vocabulary.municipality import own

STAFF_PER_RESIDENT = 0.008
"""Some 12,000 of 1.5 million."""
FIRST = np.datetime64("2019-04")
"""Month of the first courses."""
TURNOVER = 0.0025
"""Share of staff that leaves, and is followed by as many, in a month."""
MONTHLY = {
    "security": 0.035,
    "rank": 0.006,
    "statistics": 0.005,
    "policy": 0.002,
    "academy": 0.0008,
    "dashboard": 0.0014,
}
"""Chance of a member of staff to complete a course in a month, by the word that levels know it by."""
RARE, OTHER = 0.0002, 0.002
"""The same for courses of the level A, and for all others."""
PLANNED = {"A": (2021, 3, 2), "B": (2021, 5, 20), "C": (2022, 100, 100)}
"""Level → first fiscal year of the plan, its number then, and how many more each year, for a city of 1,600 staff."""
LAST_YEAR = 2030


@dataclass(frozen=True, eq=False)
class Staff:
    """Staff of a made-up city by number: section, months of coming and leaving, name, and month of each course."""

    section: np.ndarray
    came: np.ndarray
    left: np.ndarray
    name: np.ndarray
    completed: np.ndarray


@lru_cache(maxsize=2)
def _staff(size: int, seed: int) -> Staff:
    """Everybody who ever is on the staff; columns of ``completed`` are the courses of the list, as month numbers."""
    rng = np.random.default_rng([seed, size, *b"staff"])
    codes, months = list(sections()), 12 * (LAST_YEAR + 2 - 2019)
    weights = rng.gamma(4.0, size=len(codes))
    leavers = rng.binomial(size, TURNOVER, months)
    total = size + int(leavers.sum())
    came = np.concatenate([np.full(size, -1), np.repeat(np.arange(months), leavers)])
    left = np.full(total, months)
    left[: int(leavers.sum())] = np.repeat(np.arange(months), leavers)
    keen = rng.gamma(1.2, size=total) / 1.2
    columns = []
    for course in load_courses().courses.values():
        chance = RARE if course.level == "A" else MONTHLY.get(course.counts or "", OTHER)
        waits = rng.exponential(1 / np.maximum(chance * keen, 1e-9))
        columns.append((np.maximum(came, 0) + waits).clip(0, 10_000).astype(np.int64))
    chosen = rng.choice(len(codes), total, p=weights / weights.sum())
    return Staff(np.array(codes)[chosen], came, left, rng.integers(0, 500, total), np.stack(columns, axis=1))


def deliveries(residents: int, seed: int, month: np.datetime64) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Source, kind and rows (text, under the sender's headers) of each delivery of a month's personnel system."""
    size = max(int(residents * STAFF_PER_RESIDENT), 400)
    staff = _staff(size, seed)
    now = int((month - FIRST).astype(np.int64))
    active = (staff.came <= now) & (staff.left > now)
    yield "training_records", "snapshot", _records(staff, active, now, seed)
    yield "staff_headcounts", "public", _headcounts(staff, active)
    yield "training_progress", "public", _progress(size, month)
    yield "course_schedule", "public", _schedule(month)


def _records(staff: Staff, active: np.ndarray, now: int, seed: int) -> pl.DataFrame:
    codes = np.array(list(load_courses().courses))
    people, courses = np.nonzero((staff.completed <= now) & active[:, None])
    when = FIRST + staff.completed[people, courses]
    rng = np.random.default_rng([seed, now + 1_000, *b"records"])
    tables = name_tables()
    surname, given = tables["surname"], tables["male"]
    chosen = staff.name[people]
    name = [f"{surname[int(n) % len(surname)]}　{given[int(n) % len(given)]}" for n in chosen]
    return pl.DataFrame(
        {
            "職員番号": [f"{20_000_000 + 37 * int(n):08d}" for n in people],
            "氏名": name,
            "所属コード": staff.section[people],
            "研修コード": codes[courses],
            "修了年度": [str(_fiscal(month)) for month in when],
            "修了区分": rng.choice(["1", "2", "3", "9"], len(people), p=[0.97, 0.02, 0.008, 0.002]),
        },
        schema_overrides={name: pl.String for name in ("所属コード", "研修コード", "修了区分")},
    ).sort("職員番号", "研修コード")


def _fiscal(month: np.datetime64) -> int:
    day = month.astype(object)
    return day.year - (day.month < 4)


def _headcounts(staff: Staff, active: np.ndarray) -> pl.DataFrame:
    """Staff and sections of each bureau, as the personnel section tells them."""
    codes = pl.Series("section", staff.section[active])
    bureaus = {code: bureau for code, (_, bureau) in sections().items()}
    found = pl.DataFrame({"bureau": codes.replace_strict(bureaus)}).group_by("bureau").len().sort("bureau")
    counted = pl.Series("bureau", list(bureaus.values())).value_counts().sort("bureau")
    rows = [(bureau, "staff", n) for bureau, n in found.iter_rows()]
    rows += [(bureau, "sections", n) for bureau, n in counted.iter_rows()]
    rows += [(own().code, figure, sum(n for _, what, n in rows if what == figure)) for figure in ("staff", "sections")]
    return _texts(rows, ["bureau", "figure", "value"])


def _progress(size: int, month: np.datetime64) -> pl.DataFrame:
    """The plan (its training part) in the size of the city, and the targets of 2030 of all digital staff."""
    scale, this_year = size / 1_600, _fiscal(month)
    rows = []
    for level, (first, start, step) in PLANNED.items():
        rows += [
            (year, level, "planned", max(round((start + step * (year - first)) * scale), 1))
            for year in range(first, LAST_YEAR + 1)
        ]
    targets = {"A": max(size // 100, 1), "B": min(len(sections()), size // 2)}
    targets["C"] = size - sum(targets.values())
    for level, target in targets.items():
        rows.append((LAST_YEAR, level, "target", target))
        years = range(2021, min(this_year, LAST_YEAR) + 1)
        rows += [(year, level, "digital", round(target * 0.06 * (year - 2019))) for year in years]
    return _texts(rows, ["year", "level", "figure", "value"])


def _schedule(month: np.datetime64) -> pl.DataFrame:
    """The courses of the two months after, on made-up days."""
    rows = []
    for place, code in enumerate(load_courses().courses):
        for turn in range(1, 2 + place % 2):
            day = (month + turn).astype("datetime64[D]") + (5 + 3 * place) % 26
            rows.append((code, turn, str(day), 20 + 10 * (place % 4)))
    return _texts(rows, ["course", "turn", "held_on", "seats"])


def _texts(rows: list[tuple], names: list[str]) -> pl.DataFrame:
    return pl.DataFrame([tuple(map(str, row)) for row in rows], schema=names, orient="row")
