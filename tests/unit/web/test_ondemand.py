"""The screen of on-demand statistics: the menu's words, quoted answers, and a desk in a process of its own."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.datastructures import FormData

from kobe_platform.governance.trail import note
from kobe_platform.ondemand.jobs import JobOutcome, Jobs
from kobe_platform.ondemand.words import REASONS
from kobe_platform.web import jobs, ondemand
from kobe_platform.web.config import Questions
from tests.unit.web.conftest import post, registered, visitor

NAME = "answer_abcdefghijkl"
TOLD = {
    "answer": NAME, "month": "2025-07", "measure": "residents", "heads": ["区", "住民（人）"],
    "rows": [["<script>西区", 1234], ["北区", "X"]], "facts": {"rows": 2, "suppressed": 1, "minimum_frequency": 10},
}  # fmt: skip


@pytest.fixture
def desk(monkeypatch):
    """What jobs are started with, and which answers are read; each question is answered at once."""
    calls = []

    async def recalled(portal, person, answer):
        calls.append((person.login, answer))
        return TOLD

    monkeypatch.setattr(ondemand, "_recalled", recalled)
    monkeypatch.setattr(jobs, "_start", ends_with(calls, JobOutcome("done", answer=f"{NAME}/2025-07")))
    return calls


def ends_with(calls, outcome):
    """A start of a job that has ended by then."""

    def start(settings, file, login, lock):
        calls.append((login, file.read_text("utf-8")))
        book = Jobs(settings.root)
        book.end(book.of_question(file), outcome)
        return os.getpid()

    return start


def test_the_form_offers_what_a_measure_is_counted_by(app):
    page = visitor(app, "analyst").get("/ondemand?measure=households").text
    assert "世帯人員" in page and "家族類型" in page and "国籍" not in page
    assert "オンデマンド集計" not in visitor(app, "clerk").get("/applications").text


def test_a_question_goes_to_the_desk_and_its_answer_is_shown(app, desk):
    browser = visitor(app, "analyst")
    asked = {"month": "2025-07", "measure": "residents", "dimensions": ["ward", "sex"], "only_sex": "female"}
    answer = post(app, browser, "/ondemand", asked)
    assert answer.status_code == 303 and answer.headers["location"] == f"/ondemand/{NAME}/2025-07"
    login, text = desk[0]
    told = tomllib.loads(text)
    assert login == "analyst" and told["dimensions"] == ["ward", "sex"]
    assert told["filters"] == {"sex": ["female"]}
    page = browser.get(f"/ondemand/{NAME}/2025-07").text
    assert "&lt;script&gt;" in page and "<script>" not in page and "1,234" in page and ">X<" in page
    file = browser.get(f"/ondemand/{NAME}/2025-07.csv")
    assert file.content.startswith("\ufeff区,".encode()) and file.headers["content-disposition"].startswith(
        "attachment"
    )


def test_names_that_no_answer_has_never_reach_the_desk(app, desk):
    browser = visitor(app, "analyst")
    for place in (
        "x/2025-07",
        f"{NAME}/2025-7",
        f"{NAME}/2025-07.exe",
        "answer_ABCDEFGHIJKL/2025-07",
        "--help/2025-07",
    ):
        assert browser.get(f"/ondemand/{place}").status_code == 404
    assert desk == []


def test_what_a_reader_writes_stays_text_in_the_question():
    wild = '"]\n[filters]\nx = ["y'
    form = FormData([("month", wild), ("dimensions", wild), (f"only_{wild}", wild), ("measure", "\\"), ("sql", "x")])
    told = tomllib.loads(ondemand._question(form))
    assert told["month"] == wild and told["dimensions"] == [wild] and told["filters"] == {wild: [wild]}
    assert set(told) == {"month", "measure", "application", "dimensions", "filters"} and told["measure"] == "\\"


@pytest.mark.slow
def test_the_desk_is_a_process_of_its_own_that_says_what_is_wrong(build):
    """The real one: there are no keys in this installation. However busy the machine, its words are waited for."""
    app = registered(build(questions=Questions(straight_seconds=30)))
    answer = post(app, visitor(app, "analyst"), "/ondemand", {"month": "2025-07", "measure": "residents"})
    assert answer.status_code == 422 and 'role="alert"' in answer.text


@pytest.mark.slow
def test_the_months_questions_are_listed(app):
    database = app.state.portal.database
    detail = {"month": "2025-07", "measure": "residents", "dimensions": ["ward"], "filters": {}}
    note(database, "analyst", "ondemand", f"{NAME}/2025-07", detail=detail, now=datetime.now(UTC))
    note(database, "analyst", "ondemand", outcome="refused", detail={"code": "ondemand.unsafe"})
    refused = {**detail, "code": "lake.changed", "dimensions": ["ward", "sex"]}
    note(database, "analyst", "ondemand", outcome="refused", detail=refused)
    overtaken = {**detail, "code": "ondemand.overtaken"}
    note(database, "analyst", "ondemand", outcome="refused", detail=overtaken)
    page = visitor(app, "analyst").get("/ondemand").text
    assert f'href="/ondemand/{NAME}/2025-07"' in page and "あと28回" in page, (
        "what tells of the data alone is not counted"
    )
    assert REASONS["ondemand.overtaken"] in page
    assert REASONS["ondemand.unsafe"] in page and f"住民（区・性別）：{REASONS['lake.changed']}" in page
    assert "ondemand.unsafe" not in page and "lake.changed" not in page


def test_a_refusal_offers_the_nearest_question_as_one_press(app, monkeypatch):
    asked = []
    near = {"month": "2025-07", "measure": "residents", "dimensions": ["ward", "age10"], "filters": {"age10": ["0-9"]}}

    refused = JobOutcome("ondemand.unsafe", "回答できません", offer=near)
    monkeypatch.setattr(jobs, "_start", ends_with(asked, refused))
    browser = visitor(app, "analyst")
    first = {"month": "2025-07", "measure": "residents", "dimensions": ["district", "age5"]}
    page = post(app, browser, "/ondemand", first)
    assert page.status_code == 422 and "回答できません" in page.text and "ondemand.unsafe" not in page.text
    offered = page.text.split('action="/ondemand"')[1].split("</form>")[0]
    assert "住民（区・年齢（10歳階級））を集計する" in offered
    pressed: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', offered):
        pressed.setdefault(name, []).append(value)
    monkeypatch.setattr(jobs, "_start", ends_with(asked, JobOutcome("done", answer=f"{NAME}/2025-07")))
    assert post(app, browser, "/ondemand", pressed).status_code == 303
    told = tomllib.loads(asked[1][1])
    assert {key: told[key] for key in near} == near


def test_every_refusal_has_japanese_words():
    """No screen shows a code: each that asking can end with has a reason."""
    folder = Path(ondemand.__file__).parents[1] / "ondemand"
    text = "\n".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r'(?:code=|, |= )"(ondemand\.\w+)"', text)) | {
        f"ondemand.{code}" for code in re.findall(r'_refused\(\s*"(\w+)"', text)
    }
    assert len(codes) > 12 and codes - {"ondemand.menu", "ondemand.cancel", "ondemand.quota"} <= set(REASONS)
