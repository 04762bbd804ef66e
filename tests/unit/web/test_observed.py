"""Probes need no sign-in and say nothing; figures go to whoever bears the token and name no address of a reader."""

from __future__ import annotations

import re

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import ConfigurationError
from kobe_platform.planning.journal import WorkJournal
from kobe_platform.settings import PROJECT
from kobe_platform.web.config import Metrics
from tests.unit.web.conftest import registered, visitor

TOKEN = "a-token-of-thirty-two-characters"


@pytest.fixture
def watched(build, tmp_path):
    """A portal with a token."""
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return registered(build(metrics=Metrics(token_file=path)))


def test_the_server_is_there_and_ready_while_a_release_is_in_force(app, settings):
    browser = visitor(app)
    assert (browser.get("/healthz").text, browser.get("/readyz").text) == ("ok", "ready")
    (settings.releases / "current").unlink()
    assert browser.get("/healthz").status_code == 200
    answer = browser.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready")


def test_it_is_not_ready_without_its_database(app):
    app.state.portal.database.dispose()
    app.state.portal.database = None
    answer = visitor(app).get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready")


def test_figures_go_to_whoever_bears_the_token_and_to_nobody_else(watched, app):
    for portal in (watched, app):
        for who in (None, "operator"):
            browser = visitor(portal, who)
            assert browser.get("/metrics").status_code == 404
            assert browser.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
            assert browser.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    visitor(watched, "clerk").get("/people.html?ward=28108")
    visitor(watched).get("/people.html")
    answer = visitor(watched).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert 'kobe_portal_request_seconds_count{route="/{path:path}",status="2xx"} 1.0' in answer.text
    assert "kobe_release_number 1.0" in answer.text
    for word in ("clerk", "28108", "203.0.113.9", "people", TOKEN):
        assert word not in answer.text


@pytest.mark.parametrize("text", ["", "short", "かな" * 20])
def test_a_token_that_can_be_guessed_is_refused(build, tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError):
        build(metrics=Metrics(token_file=path))


ONLY_SOMETIMES = {"kobe_backup_age_seconds"}
"""Of an installation whose ``KOBE_BACKUP`` names one that is there."""


def test_every_figure_that_documents_and_dashboard_name_is_told_and_no_other(watched, settings):
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    journal = WorkJournal(settings.root)
    journal.write("step", step="lake__a", stage="lake", ended="success", seconds=1)
    journal.tick("inbox", 0.5, 0)
    shown = visitor(watched).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    told = set(re.findall(r"^# TYPE (kobe_\w+)", shown, re.M)) | ONLY_SOMETIMES
    told -= {name for name in told if name.endswith("_created")}
    form = r"\bkobe_(?!platform)[a-z_]+\b"
    named = set(re.findall(form, (PROJECT / "docs" / "operations.md").read_text("utf-8")))
    drawn = set(re.findall(form, (PROJECT / "deploy" / "grafana.json").read_text("utf-8")))
    assert named == told
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in drawn} <= told
    assert told - drawn <= {"kobe_release_number", "kobe_portal_request_seconds"}
