"""Notices, known defects and the ways to ask and answer, as the city writes them down."""

from __future__ import annotations

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.notices import (
    SHOWN,
    Links,
    editions_page,
    links_html,
    load_links,
    load_notices,
    notices_html,
    survey_page,
)
from tests.unit.lounge.conftest import PROJECT


def notice(day: str, kind: str, title: str, more: str = "") -> str:
    return f'[[notice]]\ndate = {day}\nkind = "{kind}"\ntitle = "{title}"\ntext = "a"\n{more}\n'


def test_notices_are_dated_newest_first_and_escaped(tmp_path):
    told = notice("2026-01-01", "news", "<b>") + notice("2026-02-01", "maintenance", "c")
    (tmp_path / "notices.toml").write_text(told)
    notices = load_notices(tmp_path)
    assert [n.date.month for n in notices] == [2, 1]
    html = notices_html(notices)
    assert "&lt;b&gt;" in html
    assert "2026年2月1日" in html
    assert "停止予定" in html


def test_open_defects_stand_before_those_that_are_mended(tmp_path):
    told = notice("2026-03-01", "defect", "mended", "resolved = 2026-03-05") + notice("2026-01-01", "defect", "open")
    (tmp_path / "notices.toml").write_text(told)
    html = notices_html(load_notices(tmp_path))
    assert html.index("open") < html.index("mended")
    assert "対応中" in html
    assert "解消（2026年3月5日）" in html


def test_older_notices_are_folded_away(tmp_path):
    (tmp_path / "notices.toml").write_text("".join(notice(f"2026-01-{d:02d}", "news", f"no{d}") for d in range(1, 8)))
    html = notices_html(load_notices(tmp_path))
    assert html.index("no4") < html.index("<details") < html.index("no3")
    assert f"以前のもの（{7 - SHOWN}件）" in html


@pytest.mark.parametrize("more", ['kind = "news"', 'date = 2026-01-01\nkind = "rumour"\ntitle = "a"\ntext = "b"'])
def test_an_incomplete_notice_is_named_by_its_number(tmp_path, more):
    (tmp_path / "notices.toml").write_text(notice("2026-01-01", "news", "a") + f"[[notice]]\n{more}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_notices(tmp_path)
    assert caught.value.at["notice"] == 2


def test_a_mail_address_becomes_a_mail_link_and_a_form_is_told_the_page():
    assert 'href="mailto:toukei@example.lg.jp?subject=' in links_html(Links("toukei@example.lg.jp"), "ward_moves")
    assert 'href="/form?page=ward_moves"' in links_html(Links("/form"), "ward_moves")


def test_a_copy_without_the_portal_server_has_a_page_where_its_form_would_be():
    assert 'href="survey.html?page=ward_moves"' in links_html(Links("/survey"), "ward_moves")
    assert "mailto:toukei@example.lg.jp?subject=" in survey_page(Links("/survey", mail="toukei@example.lg.jp"))
    assert "mailto" not in survey_page(Links("/survey"))
    assert survey_page(Links("toukei@example.lg.jp")) == ""


def test_a_copy_says_where_the_list_of_releases_is():
    assert "職員ポータルの画面で見られます" in editions_page() and "# 版と訂正" in editions_page()


def test_what_is_not_configured_is_not_shown():
    html = links_html(Links(), "index")
    assert "#manual" in html
    assert "チャット" not in html
    assert "アンケート" not in html
    assert "チャット" in links_html(Links(chat="https://chat.example.lg.jp/lounge"), "index")


@pytest.mark.parametrize(
    "told",
    [
        'survey = "javascript:alert(1)"',
        'chat = "//outside.example"',
        'chat = "toukei@example.lg.jp"',
        'survey = "/a b"',
        'mail = "/survey"',
        'poll = "/survey"',
        "survey =",
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path, told):
    (tmp_path / "links.toml").write_text(told)
    with pytest.raises(ConfigurationError) as caught:
        load_links(tmp_path)
    assert caught.value.code == "links.entry"


def test_the_projects_own_notices_and_links_can_be_read():
    assert load_notices(PROJECT / "dashboards")
    assert load_links(PROJECT / "dashboards").survey
