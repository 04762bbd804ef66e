"""A portal over a small release of two sites, with somebody of every kind."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kobe_platform.governance import sessions
from kobe_platform.governance.passwords import set_password
from kobe_platform.governance.people import add_person, find_person
from kobe_platform.settings import Settings
from kobe_platform.web.commands import dagster_app
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.portal import build_portal

SECRET = "sea-and-mountains-7"
ORIGIN = "http://lounge.test"
KINDS = {
    "nobody": None,
    "clerk": {},
    "member": {"audiences": ("policy",)},
    "operator": {"roles": ("operator",)},
    "analyst": {"roles": ("analyst",)},
    "auditor": {"roles": ("auditor",)},
    "decider": {"roles": ("decider",)},
    "administrator": {"roles": ("administrator",)},
    "removed": {},
}
FILES = {
    "staff": {"index.html": "staff portal", "people.html": "people page", "search.json": '["people"]'},
    "policy": {
        "index.html": "policy portal", "people.html": "people page", "secret.html": "restricted page",
        "search.json": '["people", "secret"]', "data/secret.json": "{}",
    },
}  # fmt: skip


def write_release(
    releases: Path, files: dict = FILES, release_id: str = "0001-0123456789ab", basis: str = "register"
) -> None:
    path = releases / release_id
    for site, contents in files.items():
        for name, text in contents.items():
            target = path / "sites" / site / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    record = {
        "id": release_id, "created_at": datetime.now(UTC).isoformat(), "content": "x", "tables": {},
        "sites": {site: [n[:-5] for n in c if n.endswith(".html")] for site, c in files.items()},
        "audiences": {site: site for site in files}, "facts": {"basis": basis}, "files": {},
    }  # fmt: skip
    (path / "release.json").write_text(json.dumps(record), encoding="utf-8")
    link = releases / ".new"
    link.symlink_to(release_id)
    link.replace(releases / "current")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return settings_in(tmp_path)


def settings_in(folder: Path) -> Settings:
    """A home with the small release."""
    settings = Settings(home=folder / "var", inbox=folder / "inbox")
    settings.releases.mkdir(parents=True)
    write_release(settings.releases)
    return settings


@pytest.fixture
def build(settings):
    """Build a portal; keyword arguments are parts of its settings file."""

    def run(dagster=None, **parts):
        return build_portal(settings, PortalConfig(origin=ORIGIN, **parts), dagster=dagster)

    return run


@pytest.fixture
def app(build):
    return registered(build())


def registered(app):
    """The portal with somebody of every kind."""
    for login in KINDS:
        register(app, login)
    return app


def register(app, login: str) -> None:
    """Register somebody, or put whoever was removed in force again."""
    rights = KINDS[login]
    if rights is not None:
        add_person(app.state.portal.database, login, f"{login}さん", "市民課", by="test", **rights)


def visitor(app, login: str | None = None, *, client: str = "203.0.113.9") -> TestClient:
    """A browser, signed in as somebody (whoever was removed keeps the cookie of before)."""
    browser = TestClient(app, base_url=ORIGIN, follow_redirects=False, client=(client, 50000))
    if login not in (None, "nobody"):
        database = app.state.portal.database
        browser.cookies.set("kobe", sessions.begin(database, find_person(database, login), "password"))
        if login == "removed":
            from kobe_platform.governance.people import remove_person

            remove_person(database, login, by="test")
    return browser


def form_token(app, browser: TestClient) -> str:
    return sessions.find(app.state.portal.database, browser.cookies["kobe"]).csrf


def post(app, browser: TestClient, path: str, data: dict | None = None, **headers):
    """A form sent as a browser sends it from one of our pages."""
    values = {"csrf": form_token(app, browser), **(data or {})}
    return browser.post(path, data=values, headers={"origin": ORIGIN, **headers})


def give_password(app, login: str) -> None:
    set_password(app.state.portal.database, login, SECRET, by="test")


@pytest.fixture(scope="session")
def dagster(tmp_path_factory):
    """Dagster's own web application over a small graph."""
    root = tmp_path_factory.mktemp("dagster")
    workspace = root / "workspace.yaml"
    graph = Path(__file__).with_name("small_graph.py")
    workspace.write_text(f"load_from:\n  - python_file:\n      relative_path: {graph}\n", encoding="utf-8")
    with ExitStack() as stack:
        made = dagster_app(Settings(home=root / "var"), workspace, stack)
        assert not made.state.daemon_alive(), "no daemon runs here"
        made.state.daemon_alive = lambda: True
        yield made
