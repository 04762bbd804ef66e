"""Locked packages are judged by a database of advisories that was brought without a network, by the schema of OSV."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import app
from kobe_platform.errors import ConfigurationError
from kobe_platform.upkeep.advisories import NPM, PYPI, Package, judge, locked_packages

LOCKED = {(package.ecosystem, package.name): package.version for package in locked_packages()}
POLARS, ECHARTS = LOCKED[PYPI, "polars"], LOCKED[NPM, "echarts"]


def advisory(id: str, ecosystem: str, name: str, *events: dict[str, str], **more) -> dict:
    """An advisory of one package with one range."""
    kind = "ECOSYSTEM" if ecosystem == PYPI else "SEMVER"
    package = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": kind, "events": list(events)}]}
    return {"id": id, "modified": "2026-11-01T00:00:00Z", "affected": [package], **more}


HARMLESS = [
    advisory("PYSEC-1", PYPI, "polars", {"introduced": "0"}, {"fixed": POLARS}),
    advisory("PYSEC-2", PYPI, "a-package-that-nobody-locks", {"introduced": "0"}),
    advisory("PYSEC-3", PYPI, "polars", {"introduced": "0"}, withdrawn="2026-11-02T00:00:00Z"),
    advisory("GHSA-4", NPM, "echarts", {"introduced": "0"}, {"last_affected": "1.0.0"}),
    advisory("GHSA-5", NPM, "polars", {"introduced": "0"}),  # the same name in the other ecosystem
    advisory("GHSA-6", NPM, "esbuild", {"introduced": "0"}),  # a developer's tool, which is not installed
]


def database(folder: Path, advisories: list[dict]) -> Path:
    """A zip as osv.dev publishes it."""
    file = folder / "all.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for told in advisories:
            archive.writestr(f"{told['id']}.json", json.dumps(told))
    return file


def called(file: Path):
    return CliRunner().invoke(app, ["advisories", str(file)])


def test_no_advisory_that_affects_a_locked_version_is_said_with_what_was_looked_up(tmp_path):
    told = called(database(tmp_path, HARMLESS))
    assert told.exit_code == 0, told.output
    assert "PyPI: 1" in told.output and "情報3件（最新 2026-11-01）" in told.output and "npm: " in told.output


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            advisory("PYSEC-7", PYPI, "Polars", {"introduced": "0"}, {"fixed": "9999.1"}, aliases=["CVE-1"]),
            f"polars {POLARS}: PYSEC-7 (CVE-1) – 修正版 9999.1",
        ),
        (advisory("GHSA-8", NPM, "echarts", {"introduced": ECHARTS}), f"echarts {ECHARTS}: GHSA-8"),
    ],
)  # fmt: skip
def test_an_advisory_for_a_locked_version_fails_and_is_named_with_package_version_and_remedy(harm, words, tmp_path):
    told = called(database(tmp_path, [*HARMLESS, harm]))
    assert told.exit_code == 1 and words in told.output
    assert told.output.count("✗") == 1


@pytest.mark.parametrize(
    ("version", "events", "hit"),
    [
        ("1.5", [{"introduced": "0"}, {"fixed": "1.4"}, {"introduced": "1.5"}], True),
        ("1.5", [{"introduced": "1.5"}, {"fixed": "1.6"}, {"introduced": "0"}, {"fixed": "1.2"}], True),
        ("1.3", [{"introduced": "1.5"}, {"fixed": "1.6"}, {"introduced": "0"}, {"fixed": "1.2"}], False),
        ("1.5", [{"introduced": "0"}, {"last_affected": "1.5"}], True),
        ("1.5.post1", [{"introduced": "0"}, {"last_affected": "1.5"}], False),
        ("1.10", [{"introduced": "0"}, {"fixed": "1.9"}], False),
        ("1.0rc1", [{"introduced": "0"}, {"fixed": "1.0"}], True),
    ],
)
def test_ranges_are_read_as_the_schema_says_it(version, events, hit, tmp_path):
    package = Package(PYPI, "x", version)
    found = judge([database(tmp_path, [advisory("A", PYPI, "x", *events)])], [package]).findings
    assert [one.package for one in found] == ([package] if hit else [])


@pytest.mark.parametrize(("version", "hit"), [("2.0.0-rc.9", True), ("2.0.0-rc.10", False), ("2.0.0", False)])
def test_prereleases_of_npm_come_before_their_release_and_numbers_in_order(version, hit, tmp_path):
    file = database(tmp_path, [advisory("A", NPM, "@x/y", {"introduced": "0"}, {"fixed": "2.0.0-rc.10"})])
    assert bool(judge([file], [Package(NPM, "@x/y", version)]).findings) is hit


def test_bounds_that_cannot_be_read_count_as_affecting_and_listed_versions_as_listed(tmp_path):
    strange = advisory("A", PYPI, "x", {"introduced": "0"}, {"fixed": "not a version"})
    listed = {**strange, "id": "B", "affected": [{"package": {"ecosystem": PYPI, "name": "x"}, "versions": ["1.0"]}]}
    found = judge([database(tmp_path, [strange, listed])], [Package(PYPI, "x", "1.0")]).findings
    assert [(one.advisory, one.certain) for one in found] == [("A", False), ("B", True)]


def test_a_database_that_judges_nothing_is_refused(tmp_path):
    python_only = [told for told in HARMLESS if told["affected"][0]["package"]["ecosystem"] == PYPI]
    with pytest.raises(ConfigurationError) as refused:
        judge([database(tmp_path, python_only)], locked_packages())
    assert (refused.value.code, refused.value.args) and refused.value.code == "advisories.none"
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(ConfigurationError) as refused:
        judge([tmp_path / "broken.zip"], locked_packages())
    assert refused.value.code == "advisories.database"


def test_every_package_that_is_installed_is_judged():
    lock = (Path(__file__).resolve().parents[3] / "requirements-run.lock").read_text("utf-8")
    pinned = [line for line in lock.splitlines() if "==" in line and not line.lstrip().startswith("#")]
    assert sum(package.ecosystem == PYPI for package in locked_packages()) == len(pinned) > 100


AS_YAML = """\
id: PYSEC-2026-1
modified: 2026-11-02T07:18:27.688636Z
aliases:
- CVE-2026-1
affected:
- package: {ecosystem: PyPI, name: polars, purl: "pkg:pypi/polars"}
  ranges:
  - type: GIT
    repo: https://example.org/polars
    events: [{introduced: "0"}, {fixed: f09c261ca10a31fe41b1262306db7f8f1da0e48a}]
  versions:
  - VERSION
"""


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("version", "code"), [(POLARS, 1), ("0.1.10", 0)])
def test_the_database_of_pypis_maintainers_is_read_as_it_is_kept(packed, version, code, tmp_path):
    told = AS_YAML.replace("VERSION", version)
    files = {
        "advisory-database-main/vulns/polars/PYSEC-2026-1.yaml": told,
        "advisory-database-main/.github/workflows/validate.yaml": "on: push",
    }
    place = tmp_path / ("pypi.zip" if packed else "pypi")
    if packed:
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True)
            (place / name).write_text(text)
    npm = database(tmp_path, HARMLESS[3:4])
    found = CliRunner().invoke(app, ["advisories", str(place), str(npm)])
    assert found.exit_code == code, found.output
    assert "PyPI: 1" in found.output or "2026-11-02" in found.output
    assert ("PYSEC-2026-1 (CVE-2026-1)" in found.output) is bool(code)


def test_yaml_versions_are_texts_and_a_broken_file_is_no_pass(tmp_path):
    folder = tmp_path / "vulns" / "one"
    folder.mkdir(parents=True)
    package = Package(PYPI, "one", "3.10")
    (folder / "A.yaml").write_text("id: A\naffected:\n- package: {ecosystem: PyPI, name: one}\n  versions: [3.10]\n")
    assert len(judge([tmp_path], [package]).findings) == 1
    assert not judge([tmp_path], [Package(PYPI, "one", "3.1")]).findings
    (folder / "B.yaml").write_text("id: [")
    with pytest.raises(ConfigurationError, match=r"cannot be read"):
        judge([tmp_path], [package])
