"""Writing a page: one to start from, every fault at once in plain Japanese, and a site that follows each save."""

from __future__ import annotations

import json
import os
from datetime import date

import pytest
from typer.testing import CliRunner

from kobe_platform.errors import ConfigurationError, LoungeError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.explanations import UNEXPLAINED, explain, place
from kobe_platform.lounge.serve import POLICY
from kobe_platform.lounge.workshop.commands import pages_app
from kobe_platform.lounge.workshop.new import slug_of, write_new
from kobe_platform.lounge.workshop.server import build_app
from kobe_platform.lounge.workshop.site import WorkshopSite
from tests.serving import fetch, serving_app

KINDS = {"population_ward": "count", "estimated_population": "public"}
TODAY = date(2026, 1, 9)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("区別の世帯", "ward_households"),
        ("外国人の在留資格", "foreigners_residence_status"),
        ("バス路線", "basu"),
        ("シャチとチョコ", "shachi_choko"),
        ("ＫＯＢＥ 2026", "kobe_2026"),
        ("窓口", "page"),
        ("../../etc/passwd", "etc_passwd"),
    ],
)
def test_a_title_becomes_a_file_name(title, slug):
    assert slug_of(title) == slug


def test_equal_titles_get_names_of_their_own(dashboards):
    names = [write_new(dashboards, "窓口", owner="x", application="", today=TODAY)[0].name for _ in range(3)]
    assert names == ["page.md", "page_2.md", "page_3.md"]


@pytest.mark.parametrize("slug", ["../x", "Index", "index", "1a", "a-b", "people"])
def test_a_file_name_that_is_taken_or_none_is_refused(dashboards, write_page, slug):
    write_page("")
    with pytest.raises(ConfigurationError):
        write_new(dashboards, "x", slug, owner="x", application="", today=TODAY)


@pytest.mark.parametrize("title", ['引用"符\\', "コロン: 有り", "- 棒", "{波}括弧", "#", "'", "２０２６"])
def test_a_new_page_passes_every_check_whatever_its_title(dashboards, tables, title):
    write_new(dashboards, title, owner="政策課", application="", today=TODAY)
    with ReleaseDatabase(tables) as database:
        assert check_folder(dashboards, KINDS, database).faults == ()


FAULTY = """
```sql people
SELECT period, area, value AS 人口, status FROM population_ward WHERE age = 'total' AND sex = 'total'
```

```sql summed
SELECT sum(value) AS x FROM population_ward
```

```sql lost
SELECT * FROM populaton_ward
```

```sql onlost
SELECT * FROM ${lost}
```

<LineChart data={peple} x=period y=人口 titel="推移"/>
<LineChart data={people} x=perod y=人工 title="推移" base=zro/>
<BarChart data={summed} x=a y=x title="推移"/>
<Lnechart data={people}/>
<b onclick=x>
[外](https://example.com)
</Tab>
<Grid>
"""


def test_every_fault_is_told_at_once_with_file_line_and_suggestion(write_page, dashboards, tables):
    folder = write_page(FAULTY)
    path = folder / "pages/people.md"
    path.write_text(path.read_text().replace("audience: staff", "audience: stuff").replace("application: R7-1\n", ""))
    with ReleaseDatabase(tables) as database:
        checked = check_folder(folder, KINDS, database)
    told = [(fault.at["line"], fault.code, fault.remedy) for fault in checked.faults]
    assert [(line, code) for line, code, _ in told] == [
        (1, "page.application"),
        (6, "page.front_matter"),
        (16, "query.sums"),
        (20, "query.table"),
        (27, "page.attribute"),
        (27, "page.attribute"),
        (27, "page.attribute"),
        (28, "page.attribute"),
        (28, "page.column"),
        (28, "page.column"),
        (30, "page.unknown_tag"),
        (31, "page.html"),
        (32, "page.link"),
        (33, "page.nesting"),
        (34, "page.unclosed"),
    ]
    remedies = " ".join(remedy for *_, remedy in told)
    for word in ("staff", "population_ward", "people", "title", "period", "人口", "zero", "<LineChart>"):
        assert f"did you mean {word}?" in remedies
    assert {place(fault).split(":")[0] for fault in checked.faults} == {"people.md"}
    assert UNEXPLAINED not in "".join(explain(fault) for fault in checked.faults)


def test_without_tables_the_rest_is_still_checked(write_page):
    codes = {fault.code for fault in check_folder(write_page(FAULTY), KINDS).faults}
    assert {"query.sums", "query.table", "page.unknown_tag", "page.attribute"} <= codes


def test_every_error_that_the_lounge_raises_is_explained_in_japanese():
    """Each message in the source, its placeholders filled, has a Japanese sentence."""
    import ast
    from pathlib import Path

    import kobe_platform.lounge as room

    messages = set()
    for name in ("queries", "database", "tags", "components", "guides", "compile", "pages", "checking", "site"):
        for node in ast.walk(ast.parse((Path(room.__file__).parent / f"{name}.py").read_text())):
            called = getattr(getattr(node, "func", None), "attr", "") or getattr(getattr(node, "func", None), "id", "")
            if isinstance(node, ast.Call) and called in ("fault", "fail", "_fault", "LoungeError"):
                place = 0 if called == "LoungeError" else 1
                messages.add(_filled(node.args[place]) if len(node.args) > place else "")
    messages -= {""}
    assert len(messages) > 30
    unexplained = {m for m in messages if explain(LoungeError(m, code="x")) == UNEXPLAINED}
    assert unexplained == set()


def _filled(node) -> str:
    import ast

    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    return ""


BODY = """
```sql people
SELECT period, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' ORDER BY period
```

## 人口

<LineChart data={people} x=period y=人口 title="人口の推移"/>
"""


@pytest.fixture
def workshop(write_page, tables, tmp_path):
    """A site that follows the small dashboards folder."""
    write_page(BODY)
    with ReleaseDatabase(tables, keep=True) as database:
        yield WorkshopSite(tmp_path / "dashboards", database, tmp_path / "scratch", "synthetic")


def save(folder, name: str, text: str) -> None:
    """Write a file as an editor does, at another time than before."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_a_file_that_is_no_page_keeps_its_own_fault_after_the_next_save(workshop, dashboards):
    save(dashboards / "pages", "draft.md", "no front matter yet")
    assert workshop.refresh()
    assert [fault.at["file"] for fault in workshop.faults] == ["draft.md"]
    save(dashboards / "pages", "draft.md", "still none")
    assert workshop.refresh()
    assert [fault.code for fault in workshop.faults] == ["page.front_matter"]


def test_only_what_changed_is_worked_out_and_rendered(workshop, write_page, monkeypatch):
    write_page(BODY.replace("推移", "変化"), slug="other", title="他の画面")
    assert workshop.refresh() and not workshop.faults
    assert not workshop.refresh()
    times = {path.name: path.stat().st_mtime_ns for path in workshop.out.glob("*.html")}
    ran = []
    monkeypatch.setattr(ReleaseDatabase, "_rows", lambda self, cursor, query: ran.append(query) or pytest.fail())
    page = workshop.dashboards / "pages/people.md"
    save(workshop.dashboards, "pages/people.md", page.read_text().replace("## 人口", "## 別の見出し"))
    assert workshop.refresh() and not workshop.faults
    now = {path.name: path.stat().st_mtime_ns for path in workshop.out.glob("*.html")}
    assert {name for name in now if now[name] != times[name]} == {"people.html"}
    assert "別の見出し" in (workshop.out / "people.html").read_text()
    assert ran == []


def test_a_new_title_reaches_every_page_and_a_deleted_page_goes(workshop, write_page):
    write_page(BODY, slug="other", title="他の画面")
    workshop.refresh()
    page = workshop.dashboards / "pages/people.md"
    save(workshop.dashboards, "pages/people.md", page.read_text().replace("人口の画面", "新しい題名"))
    workshop.refresh()
    assert "新しい題名" in (workshop.out / "other.html").read_text()
    (workshop.dashboards / "pages/other.md").unlink()
    workshop.refresh()
    assert not workshop.faults
    assert "他の画面" not in (workshop.out / "index.html").read_text()
    assert not (workshop.out / "other.html").exists()


def test_a_manual_and_the_audiences_are_followed(workshop):
    workshop.refresh()
    save(workshop.dashboards, "manuals/manual.md", "新しい説明。\n")
    workshop.refresh()
    assert "新しい説明" in (workshop.out / "people.html").read_text()
    save(workshop.dashboards, "audiences.toml", '[nobody]\nlabel = "無人"\n')
    workshop.refresh()
    assert {fault.at["line"] for fault in workshop.faults} == {6}


def test_a_fault_is_shown_with_its_line_and_goes_with_the_next_good_save(workshop):
    workshop.refresh()
    good = (workshop.dashboards / "pages/people.md").read_text()
    with serving_app(build_app(workshop)) as port:

        def shown(text: str) -> str:
            save(workshop.dashboards, "pages/people.md", text)
            workshop.refresh()
            answer = fetch(port, "/people.html")
            assert answer.headers["content-security-policy"] == POLICY
            return answer.text

        assert "人口の推移" in fetch(port, "/people.html").text
        faulty = shown(good.replace("y=人口", "y=人工"))
        assert "people.md:19" in faulty and "「人口」ではありませんか。" in faulty
        assert 'class="at-fault"' in faulty
        assert "<script>alert" not in shown(good.replace("x=period", "x=<script>alert(1)</script>"))
        assert "人口の推移" in shown(good)


def test_a_browser_is_told_of_a_new_version(workshop, monkeypatch):
    from kobe_platform.lounge.workshop import server

    monkeypatch.setattr(server, "WAIT", 0.5)
    workshop.refresh()
    with serving_app(build_app(workshop)) as port:
        assert json.loads(fetch(port, "/_workshop/version?after=0").text) == {"version": 1}
        assert json.loads(fetch(port, "/_workshop/version?after=1").text) == {"version": 1}
        assert fetch(port, "/_workshop/reload.js").headers["content-type"].startswith("text/javascript")


def test_the_workshop_serves_its_site_and_nothing_beside_it(workshop):
    workshop.refresh()
    with serving_app(build_app(workshop)) as port:
        assert fetch(port, "/people.html").status == 200
        for path in ("/../work/people.md", "/data/../work/people.md", "/_workshop/../server.py", "/bodies", "/work"):
            assert fetch(port, path).status == 404


def test_the_workshop_shows_one_audience_where_asked(workshop, write_page):
    write_page(BODY, slug="hidden_page", title="極秘の画面", audience="policy")
    workshop.audience = "staff"
    workshop.refresh()
    assert not (workshop.out / "hidden_page.html").exists()
    assert "極秘の画面" not in (workshop.out / "index.html").read_text()


@pytest.mark.slow
def test_check_exits_with_the_number_of_faults_told(write_page, monkeypatch, tmp_path):
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_DASHBOARDS", str(write_page(FAULTY)))
    checked = CliRunner().invoke(pages_app, ["check", "--json"])
    assert checked.exit_code == 1
    assert len(json.loads(checked.stdout)) == 13
    plain = CliRunner().invoke(pages_app, ["check"])
    assert "people.md:31: 部品「<Lnechart>」はありません。" in plain.stderr
    assert "13 faults" in plain.stdout
