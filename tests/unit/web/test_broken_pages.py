"""A page that somebody writes just now, and writes wrongly, keeps nobody from the portal's screens."""

from __future__ import annotations

import shutil

import pytest

from kobe_platform.settings import PROJECT
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.portal import build_portal
from tests.unit.web.conftest import ORIGIN, registered, settings_in, visitor, write_release

SITE = {"index.html": "x", "ward_population.html": "x", "district_types.html": "x"}
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A portal over a folder of dashboards with one page that cannot be read."""
    folder = tmp_path_factory.mktemp("broken")
    dashboards = folder / "dashboards"
    shutil.copytree(PROJECT / "dashboards", dashboards, ignore=shutil.ignore_patterns("theme"))
    page = dashboards / "pages/district_types.md"
    page.write_text(page.read_text(encoding="utf-8").replace("category: ", "catgory: "), encoding="utf-8")
    settings = settings_in(folder).model_copy(update={"dashboards": dashboards})
    write_release(settings.releases, {"staff": SITE})
    return registered(build_portal(settings, PortalConfig(origin=ORIGIN)))


@pytest.mark.parametrize("path", ["applications", "releases", "usage", "news", "questions?page=ward_population"])
def test_the_screens_of_readers_know_the_other_pages(app, path):
    assert visitor(app, "clerk").get(f"/{path}", headers=HTML).status_code == 200


@pytest.mark.parametrize("path", ["deliveries", "condition"])
def test_screens_of_deliveries_and_data_read_no_page(app, path):
    assert visitor(app, "operator").get(f"/{path}", headers=HTML).status_code == 200


def test_a_screen_that_a_definition_stops_says_what_and_where(tmp_path):
    """To operators; others are told the code."""
    contracts = tmp_path / "contracts"
    shutil.copytree(PROJECT / "assets/contracts", contracts)
    file = contracts / "training_records.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("kinds = ", "kind = "), encoding="utf-8")
    settings = settings_in(tmp_path).model_copy(update={"contracts": contracts})
    told = visitor(registered(build_portal(settings, PortalConfig(origin=ORIGIN))), "operator").get(
        "/condition", headers=HTML
    )
    assert told.status_code == 503 and "training_records.toml" in told.text and "contract." in told.text
