"""Reads the courses of staff training, the rule of levels and the city's sections (``courses.toml``, ``sections.csv``).

Which courses make a level is data: a level needs at least one completed course of each of its lists, and whatever the
level below it needs. Fields are those of the hierarchy ``training_field``.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary import codes as vocabulary

NO_LEVEL = "none"
"""Code of a person who has completed courses, but not those of any level."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Course(_Strict):
    """One course of the list.

    Attributes:
        title: its Japanese name.
        field: a code of the hierarchy ``training_field``.
        level: the level that it is meant for; what a person reaches is said by the levels, not by this.
        counts: the word by which levels name it; several courses may share one. Left out: it makes no level.
        join: how to join it, in Japanese, for the page.
    """

    title: str = Field(min_length=1)
    field: str
    level: str
    counts: str | None = None
    join: str = Field(min_length=1)


class LevelRule(_Strict):
    """One level of the rule; the file lists the lowest first.

    Attributes:
        above: the level that it builds on.
        needs: lists of words (``counts`` of courses): of each list one completed course at least.
    """

    above: str | None = None
    needs: tuple[tuple[str, ...], ...] = Field(min_length=1)


class Courses(_Strict):
    """The whole file: ``levels`` from the lowest to the highest, ``courses`` by their code."""

    levels: dict[str, LevelRule]
    courses: dict[str, Course]


def courses_file() -> Path:
    """Where the list is."""
    return vocabulary.LISTS / "courses.toml"


@cache
def load_courses() -> Courses:
    """``assets/vocabulary/courses.toml``.

    Raises:
        ConfigurationError: ``vocabulary.courses`` with the place: a key is missing or unknown; a field, a level or a
            word is named that is not there, so that nobody could ever be counted.
    """
    try:
        with courses_file().open("rb") as file:
            found = Courses.model_validate(tomllib.load(file))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _wrong(".".join(map(str, first["loc"]))) from None
    except (OSError, tomllib.TOMLDecodeError):
        raise _wrong("the file is missing or no TOML") from None
    _judge(found)
    return found


def _judge(found: Courses) -> None:
    words = {course.counts for course in found.courses.values()}
    fields = vocabulary.hierarchies()["training_field"].leaves
    for code, course in found.courses.items():
        if course.field not in fields:
            raise _wrong(f"courses.{code}.field")
        if code not in vocabulary.hierarchies()["course"].leaves:
            raise _wrong(f"courses.{code}: it is not in the hierarchy course")
        if course.level not in found.levels:
            raise _wrong(f"courses.{code}.level")
    lower: list[str] = []
    for name, level in found.levels.items():
        if level.above != (lower[-1] if lower else None):
            raise _wrong(f"levels.{name}.above")
        if any(not alternatives or not set(alternatives) <= words for alternatives in level.needs):
            raise _wrong(f"levels.{name}.needs")
        lower.append(name)


def _wrong(place: str) -> ConfigurationError:
    return ConfigurationError(
        "the list of courses is incomplete",
        code="vocabulary.courses",
        at={"file": "courses.toml", "place": place},
        remedy="give each course title, field (of training_field), level and join; each level the one below it and "
        "needs whose words some course counts as",
        ja="研修の一覧に不備があります",
    )


@cache
def sections() -> Mapping[str, tuple[str, str]]:
    """所属コード → name of the section and code of its bureau (``sections.csv``: ``code, label, bureau``).

    Raises:
        ConfigurationError: a bureau is not in the hierarchy ``bureau``, or the file is missing.
    """
    bureaus = vocabulary.hierarchies()["bureau"].leaves
    try:
        with (vocabulary.LISTS / "sections.csv").open(encoding="utf-8", newline="") as file:
            found = {row["code"]: (row["label"], row["bureau"]) for row in csv.DictReader(file)}
    except (OSError, KeyError):
        raise _wrong_sections("code, label, bureau") from None
    for line, (_, bureau) in enumerate(found.values(), start=2):
        if bureau not in bureaus:
            raise _wrong_sections(f"line {line}, bureau")
    return found


def _wrong_sections(place: str) -> ConfigurationError:
    return ConfigurationError(
        "the list of sections is incomplete",
        code="vocabulary.sections",
        at={"file": "sections.csv", "place": place},
        remedy="write code, label and bureau of each section; a bureau is a code of the hierarchy `bureau`",
        ja="所属の一覧に不備があります",
    )
