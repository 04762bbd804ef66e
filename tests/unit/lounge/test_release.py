"""Releases are all or nothing, one site per audience, and the way back works."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import release as releasing
from kobe_platform.lounge import served
from kobe_platform.lounge.release import assemble, current, rebuild, releases_of, rollback, verify
from kobe_platform.lounge.serve import build_app, find
from kobe_platform.settings import Settings
from tests.serving import fetch, serving

NAMES = ("population_ward", "mean_age")
QUERY = """
```sql people
SELECT period, area_label AS 区, value AS 人口, status FROM population_ward WHERE age = 'total' AND sex = 'total'
```

"""
CHART = '<LineChart data={people} x=period y=人口 series=区 title="人口の推移"/>\n'


@pytest.fixture
def build(city, write_page, tmp_path):
    """Assemble a small release; keyword arguments go to ``assemble``, ``shift`` changes one figure."""
    frames, dims, facts = city
    dashboards = write_page(QUERY + CHART)

    def run(shift: int = 0, **options):
        tables = {name: frames[name] for name in NAMES}
        tables["population_ward"] = tables["population_ward"].with_columns(pl.col("value") + shift)
        told = {**facts, "tables": {name: facts["tables"][name] for name in NAMES}}
        return assemble(tables, dims, told, dashboards, tmp_path / "releases", **options)

    run.dashboards, run.releases = dashboards, tmp_path / "releases"
    return run


def test_a_release_describes_itself_and_its_files(build):
    release = build()
    assert release.made
    assert current(build.releases).id == release.id
    assert set(release.tables) == set(NAMES)
    assert release.facts["basis"] == "synthetic"
    assert release.sites == {"staff": ["index", "people"]}
    assert release.audiences == {"staff": "staff", "policy": "staff"}
    assert verify(release) == []
    (release.path / "tables/mean_age.parquet").write_bytes(b"")
    assert verify(release) == ["tables/mean_age.parquet"]


def test_a_page_stays_out_until_the_tables_that_it_needs_have_figures(build, city):
    path = build.dashboards / "pages/people.md"
    text = path.read_text(encoding="utf-8")
    more = QUERY.replace("people", "ages").replace("population_ward", "mean_age").replace("人口", "年齢")
    more = more.replace(" WHERE age = 'total' AND sex = 'total'", "")
    path.write_text(text.replace("\n---\n", "\nneeds: [mean_age]\n---\n", 1) + more, encoding="utf-8")
    assert "people" in build().pages
    city[0]["mean_age"] = city[0]["mean_age"].clear()
    assert "people" not in build(shift=1).pages, "it reads another table that has figures"
    path.write_text(text.replace("\n---\n", "\nneeds: [mean_ages]\n---\n", 1), encoding="utf-8")
    with pytest.raises(LoungeError, match="needs"):
        build(shift=2)


def test_equal_content_makes_no_new_release(build):
    first = build()
    again = build()
    assert (again.id, again.made) == (first.id, False)
    assert rebuild(build.dashboards, build.releases).id == first.id
    assert build(shift=1).id != first.id
    assert len(releases_of(build.releases)) == 2


def test_a_changed_page_makes_a_new_release(build, write_page):
    first = build()
    write_page(QUERY + CHART.replace("推移", "変化"))
    assert build().id != first.id


STEPS = ("tables", "site staff", "inspection", "switch")


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_the_former_release_in_force(build, step):
    former = build()

    def fail(told: str) -> None:
        if told == step:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build(shift=1, progress=fail)
    assert current(build.releases).id == former.id
    assert [r.id for r in releases_of(build.releases)] == [former.id]
    assert not list(build.releases.glob(".*"))
    assert build(shift=1).made


@pytest.mark.slow
@pytest.mark.parametrize("call", ["flush", "switch", "_hashes", "_write", "build_site", "write_tables"])
def test_a_failing_call_leaves_the_former_release_in_force(build, monkeypatch, call):
    former = build()
    with monkeypatch.context() as patch:
        patch.setattr(releasing, call, _broken)
        with pytest.raises(OSError, match="disk"):
            build(shift=1)
    assert current(build.releases).id == former.id
    assert verify(current(build.releases)) == []
    after = build(shift=1)
    assert after.made
    assert current(build.releases).id == after.id


def _broken(*arguments, **options):
    raise OSError("disk full")


def test_every_file_and_folder_is_on_the_disk_before_a_release_has_its_name(build, monkeypatch):
    synced: dict[str, bool] = {}
    sync = releasing._sync

    def told(path: Path) -> None:
        sync(path)
        place = Path(*path.parts[len(build.releases.parts) + 1 :]).as_posix()
        synced[place] = any(folder.name.startswith("0") for folder in build.releases.glob("0*"))

    monkeypatch.setattr(releasing, "_sync", told)
    release = build()
    within = {path.relative_to(release.path).as_posix() for path in release.path.rglob("*")}
    assert len(within) > 20 and within <= synced.keys()
    assert not any(synced[name] for name in within), "a file came to the disk after the release had its name"


def test_one_file_that_does_not_come_to_the_disk_refuses_the_release(build, monkeypatch):
    former, sync = build(), releasing._sync
    monkeypatch.setattr(releasing, "_sync", lambda path: _broken() if path.name == "mean_age.parquet" else sync(path))
    with pytest.raises(OSError, match="disk"):
        build(shift=1)
    assert current(build.releases).id == former.id
    assert [one.id for one in releases_of(build.releases)] == [former.id]


def test_a_kill_during_the_build_is_swept_away_by_the_next(build):
    former = build()
    left = build.releases / ".building-999999999"
    (left / "tables").mkdir(parents=True)
    (build.releases / ".current-999999999").symlink_to("nowhere")
    assert current(build.releases).id == former.id
    build(shift=1)
    assert not left.exists()
    assert not (build.releases / ".current-999999999").is_symlink()


def test_an_inspection_sees_the_finished_release_and_can_refuse_it(build):
    former = build()
    seen: list[str] = []

    def inspect(path: Path) -> None:
        seen.extend(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
        raise LoungeError("a leak", code="leak")

    with pytest.raises(LoungeError):
        build(shift=1, inspect=inspect)
    assert {"release.json", "sites/staff/people.html", "sites/staff/catalogue.json"} <= set(seen)
    assert current(build.releases).id == former.id


@pytest.mark.slow
def test_rollback_stays_until_the_content_changes(build):
    first, second = build(), build(shift=1)
    assert rollback(build.releases).id == first.id
    assert not build(shift=1).made
    assert current(build.releases).id == first.id
    third = build(shift=2)
    assert current(build.releases).id == third.id
    assert rollback(build.releases, second.id).id == second.id
    with pytest.raises(LoungeError):
        rollback(build.releases, "0009-000000000000")


def test_a_page_that_does_not_compile_publishes_nothing(build, write_page):
    former = build()
    write_page(QUERY + CHART.replace("人口 ", "人数 "))
    with pytest.raises(LoungeError) as caught:
        build()
    assert caught.value.at["file"] == "people.md"
    assert current(build.releases).id == former.id


SECRET = "極秘の画面"


def test_no_byte_of_the_staff_site_names_a_restricted_page(build, write_page):
    body = QUERY + CHART.replace("人口の推移", "極秘の推移")
    write_page(body, slug="hidden_page", title=SECRET, audience="policy")
    release = build()
    assert release.sites == {"staff": ["index", "people"], "policy": ["index", "people", "hidden_page"]}
    marks = [text.encode() for text in (SECRET, "極秘の推移", "hidden_page", json.dumps(SECRET)[1:-1])]
    for path in (release.path / "sites/staff").rglob("*"):
        assert not any(mark in str(path).encode() for mark in marks)
        if path.is_file():
            assert not any(mark in path.read_bytes() for mark in marks)
    assert SECRET in (release.path / "sites/policy/index.html").read_text()
    assert find(build.releases, "staff", "hidden_page.html") is None
    assert find(build.releases, "policy", "hidden_page.html") is not None


def test_an_unknown_audience_is_shown_nothing(build):
    build()
    assert find(build.releases, "everybody", "index.html") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        *("../policy/index.html", "..%2f..", "a/../../../release.json", "/../../tables/mean_age.parquet"),
        *("..\\release.json", ".hidden", "//etc/passwd", "index.html/x", "data", "assets/lounge"),
        *("release.json", "tables/mean_age.parquet"),
    ],
)
def test_the_server_finds_nothing_beside_the_site(build, path):
    release = build()
    (release.path / "sites/staff/.hidden").write_text("x")
    assert find(build.releases, "staff", path) is None


def test_a_link_out_of_the_site_is_not_followed(build, tmp_path):
    release = build()
    (tmp_path / "outside.html").write_text("x")
    (release.path / "sites/staff/out.html").symlink_to(tmp_path / "outside.html")
    assert find(build.releases, "staff", "out.html") is None


def test_the_server_sends_strict_headers_and_follows_a_switch(build):
    first = build()
    slices = next((first.path / "sites/staff/data/people").iterdir()).name
    with serving(build.releases, "staff") as port:
        page = fetch(port, "/")
        assert page.status == 200
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-cache"
        assert "immutable" in fetch(port, f"/data/people/{slices}").headers["cache-control"]
        for path in ("/../../release.json", "/%2e%2e/%2e%2e/release.json", "/..%2f..%2frelease.json", "/%00"):
            assert fetch(port, path).status == 404
        assert fetch(port, "/", "POST").status == 405
        assert 'href="/"' in fetch(port, "/none.html").text
        build(shift=1)
        assert fetch(port, f"/data/people/{slices}").status == 404
        assert fetch(port, "/people.html").status == 200


def test_a_built_site_has_no_inline_script_no_inline_style_and_no_external_address(build):
    import re

    release = build()
    for path in (release.path / "sites").rglob("*.html"):
        html = path.read_text()
        scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>", html)
        assert scripts == []
        assert not re.search(r"\sstyle=|\son\w+=|<style", html)
        assert not re.search(r"(?:href|src)=[\"']?(?:https?:)?//", html)


def test_a_site_without_its_front_end_says_how_to_build_it(build):
    (build.dashboards / "theme/built/manifest.json").unlink()
    with pytest.raises(LoungeError) as caught:
        build()
    assert caught.value.code == "site.front_end"
    assert "npm" in caught.value.remedy


@pytest.mark.slow
def test_a_page_none_of_whose_tables_has_a_figure_yet_is_left_out_and_comes_with_the_first(city, tmp_path):
    """Yearly tables appear with their first December; a page that has others stands until then."""
    frames, dims, facts = city
    tables = {
        name: frame.clear() if facts["tables"][name]["period"] == "year" else frame for name, frame in frames.items()
    }
    pages = releasing.load_pages(Settings().dashboards)
    before, after = ({slug for slug, page in pages.items() if any(len(held[name]) for name in page.tables)}
                     for held in (tables, frames))  # fmt: skip
    assert "index" in before < after and "ward_moves" in after - before
    for held, shown in ((tables, before), (frames, after)):
        assert set(assemble(held, dims, facts, Settings().dashboards, tmp_path / "releases").pages) == shown


def test_a_withheld_page_is_in_no_byte_of_a_site_and_comes_back(build):
    held = build(withheld=("people",))
    title = next(page.title for page in releasing.load_pages(build.dashboards).values() if page.slug == "people")
    assert held.sites["staff"] == ["index"] and held.facts["withheld"] == ["people"]
    files = [path for path in (held.path / "sites").rglob("*") if path.is_file()]
    assert files and not [path for path in files if title.encode() in path.read_bytes() or "people" in path.name]
    assert rebuild(build.dashboards, build.releases).sites["staff"] == ["index", "people"]
    assert rebuild(build.dashboards, build.releases, withheld=("people",)).sites["staff"] == ["index"]


def test_every_page_shows_the_day_of_its_release_in_japan(build):
    release = build(now=datetime(2026, 1, 9, 20, 0, tzinfo=UTC))
    for slug in ("index", "people"):
        html = (release.path / f"sites/staff/{slug}.html").read_text(encoding="utf-8")
        assert '更新日 <time datetime="2026-01-10">2026年1月10日</time>' in html


def test_the_record_is_read_and_a_file_compressed_once_however_often_a_page_is_opened(build, monkeypatch):
    build()
    done: list[str] = []
    for name, whole in (("releases_of", served.releases_of), ("_packed", served._packed)):
        monkeypatch.setattr(served, name, lambda at, name=name, whole=whole: (done.append(name), whole(at))[1])
    browser = TestClient(build_app(build.releases, "staff"), base_url="http://127.0.0.1")
    pages = [browser.get("/people.html", headers={"accept-encoding": "gzip"}) for _ in range(3)]
    assert {page.headers["content-encoding"] for page in pages} == {"gzip"}
    assert sorted(done) == ["_packed", "releases_of"]
    tag = pages[0].headers["etag"]
    assert browser.get("/people.html", headers={"if-none-match": tag}).status_code == 304
    plain = browser.get("/people.html", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == pages[0].text
    build(shift=1)
    assert browser.get("/people.html", headers={"if-none-match": tag}).status_code == 200
