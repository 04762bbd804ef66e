"""Short links stand for a page with its choices, lead whom the page itself admits, and name nobody."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import open_database
from kobe_platform.governance.schema import short_link
from kobe_platform.governance.short_links import LONGEST, lengthen, shorten
from kobe_platform.web.state import MOST_LINKS
from tests.unit.web.conftest import post, visitor

CHOICES = "/people.html?area=%E5%9E%82%E6%B0%B4%E5%8C%BA&period=2025-12#c3"


@pytest.fixture
def database(tmp_path):
    return open_database(f"sqlite:///{tmp_path / 'links.db'}")


def test_the_same_address_has_the_same_code_and_comes_back_whole(database):
    code = shorten(database, CHOICES)
    assert shorten(database, CHOICES) == code != shorten(database, "/people.html?area=x")
    assert lengthen(database, code) == CHOICES and len(code) == 8
    assert lengthen(database, "nowhere2") is None


def test_two_addresses_whose_codes_begin_alike_are_kept_apart(database):
    code = shorten(database, CHOICES)
    with database.begin() as connection:
        connection.execute(short_link.update().values(address="/other.html?a=1"))
    longer = shorten(database, CHOICES)
    assert longer.startswith(code) and len(longer) == len(code) + 1
    assert (lengthen(database, code), lengthen(database, longer)) == ("/other.html?a=1", CHOICES)


def test_the_links_longest_in_disuse_make_room(database):
    first, second = (shorten(database, f"/people.html?n={n}", on=date(2026, 1, n)) for n in (1, 2))
    assert lengthen(database, first, on=date(2026, 1, 3))
    third = shorten(database, "/people.html?n=3", most=2, on=date(2026, 1, 4))
    assert [lengthen(database, code) is not None for code in (first, second, third)] == [True, False, True]


def test_an_address_that_is_too_long_is_refused(database):
    with pytest.raises(GovernanceError, match="too long"):
        shorten(database, "/people.html?" + "a" * LONGEST)


def test_a_reader_makes_a_link_that_leads_others_to_the_same_choices(app):
    made = post(app, visitor(app, "clerk"), "/s", {"address": CHOICES})
    path = made.json()["path"]
    opened = visitor(app, "member").get(path, headers={"accept": "text/html"})
    assert (opened.status_code, opened.headers["location"]) == (303, CHOICES)
    stranger = visitor(app).get(path, headers={"accept": "text/html"})
    assert stranger.headers["location"].startswith("/sign-in?next=")
    kept = app.state.portal.database.connect().execute(select(short_link)).mappings().one()
    assert set(kept) == {"code", "address", "used_on"}, "nothing says who made it"


def test_a_link_to_a_page_that_the_reader_may_not_see_is_as_good_as_none(app):
    path = post(app, visitor(app, "member"), "/s", {"address": "/secret.html?area=x"}).json()["path"]
    clerk = visitor(app, "clerk")
    refused, unknown = (clerk.get(one, headers={"accept": "text/html"}) for one in (path, "/s/nowhere2"))
    assert (refused.status_code, refused.text) == (404, unknown.text)
    assert post(app, clerk, "/s", {"address": "/secret.html?area=x"}).status_code == 422


@pytest.mark.parametrize(
    "address",
    ["https://elsewhere.test/people.html", "//elsewhere.test/people.html", "/audit-report", "/sign-out", "people.html",
     "/people.html\n", "/../people.html", "/r/0001/secret.html", "/people.html?" + "a" * 3000],
)  # fmt: skip
def test_nothing_but_pages_that_the_maker_sees_is_shortened(app, address):
    assert post(app, visitor(app, "clerk"), "/s", {"address": address}).status_code == 422


def test_nobody_fills_the_table_in_a_minute(app):
    clerk = visitor(app, "clerk")
    answers = [post(app, clerk, "/s", {"address": f"/people.html?n={n}"}).status_code for n in range(MOST_LINKS + 1)]
    assert answers == [200] * MOST_LINKS + [429]


def test_a_former_release_asks_the_portal_of_today(app):
    answer = visitor(app, "clerk").get("/r/0001/reader.json")
    assert (answer.status_code, answer.headers["location"]) == (303, "/reader.json")
