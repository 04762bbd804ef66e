"""The commands of the lounge tell what is, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.lounge.commands import release_app, site_app
from kobe_platform.lounge.release import assemble, current
from kobe_platform.lounge.workshop.commands import pages_app
from tests.unit.lounge.conftest import PROJECT


@pytest.fixture
def home(tmp_path, monkeypatch, dashboards):
    """An installation with the small dashboards folder."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_DASHBOARDS", str(dashboards))
    return tmp_path / "home"


def run(app, *arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_releases_are_listed_shown_and_rolled_back(home, city, dashboards):
    releases = home / "releases"
    first = assemble(*city, dashboards, releases)
    (dashboards / "pages/index.md").write_text((dashboards / "pages/index.md").read_text() + "\nもう一行。\n")
    second = assemble(*city, dashboards, releases)
    listed = json.loads(run(release_app, "list", "--json").stdout)
    assert [(row["id"], row["current"]) for row in listed] == [(first.id, False), (second.id, True)]
    assert f"* {second.id}" in run(release_app, "list").stdout
    assert "population_ward" in run(release_app, "show").stdout
    assert run(release_app, "rollback").exit_code == 0
    assert current(releases).id == first.id
    (first.path / "sites/staff/index.html").write_text("changed")
    shown = run(release_app, "show", "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout)["changed_files"] == ["sites/staff/index.html"]


def test_without_a_release_the_commands_say_so(home):
    assert "no release yet" in run(release_app, "list").stdout
    assert run(release_app, "show").exit_code == 1
    assert run(site_app, "build").exit_code == 1


def test_the_tables_that_a_page_may_be_made_of_are_listed_with_their_titles_and_found_by_a_word(home):
    listed = run(pages_app, "tables")
    assert listed.exit_code == 0
    lines = listed.stdout.splitlines()
    assert "foreigners_nationality_ward  区別・国籍別外国人数（人）  地域、国籍・地域" in lines
    found = run(pages_app, "tables", "国籍").stdout.splitlines()
    assert 0 < len(found) < len(lines) and all("国籍" in line for line in found)


def test_a_new_page_compiles_as_it_is(home, city, dashboards):
    assert run(pages_app, "new", "新しい「画面」", "--slug", "fresh").exit_code == 0
    assemble(*city, dashboards, home / "releases")
    checked = run(pages_app, "check")
    assert checked.exit_code == 0 and "0 faults, 1 to look at" in checked.stdout
    assert not (home / "releases/current/sites/staff/fresh.html").exists(), "its manual is a draft"
    (dashboards / "manuals/fresh.md").write_text("- **人口**: 月末の数です。\n")
    assemble(*city, dashboards, home / "releases")
    assert run(pages_app, "new", "x", "--slug", "fresh").exit_code == 2
    assert "新しい「画面」" in (home / "releases/current/sites/staff/fresh.html").read_text()


def test_a_page_is_assembled_of_a_table_by_command(home, city, dashboards):
    assemble(*city, dashboards, home / "releases")
    made = run(pages_app, "new", "--from", "population_ward", "--area", "灘区", "--application", "R7-1")
    assert made.exit_code == 0 and run(pages_app, "check").exit_code == 0
    assert "default=28102" in Path(made.stdout.split()[0]).read_text("utf-8")
    refused = run(pages_app, "new", "--from", "populaton_ward")
    assert refused.exit_code == 2 and "population_ward" in refused.stderr
    assert run(pages_app, "new").exit_code == 2


def test_a_page_is_assembled_of_a_table_that_is_in_no_release_yet(home, city, dashboards):
    frames, dims, facts = city
    kept = {name: frame for name, frame in frames.items() if name == "population_ward"}
    told = {**facts, "tables": {name: facts["tables"][name] for name in kept}}
    assemble(kept, dims, told, dashboards, home / "releases")
    made = run(pages_app, "new", "--from", "school_entry")
    assert made.exit_code == 0, made.stderr
    assert "FROM school_entry" in Path(made.stdout.split()[0]).read_text("utf-8")


def test_check_reports_file_line_and_suggestion(home, city, dashboards):
    run(pages_app, "new", "画面", "--slug", "fresh")
    assemble(*city, dashboards, home / "releases")
    path = dashboards / "pages/fresh.md"
    path.write_text(path.read_text().replace("y=人口", "y=人工"))
    checked = run(pages_app, "check", "--json")
    assert checked.exit_code == 1
    [problem] = [one for one in json.loads(checked.stdout) if one["stops"]]
    assert problem["at"] == {"file": "fresh.md", "line": 30}
    assert "人口" in problem["remedy"]


def test_the_front_ends_lock_names_no_host():
    lock = (PROJECT / "dashboards/theme/package-lock.json").read_text()
    assert "://" not in lock.replace("https://opencollective", "").replace("https://github.com/sponsors", "")
    assert '"resolved"' not in lock
