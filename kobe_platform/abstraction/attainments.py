"""Derives from the courses that a member of staff completed the highest level, and what is counted once a person.

The extract has one row a person and course. Persons are counted on one of their rows (``is_counted``), a person in a
field on the row of the highest level (``is_field_best``), a section with a holder on one holder's row. A bureau of few
persons has no code of its own in the lake: what share of it was trained would say it of each of them.
"""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Attainment
from kobe_platform.vocabulary.codes import UNKNOWN
from kobe_platform.vocabulary.courses import NO_LEVEL, Courses, load_courses, sections


def derive_attainment(working: Working, column: Attainment) -> None:
    """Field and level of each row's course; on each person's counted row bureau and level reached (研修による到達)."""
    known = load_courses()
    texts = working.texts(column.id)
    unlisted = ~texts.values.is_in([*known.courses])
    if unlisted.any():
        working.warned["code.unknown"] += texts.rows(unlisted)
    listed = sections()
    places = working.texts(column.section)
    unplaced = ~places.values.is_in([*listed])
    if unplaced.any():
        working.warned["code.unknown"] += places.rows(unplaced)
    rows = pl.DataFrame(
        {
            "course": working.text(column.id),
            "person": working.texts(column.person).index,
            "section": working.text(column.section),
            "kept": working.kept,
        }
    ).with_row_index("row")
    fields = {code: course.field for code, course in known.courses.items()}
    levels = {code: course.level for code, course in known.courses.items()}
    words = {code: course.counts for code, course in known.courses.items() if course.counts}
    bureaus = {code: bureau for code, (_, bureau) in listed.items()}
    rows = rows.with_columns(
        field=pl.col("course").replace_strict(fields, default=UNKNOWN, return_dtype=pl.String),
        course_level=pl.col("course").replace_strict(levels, default=UNKNOWN, return_dtype=pl.String),
        word=pl.col("course").replace_strict(words, default=None, return_dtype=pl.String),
        bureau=pl.col("section").replace_strict(bureaus, default=UNKNOWN, return_dtype=pl.String),
    )
    kept = rows.filter("kept")
    persons = _persons(kept, known, column.smallest)
    best = _best_of_field(kept, known)
    leading = _leading(persons, known, column.section_level)
    joined = rows.join(persons, left_on="row", right_on="first", how="left", maintain_order="left", suffix="_of_person")
    counted = joined["level"].is_not_null()
    working.derive(column.to_field, rows["field"])
    working.derive(column.to_course_level, rows["course_level"])
    working.derive(column.to_best, rows["row"].is_in(best.implode()))
    working.derive(column.to_counted, counted)
    working.derive(column.to_level, joined["level"])
    working.derive(column.to_bureau, joined["bureau_of_person"])
    working.derive(column.to_leads, rows["row"].is_in(leading.implode()))


def _persons(kept: pl.DataFrame, known: Courses, smallest: int) -> pl.DataFrame:
    """One row a person: ``first`` (a row), ``section``, ``level``, ``bureau`` (``unknown`` where it is small)."""
    words = sorted({word for level in known.levels.values() for alternatives in level.needs for word in alternatives})
    of_person = kept.group_by("person").agg(
        pl.col("row").min().alias("first"),
        pl.col("section").sort_by("row").first(),
        pl.col("bureau").sort_by("row").first(),
        *((pl.col("word") == word).any().fill_null(False).alias(f"has {word}") for word in words),
    )
    reached = pl.lit(True)
    level = pl.lit(NO_LEVEL)
    for name, rule in known.levels.items():
        parts = (pl.any_horizontal(*(f"has {word}" for word in words)) for words in rule.needs)
        reached = reached & pl.all_horizontal(*parts)
        level = pl.when(reached).then(pl.lit(name)).otherwise(level)
    of_person = of_person.with_columns(level.alias("level"))
    large = pl.len().over("bureau") >= smallest
    bureau = pl.when(large).then("bureau").otherwise(pl.lit(UNKNOWN))
    return of_person.select("first", "section", "level", bureau.alias("bureau"))


def _best_of_field(kept: pl.DataFrame, known: Courses) -> pl.Series:
    """Of each person and field the row with the highest level of course, the first of several."""
    order = {name: place for place, name in enumerate(known.levels)}
    rank = pl.col("course_level").replace_strict(order, default=-1, return_dtype=pl.Int8)
    ranked = kept.with_columns(rank.alias("rank"))
    rows = ranked.sort("person", "field", "rank", "row", descending=[False, False, True, False])
    return rows.unique(["person", "field"], keep="first", maintain_order=True)["row"]


def _leading(persons: pl.DataFrame, known: Courses, least: str) -> pl.Series:
    """One row of each section that has a holder of the level ``least`` or a higher one."""
    names = list(known.levels)
    holders = persons.filter(pl.col("level").is_in(names[names.index(least) :]), pl.col("section") != "")
    return holders.sort("first").unique("section", keep="first", maintain_order=True)["first"]
