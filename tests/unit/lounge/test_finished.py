"""Finished figures stand in a page as they were composed, wherever it holds them; all around them is Markdown."""

from __future__ import annotations

import pytest

from kobe_platform.lounge.binding import Bound
from kobe_platform.lounge.components import COMPONENTS
from kobe_platform.lounge.filters import PageFilter, filter_html
from kobe_platform.lounge.finished import FinishedHtml
from kobe_platform.lounge.links import renderer
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.site import render
from kobe_platform.lounge.tags import Tag

FIGURE = (
    '<figure class="lounge-card" id="c1"><figcaption>表 *一* と `c`</figcaption><p hidden>x</p>'
    "<table><tr><td>1</td><td>&lt;2&gt;</td></tr></table>\u3000</figure>"
)


@pytest.mark.parametrize(
    "before", ["", '<div class="lounge-grid" markdown="1">\n\n', "1. 一\n2. 二\n\n", "| a |\n|---|\n| 1 |\n\n"]
)
def test_a_figure_is_handed_on_letter_for_letter(before):
    markdown = renderer()
    FinishedHtml().extendMarkdown(markdown)
    html = markdown.convert(
        f"文*強*\n\n{before}{FIGURE}\n\n{FIGURE}\n\n{'</div>' if 'div' in before else ''}\n\n## 題\n"
    )
    assert html.count(FIGURE) == 2
    assert "<em>強</em>" in html and '<h2 id="題">' in html
    assert "<em>一</em>" not in html and "wzxhzdk" not in html


def test_a_figure_that_an_author_breaks_over_lines_is_read_as_before():
    broken = '<figure markdown="1">\n\n*図*\n\n</figure>\n'
    plain, ours = renderer(), renderer()
    FinishedHtml().extendMarkdown(ours)
    assert ours.convert(broken) == plain.convert(broken)


@pytest.mark.parametrize(
    ("name", "look", "default"),
    [("Dropdown", "", "101"), ("Dropdown", "buttons", "101"), ("Period", "", "101"), ("Range", "", "101..103")],
)
def test_a_filter_stands_as_if_each_of_its_choices_had_been_read(name, look, default):
    options = tuple((f"1{n:02d}", f"<{n}> *区*", "市" if n % 2 else "") for n in range(30))
    bound = Bound(Tag(name, {}, 1), COMPONENTS[name], {"name": "area", "title": "区", "look": look})
    line = filter_html(PageFilter(bound, options, default))
    text = f'<div class="lounge-filters" markdown="1">\n\n{line}\n\n</div>\n\n## 題\n'
    plain, ours = renderer(), renderer()
    FinishedHtml().extendMarkdown(ours)
    assert ours.convert(text) == plain.convert(text)
    assert "101" in line and "101" not in "".join(ours.preprocessors["lounge_finished"].run([line])).partition(">")[2]


def test_a_rendered_page_has_it_and_its_anchor(dashboards, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "index.md").write_text(f"# 入口\n\n{FIGURE}\n\n[図へ](#c1)\n")
    render(dashboards, work, tmp_path / "out", list(load_pages(dashboards).values()), {}, synthetic=False)
    html = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert FIGURE in html and 'href="#c1"' in html
