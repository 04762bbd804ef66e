"""The pages of a question that takes longer: its owner sees the step, and can stop the refreshing and the question."""

from __future__ import annotations

import subprocess
import tomllib
from threading import Timer

import pytest

from kobe_platform.governance.people import add_person
from kobe_platform.governance.trail import events_of, note
from kobe_platform.ondemand.asking import ACTION, CANCEL, month_begins
from kobe_platform.ondemand.jobs import JobOutcome, Jobs, Limits
from kobe_platform.settings import PROJECT
from kobe_platform.web import jobs as screens
from kobe_platform.web.config import PortalConfig, Questions
from tests.unit.ondemand.test_jobs import heeding
from tests.unit.web.conftest import ORIGIN, post, registered, visitor

ASKED = {"month": "2025-07", "measure": "residents", "dimensions": ["ward", "sex"], "only_sex": ["female"]}


@pytest.fixture
def under_way(build, settings, monkeypatch):
    """A portal that shows the page of a job at once, and a question of the analyst's that is under way."""
    app = registered(build(questions=Questions(straight_seconds=0, per_person=1)))
    started = []

    def start(settings, file, login, lock):
        started.append(subprocess.Popen(["sleep", "60"], pass_fds=(lock,), preexec_fn=heeding))
        return started[-1].pid

    monkeypatch.setattr(screens, "_start", start)
    browser = visitor(app, "analyst")
    answer = post(app, browser, "/ondemand", ASKED)
    yield app, browser, answer.headers["location"]
    for process in started:
        process.kill()
        process.wait()


def test_a_question_that_takes_longer_shows_its_step_and_refreshes_itself(under_way, settings):
    app, browser, place = under_way
    page = browser.get(place)
    assert page.headers["refresh"] == "2" and "順番を待つ" in page.text and "とりやめる" in page.text
    assert "2025-07 住民（区・性別）" in page.text and "秒たちました" in page.text and "<script" not in page.text
    assert "refresh" not in browser.get(f"{place}?still=1").headers
    jobs = Jobs(settings.root)
    (job,) = jobs.of("analyst")
    jobs.tell(jobs.tell(job, "recording"), "counting")
    assert "数え直しています（2回目）" in browser.get(place).text
    jobs.tell(job, "recording")
    assert "とりやめる" not in browser.get(place).text, "what is recorded stands"
    assert place in browser.get("/ondemand").text and "記録する" in browser.get("/ondemand").text
    busy = post(app, browser, "/ondemand", {**ASKED, "dimensions": "ward"})
    assert busy.status_code == 429 and "1件" in busy.text
    jobs.end(job, JobOutcome("done", answer="answer_abcdefghijkl/2025-07"))
    assert browser.get(place).headers["location"] == "/ondemand/answer_abcdefghijkl/2025-07"


def test_a_job_is_there_for_its_owner_alone(under_way):
    """For others, those of the same role too, it looks as if there were none."""
    app, browser, place = under_way
    add_person(app.state.portal.database, "sato", "佐藤", "課", by="test", roles=("analyst",))
    for other in ("sato", "operator"):
        stranger = visitor(app, other)
        absent = stranger.get("/ondemand/jobs/20250101000000000000-0123456789ab")
        assert stranger.get(place).status_code == 404 and stranger.get(place).text == absent.text
        assert post(app, stranger, f"{place}/cancel").status_code == 404
        assert place not in stranger.get("/ondemand").text
    assert browser.post(f"{place}/cancel", headers={"origin": ORIGIN}).status_code == 403, "no form token"
    assert "とりやめる" in browser.get(place).text, "it is still under way"


def test_its_owner_cancels_it_and_can_ask_otherwise(under_way):
    app, browser, place = under_way
    answer = post(app, browser, f"{place}/cancel")
    assert answer.status_code == 303 and answer.headers["location"] == place
    page = browser.get(place).text
    assert "とりやめました" in page and "回数に数えません" in page and "ondemand.cancelled" not in page
    (event,) = events_of(app.state.portal.database, "analyst", CANCEL, month_begins())
    assert event.detail == {"step": "waiting"} and place.endswith(event.object)
    listed = browser.get("/ondemand").text
    assert "とりやめた" in listed and "あと30回" in listed
    form = browser.get(f"/ondemand?job={place.rpartition('/')[2]}").text
    assert 'value="sex" checked' in form and 'name="only_sex" value="female" checked' in form
    post(app, browser, f"{place}/cancel")
    assert len(events_of(app.state.portal.database, "analyst", CANCEL, month_begins())) == 1, (
        "nothing is left to cancel"
    )


def test_a_question_whose_process_is_gone_says_so(under_way, settings):
    _, browser, _ = under_way
    jobs = Jobs(settings.root)
    (job,) = jobs.of("analyst")
    other = jobs.enter("analyst", job.question.replace("2025-07", "2025-06"), Limits(), lambda *_: 0)
    page = browser.get(f"/ondemand/jobs/{other.id}")
    assert "途中で止まった" in page.text and "refresh" not in page.headers


def test_the_documented_defaults_are_those_of_the_portal():
    security = (PROJECT / "docs" / "security.md").read_text("utf-8")
    written = tomllib.loads(security.split("```toml")[1].split("```")[0])["questions"]
    assert written == Questions().model_dump() == PortalConfig().questions.model_dump()
    table = (PROJECT / "docs" / "ondemand.md").read_text("utf-8")
    assert all(f"| `{name}` | {value:g} |" in table for name, value in written.items())


def test_a_control_character_in_a_form_is_no_end_of_the_page(under_way, settings):
    """TOML forbids DEL in a string, which JSON lets stand."""
    app, browser, place = under_way
    post(app, browser, f"{place}/cancel")
    post(app, browser, "/ondemand", {**ASKED, "measure": "residents\x7f"})
    assert Jobs(settings.root).of("analyst")[0].asked["measure"] == "residents\x7f"
    assert browser.get("/ondemand").status_code == 200


def test_a_question_that_was_answered_before_waits_for_its_answer_instead_of_showing_how_far_it_is(
    build, settings, monkeypatch
):
    """Its answer is kept; the process that reads it may take longer to start than other questions are waited for."""
    app = registered(build(questions=Questions(straight_seconds=0.1, per_person=3)))
    browser, answer = visitor(app, "analyst"), "answer_abcdefghijkl/2025-07"

    def start(settings, file, login, lock):
        book = Jobs(settings.root)
        Timer(0.6, lambda: book.end(book.of_question(file), JobOutcome("done", answer=answer))).start()
        return subprocess.Popen(["sleep", "3"], pass_fds=(lock,)).pid

    monkeypatch.setattr(screens, "_start", start)
    first = post(app, browser, "/ondemand", ASKED).headers["location"]
    assert first.startswith("/ondemand/jobs/")
    told = {"month": "2025-07", "measure": "residents", "dimensions": ["sex", "ward"], "filters": {"sex": ["female"]}}
    note(app.state.portal.database, "analyst", ACTION, answer, detail=told)
    assert post(app, browser, "/ondemand", ASKED).headers["location"] == f"/ondemand/{answer}"
    other = post(app, browser, "/ondemand", {**ASKED, "only_sex": ["male"]})
    assert other.headers["location"].startswith("/ondemand/jobs/"), "another question is not kept"
