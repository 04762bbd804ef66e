"""A release keeps its address for those who may see its pages now, and a page tells what each release changed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import polars as pl
import pytest

from kobe_platform.lounge.changes import TableChange, changes
from kobe_platform.lounge.pruning import prune
from tests.unit.web.conftest import visitor, write_release

PAGE = '<nav class="site-nav">secret page</nav><div class="lounge" id="content">{}</div>'


def site(word: str, *slugs: str) -> dict[str, str]:
    files = {f"{slug}.html": PAGE.format(f"{word} {slug}") for slug in slugs}
    return {**files, **{f"data/{slug}/a.json": json.dumps(word) for slug in slugs}, "search.json": "[]"}


@pytest.fixture
def two(app, settings):
    """Release 2 in force; release 1 showed ``gone`` to all and ``secret`` to staff, which policy alone sees now."""
    old = {
        "staff": site("old", "index", "people", "secret", "gone"),
        "policy": site("old", "index", "people", "secret"),
    }
    new = {"staff": site("new", "index", "people"), "policy": site("new", "index", "people", "secret")}
    write_release(settings.releases, old, "0002-0123456789ab")
    write_release(settings.releases, new, "0003-0123456789ab")
    return app


def test_a_quoted_page_is_shown_again_with_its_release(two):
    browser = visitor(two, "clerk")
    answer = browser.get("/r/0002/people.html")
    assert answer.status_code == 200 and "old people" in answer.text and "第2版" in answer.text
    assert 'href="/people.html">今の版（第3版）を見る' in answer.text
    assert "secret" not in answer.text, "its navigation names pages that the reader may not see now"
    assert browser.get("/r/0002/data/people/a.json").json() == "old"
    assert "new people" in browser.get("/people.html").text


@pytest.mark.parametrize(
    "path",
    [
        "secret.html",
        "data/secret/a.json",
        "gone.html",
        "data/gone/a.json",
        "index.html",
        "",
        "search.json",
        "x/../secret.html",
    ],
)
def test_what_a_reader_may_not_see_now_is_not_shown_of_a_former_release_either(two, path):
    assert visitor(two, "clerk").get(f"/r/0002/{path}").status_code == 404


def test_who_may_see_a_page_sees_its_former_one(two):
    browser = visitor(two, "member")
    assert browser.get("/r/0002/secret.html").status_code == 200
    assert browser.get("/r/0003/").status_code == 200
    assert visitor(two).get("/r/0002/people.html").status_code == 401


@pytest.mark.parametrize("number", ["0001x", "0009", "2", "0002-0123456789ab"])
def test_other_numbers_are_no_releases(two, number):
    assert visitor(two, "member").get(f"/r/{number}/people.html").status_code == 404


def test_a_release_that_was_rolled_back_from_is_not_shown(two, settings):
    link = settings.releases / ".back"
    link.symlink_to("0002-0123456789ab")
    link.replace(settings.releases / "current")
    browser = visitor(two, "member")
    assert browser.get("/r/0003/people.html").status_code == 404
    assert "第3版" not in browser.get("/releases").text


def test_the_list_of_releases_is_newest_first(two):
    told = visitor(two, "clerk").get("/releases").text
    assert told.index("第3版") < told.index("第2版") and 'href="/r/0002/"' in told


def release(tmp_path, name: str, **tables: pl.DataFrame):
    files = {}
    for table, frame in tables.items():
        path = tmp_path / name / f"tables/{table}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)
        files[f"tables/{table}.parquet"] = frame.write_json()
    told = {table: {"title": f"表{table}"} for table in tables}
    return SimpleNamespace(path=tmp_path / name, files=files, tables=told)


def rows(**values):
    told = [
        (f"20{period[1:]}", value, "suppressed" if value is None else "published") for period, value in values.items()
    ]
    return pl.DataFrame(told, schema={"period": pl.String, "value": pl.Int64, "status": pl.String}, orient="row")


def test_new_corrected_and_ended_periods_are_told_apart(tmp_path):
    before = release(tmp_path, "before", a=rows(p23=1, p24=20, p25=None), b=rows(p25=1))
    after = release(tmp_path, "after", a=rows(p24=21, p25=None, p26=4), b=rows(p25=1), c=rows(p25=1))
    assert changes(before, after, ["a", "b", "c", "absent"]) == [
        TableChange("a", "表a", False, ("2026",), ("2024",), ("2023",)),
        TableChange("c", "表c", True),
    ]
    after.tables["c"]["rows"] = 0
    assert [change.name for change in changes(before, after, ["a", "c"])] == ["a"], "what waits for figures is no news"
    hidden = release(tmp_path, "hidden", a=rows(p24=None, p25=None, p26=4))
    assert changes(after, hidden, ["a"])[0].corrected == ("2024",)
    assert changes(after, hidden, []) == []


def test_a_pruned_release_is_listed_and_says_that_it_is_gone(two, settings):
    write_release(settings.releases, {"staff": site("next", "index", "people")}, "0004-0123456789ab")
    assert prune(settings.releases, 2) == ["0001-0123456789ab", "0002-0123456789ab"]
    browser = visitor(two, "clerk")
    gone = browser.get("/r/0002/people.html")
    assert gone.status_code == 410 and "残す期間が過ぎた" in gone.text
    listed = browser.get("/releases").text
    assert "第2版" in listed and "/r/0002/" not in listed and "/r/0003/" in listed
    assert browser.get("/r/0003/people.html").status_code == 200
