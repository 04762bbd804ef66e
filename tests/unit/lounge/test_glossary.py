"""Words of the glossary lead to it from the texts of pages, once each; a file that is not as it must be is refused."""

from __future__ import annotations

import re

import pytest
from markdown import Markdown

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.glossary import GlossaryLinks, GlossaryTerm, glossary_page, load_glossary
from kobe_platform.settings import Settings

TERMS = (
    GlossaryTerm(name="人口", text="人の数"),
    GlossaryTerm(name="推計人口", also=("推計",), text="…"),
    GlossaryTerm(name="版", text="…"),
)


def linked(text: str) -> list[str]:
    page = Markdown(extensions=["attr_list", "md_in_html", "tables", GlossaryLinks(TERMS)]).convert(text)
    return re.findall(r'href="glossary.md#(term-\d)"[^>]*>([^<]+)<', page)


def test_the_first_place_of_a_word_links_and_the_longest_word_that_fits():
    assert linked("推計人口と**人口**、また推計人口。\n\n- 人口の推計") == [("term-2", "推計人口"), ("term-1", "人口")]
    assert linked("| 人口 |\n|---|\n| 推計 |") == [("term-2", "推計")], "cells do, headings of a table do not"


@pytest.mark.parametrize("text", ["# 人口", "[人口](x.html)", "`人口`", "版は1字", "<div>人口</div>", "    人口"])
def test_headings_links_code_and_ready_html_stay_as_they_are(text):
    assert linked(text) == []


def test_the_glossary_does_not_link_to_itself():
    assert linked(glossary_page(TERMS)) == [] and glossary_page(()) == ""


def test_the_citys_glossary_is_read_and_each_word_stands_there_once():
    terms = load_glossary(Settings().dashboards)
    assert "推計人口" in [term.name for term in terms] and len(terms) >= 15


@pytest.mark.parametrize(
    "text",
    [
        "term = 3",
        '[[term]]\nname = "人口"',
        '[[term]]\nname = "a"\ntext = "<b>"',
        '[[term]]\nname = "a"\ntext = "b"\ncolour = "c"',
        '[[term]]\nname = "a"\ntext = "b"\n[[term]]\nname = "c"\nalso = ["a"]\ntext = "d"',
        "[[term",
    ],
)
def test_a_glossary_that_is_not_as_it_must_be_is_refused(tmp_path, text):
    (tmp_path / "glossary.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_glossary(tmp_path)
    assert refused.value.code == "glossary.entry"


def test_without_a_file_there_is_no_glossary(tmp_path):
    assert load_glossary(tmp_path) == ()
