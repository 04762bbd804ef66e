"""Links of pages and manuals: what leads nowhere is named with its line, what an audience may not see is text."""

from __future__ import annotations

import logging
import re

import pytest
import yaml

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.links import check_links, renderer
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.release import assemble
from kobe_platform.lounge.site import render
from tests.unit.lounge.conftest import FRONT, PROJECT

FRONT_LINES = FRONT.count("\n")


@pytest.fixture
def write(dashboards):
    def put(slug: str, body: str, audience: str = "staff"):
        text = FRONT.format(title=f"{slug}の題", audience=audience) + body
        (dashboards / "pages" / f"{slug}.md").write_text(text)

    return put


@pytest.mark.parametrize(
    ("link", "remedy"),
    [
        ("[区](ward_populatoin.html)", "ward_population.html"),
        ("[区](ward_populatoin.md?ward=西区#x)", "ward_population.html"),
        ("[区][w]\n\n[w]: ward_populatoin.html", "ward_population.html"),
        ("[区](/ward_populatoin.html)", "ward_population.html"),
        ("[図](data/x.png)", "there are"),
        ("![図](map.png)", "there are"),
        ("![図](ward_population.html)", "ward_population.html"),
        ("[下](#みだし1)", "みだし"),
        ("[区](ward_population.html#うごき)", "うごきの図"),
        ("[人口 {q.人口}](ward_populatoin.html)", "ward_population.html"),
    ],
)
def test_a_link_that_leads_nowhere_is_a_fault_with_line_and_the_nearest_name(dashboards, write, link, remedy):
    write("ward_population", "\n# 区\n\n## うごきの図\n\n文\n")
    write("a", f"\n# あ\n\n## みだし\n\n文と{link}\n")
    (fault,) = check_folder(dashboards, {}).faults if "{q." not in link else check_links(load_pages(dashboards))
    line = FRONT_LINES + 6 + (2 if "[w]:" in link else 0)
    assert (fault.code, fault.at) == ("page.link", {"file": "a.md", "line": line})
    assert remedy in fault.remedy and fault.ja != fault.message


def test_a_link_of_a_manual_is_named_with_the_manuals_line_once(dashboards, write):
    (dashboards / "manuals/manual.md").write_text("- 一\n\n[区](ward.html)\n")
    write("a", "\n# あ\n")
    (fault,) = check_folder(dashboards, {}).faults
    assert fault.at == {"file": "manuals/manual.md", "line": 3}, "two pages share the manual"


def test_links_that_lead_somewhere_are_none(dashboards, write):
    write("b", "\n# い\n\n## うごき\n", audience="policy")
    links = "[一](b.html) [二](b.md#うごき) [三](?ward=1) [四](#manual) [五](index.html#news) [六](#使い方)"
    links += " [七](/survey) [八](mailto:a@b.jp)"
    write("a", f"\n# あ\n\n{links} `[九](nothing.html)` \\[十](nothing.html)\n")
    assert check_folder(dashboards, {}).faults == ()


def built(city, dashboards, tmp_path, **more):
    return assemble(*city, dashboards, tmp_path / "releases", **more)


def test_a_link_that_leads_nowhere_refuses_the_release_with_its_line(city, dashboards, write, tmp_path):
    write("a", "\n# あ\n\n[無](nothing.html)\n")
    with pytest.raises(LoungeError) as refused:
        built(city, dashboards, tmp_path)
    assert (refused.value.code, refused.value.at) == ("page.link", {"file": "a.md", "line": FRONT_LINES + 4})


def test_a_link_to_a_page_that_an_audience_may_not_see_is_its_text_there_alone(city, dashboards, write, tmp_path):
    write("secretive", "\n# 秘\n\n## みだし\n", audience="policy")
    write("a", "\n# あ\n\n前[政策課の**表**](secretive.html?x=1#みだし)後 [自](#manual)\n")
    release = built(city, dashboards, tmp_path)
    staff, policy = (
        (release.path / "sites" / release.audiences[name] / "a.html").read_text() for name in ("staff", "policy")
    )
    assert "secretive.html?x=1#" in policy
    assert re.search("前(<span>)?政策課の<strong>表</strong>(</span>)?後", staff) and 'href="#manual"' in staff
    assert not any(b"secretive" in path.read_bytes() for path in (release.path / "sites/staff").rglob("*.*"))


def test_a_link_to_a_withheld_page_is_its_text(city, dashboards, write, tmp_path):
    write("b", "\n# い\n")
    write("a", "\n# あ\n\n[い](b.html)\n")
    release = built(city, dashboards, tmp_path, withheld=["b"])
    assert "b.html" not in (release.path / "sites/staff/a.html").read_text()


def test_a_warning_of_mkdocs_is_an_error_and_its_logger_is_as_before(dashboards, tmp_path):
    log = logging.getLogger("mkdocs")
    log.setLevel(logging.CRITICAL)
    before = log.level, log.propagate, list(log.handlers)
    work = tmp_path / "work"
    work.mkdir()
    (work / "index.md").write_text("# 入口\n\n[無](nothing.md)\n")
    with pytest.raises(LoungeError) as warned:
        render(dashboards, work, tmp_path / "out", list(load_pages(dashboards).values()), {}, synthetic=False)
    assert warned.value.code == "site.mkdocs" and warned.value.at["file"] == "index.md"
    assert "nothing.md" in warned.value.remedy
    assert (log.level, log.propagate, list(log.handlers)) == before
    log.setLevel(logging.NOTSET)


def test_links_are_read_with_the_extensions_that_render_them():
    text = (PROJECT / "dashboards/mkdocs.yml").read_text()
    named = yaml.load(text.replace("!!python/name:", ""), yaml.SafeLoader)["markdown_extensions"]
    plain = [next(iter(one)) if isinstance(one, dict) else one for one in named]
    ours = {type(one).__module__.rpartition(".")[2] for one in renderer().registeredExtensions}
    assert ours <= {*plain} and len(plain) == 4


def test_every_page_of_the_project_links_to_what_is_there():
    assert check_links(load_pages(PROJECT / "dashboards")) == []
