"""Writes the list of courses for the page of staff training: every course with its field, its level and how to join."""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.courses import load_courses

COURSES = "Courses"
"""The component that shows the list."""
HEADS = ("分野", "段階", "研修", "申し込み方")


def course_inserts(tags: Collection[str]) -> dict[str, str]:
    """Ready HTML for the component, as far as a page has it."""
    return {COURSES: courses_html()} if COURSES in tags else {}


def courses_html() -> str:
    """A table of all courses of ``courses.toml``, in the order of fields, then of levels, then of codes."""
    fields, levels = hierarchies()["training_field"], hierarchies()["course_level"]
    order = [{code: place for place, code in enumerate(one.leaves)} for one in (fields, levels)]
    courses = load_courses().courses
    listed = sorted(courses, key=lambda code: (order[0][courses[code].field], order[1][courses[code].level], code))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEADS)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(told)}</td>"
            for told in (fields.label(one.field), levels.label(one.level), one.title, one.join)
        )
        + "</tr>"
        for one in (courses[code] for code in listed)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
