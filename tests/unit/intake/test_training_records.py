"""Completed courses of the staff become levels: one person once, small bureaus not apart, names and numbers nowhere."""

from __future__ import annotations

import re
import shutil
from itertools import count

import numpy as np
import polars as pl
import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.courses import courses_html
from kobe_platform.lounge.release import sources_digest
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_group, groups, load_statistics
from kobe_platform.statistics.select import sources
from kobe_platform.synthesis import training
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary import courses as listed

from .handmade import abstracted, taken

CONTRACT = load_contracts(Settings().contracts)["training_records"]
TABLES = groups(load_statistics(Settings().statistics).values())["training/month"]
SECURITY, STATISTICS, RANK, DASHBOARD, RIDX = "4010", "1010", "3030", "5030", "8020"
CACHES = (vocabulary.hierarchies, vocabulary.codes_of, listed.load_courses, listed.sections, sources._source)


def person(number: int, *courses: str, section: str = "020100", year: str = "2024") -> list[dict[str, str]]:
    """A member of staff with these courses completed."""
    base = {"staff_no": f"{number:08d}", "name": "霧渡瀬　颯之助", "section": section, "completion": "1"}
    return [{**base, "course": course, "year": year} for course in courses]


def lake(tmp_path, *people: list[dict[str, str]]) -> pl.DataFrame:
    return abstracted(tmp_path, CONTRACT, [row for rows in people for row in rows]).frame


def level_of(tmp_path, *courses: str) -> str:
    """The level that the only person reached who is counted."""
    [level] = lake(tmp_path, person(1, *courses)).filter("is_counted")["level"]
    return level


@pytest.mark.parametrize(
    ("courses", "level"),
    [
        ((SECURITY,), "none"),
        ((STATISTICS, RANK), "none"),
        ((SECURITY, STATISTICS), "C"),
        ((SECURITY, RANK), "C"),
        ((STATISTICS, DASHBOARD), "none"),
        ((SECURITY, STATISTICS, DASHBOARD), "B"),
        ((SECURITY, STATISTICS, RIDX), "C"),
        ((SECURITY, STATISTICS, DASHBOARD, RIDX), "A"),
    ],
)
def test_a_level_is_what_the_completed_courses_make_it(tmp_path, courses, level):
    assert level_of(tmp_path, *courses) == level


def test_one_person_counts_once_at_the_highest_level_and_once_a_field(tmp_path):
    frame = lake(tmp_path, person(1, SECURITY, STATISTICS, "1020", "1020"), person(2, SECURITY))
    assert sorted(frame.filter("is_counted")["level"]) == ["B", "none"]
    best = frame.filter("is_field_best").sort("field", "course_level").select("field", "course_level").rows()
    assert best == [("security", "C"), ("security", "C"), ("statistics", "B")]


def test_a_course_that_was_not_completed_makes_no_level(tmp_path):
    rows = person(1, SECURITY, STATISTICS)
    rows[1]["completion"] = "2"
    result = abstracted(tmp_path, CONTRACT, rows)
    assert result.frame.filter("is_counted")["level"].to_list() == ["none"]
    assert result.facts["filtered"] == {"completion.under_way": 1}


def test_a_bureau_of_fewer_than_thirty_has_no_code_of_its_own_and_a_section_counts_once(tmp_path):
    number = count(1)
    large = [person(next(number), SECURITY, STATISTICS, DASHBOARD) for _ in range(30)]
    small = [person(next(number), SECURITY, section="190100") for _ in range(29)]
    frame = lake(tmp_path, *large, *small)
    counted = frame.filter("is_counted")
    assert dict(counted["bureau"].value_counts().rows()) == {"02": 30, "unknown": 29}
    assert frame["leads_section"].sum() == 1


def test_a_section_or_a_course_that_no_list_has_is_counted_as_unknown(tmp_path):
    rows = [*person(1, SECURITY, section="999999"), *person(2, SECURITY), *person(3, "9999")]
    assert abstracted(tmp_path, CONTRACT, rows).facts["warned"] == {"code.unknown": 2}


def test_of_a_person_only_a_pseudonym_stays(tmp_path):
    rows = person(20_000_037, SECURITY, STATISTICS)
    raw, frame = taken(tmp_path / "raw", CONTRACT, rows).frame, lake(tmp_path / "lake", rows)
    assert "name" not in raw.columns and not {"name", "staff_no", "section", "course"} & set(frame.columns)
    assert frame["staff_id"].n_unique() == 1 and "20000037" not in frame.write_csv()


def test_holders_of_the_highest_level_are_in_no_table_by_bureau():
    by_bureau = [table for table in TABLES if "bureau" in table.dimensions.values()]
    assert len(by_bureau) == 2
    for table in by_bureau:
        [hierarchy] = [name for name in table.dimensions.values() if name != "bureau"]
        assert "A" not in vocabulary.hierarchies()[hierarchy].leaves


def test_the_page_lists_every_course_with_how_to_join_it():
    page = (Settings().dashboards / "pages" / "staff_training.md").read_text("utf-8")
    assert "<Courses/>" in page
    fields, levels = (vocabulary.hierarchies()[name] for name in ("training_field", "course_level"))
    for course in listed.load_courses().courses.values():
        row = (fields.label(course.field), levels.label(course.level), course.title, course.join)
        assert f"<tr>{''.join(f'<td>{told}</td>' for told in row)}</tr>" in courses_html()


def test_the_courses_of_the_schedule_are_those_of_the_list():
    assert set(vocabulary.hierarchies()["course"].leaves) == set(listed.load_courses().courses)


@pytest.fixture
def vocabulary_of_its_own(tmp_path, monkeypatch):
    """A copy of the vocabulary that a test changes; whatever was read of the project's is read again."""
    folder = tmp_path / "vocabulary"
    shutil.copytree(vocabulary.LISTS, folder)
    monkeypatch.setattr(vocabulary, "LISTS", folder)
    for cache in CACHES:
        cache.cache_clear()
    yield folder
    monkeypatch.undo()
    for cache in CACHES:
        cache.cache_clear()


def with_field(folder):
    """A field 生成AI with one course, in the two files that a city changes."""
    path = folder / "hierarchies.toml"
    text = path.read_text("utf-8").replace('university = "大学との連携"', 'university = "大学との連携", ai = "生成AI"')
    text = re.sub(r'(source = "course"\ncodes = \{ )', r'\g<1>9010 = "生成AI研修", ', text)
    path.write_text(text, "utf-8")
    with (folder / "courses.toml").open("a", encoding="utf-8") as file:
        file.write('\n[courses.9010]\ntitle = "生成AI研修"\nfield = "ai"\nlevel = "C"\njoin = "庁内研修システム"\n')


def test_a_training_field_is_added_by_data_files_alone(tmp_path, vocabulary_of_its_own):
    with_field(vocabulary_of_its_own)
    tables = groups(load_statistics(Settings().statistics).values())["training/month"]
    people = [person(number, SECURITY, "9010") for number in range(12)]
    rows = [row for one in people for row in one]
    frame = abstracted(tmp_path, load_contracts(Settings().contracts)["training_records"], rows).frame
    cells = compute_group(tables, {"training_records": frame}, None).cells["training_field_year"]
    assert cells.filter(field="ai").rows() == [("ai", "C", "2024", 12)]


def test_a_course_that_is_added_stands_on_the_page_and_builds_it_again(vocabulary_of_its_own):
    before = sources_digest(Settings().dashboards)
    with_field(vocabulary_of_its_own)
    assert sources_digest(Settings().dashboards) != before
    rows = courses_html().split("<tr>")
    assert rows[-1].startswith("<td>生成AI</td><td>C 初級</td><td>生成AI研修</td><td>庁内研修システム</td>")


def test_a_course_cannot_put_markup_into_the_page(vocabulary_of_its_own):
    with_field(vocabulary_of_its_own)
    path = vocabulary_of_its_own / "courses.toml"
    path.write_text(path.read_text("utf-8").replace('title = "生成AI研修"', 'title = "<b>x"'), "utf-8")
    assert "&lt;b&gt;x" in courses_html() and "<b>" not in courses_html()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('field = "security"', 'field = "safety"', "courses.4010.field"),
        ('needs = [["security"], ', 'needs = [["safety"], ', "levels.C.needs"),
        ('above = "C"', 'above = "A"', "levels.B.above"),
        ("[courses.4010]", "[courses.4011]", "courses.4011: it is not in the hierarchy course"),
    ],
)
def test_a_list_that_could_count_nobody_is_refused_with_its_place(vocabulary_of_its_own, old, new, place):
    path = vocabulary_of_its_own / "courses.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        listed.load_courses()
    assert (caught.value.code, caught.value.at["place"]) == ("vocabulary.courses", place)


def test_the_made_up_staff_is_the_same_for_the_same_seed_and_grows_only_by_what_is_completed():
    def records(month: str) -> pl.DataFrame:
        made = training.deliveries(5_000, 3, np.datetime64(month))
        return next(rows for source, _, rows in made if source == "training_records")

    assert records("2025-08").equals(records("2025-08"))
    key = ["職員番号", "研修コード", "修了年度"]
    earlier, later = records("2025-08"), records("2025-09")
    stayed = earlier.filter(pl.col("職員番号").is_in(later["職員番号"].implode()))
    assert stayed.join(later, on=key, how="anti").is_empty() and later.height > stayed.height


def test_targets_of_a_small_made_up_city_are_no_less_than_zero():
    for residents in (5_000, 20_000, 60_000):
        told = {source: rows for source, _, rows in training.deliveries(residents, 0, np.datetime64("2025-07"))}
        assert told["training_progress"]["value"].cast(pl.Int64).min() >= 0, residents
