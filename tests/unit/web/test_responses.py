"""The owning section says what it knows of an unusual change; who sees the page reads it; all of it is on record."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DatabaseError

from kobe_platform.governance.people import add_person
from kobe_platform.governance.schema import unusual_response
from kobe_platform.governance.trail import events
from kobe_platform.lounge.tables import write_tables
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.unusual.codes import watched_series
from kobe_platform.vocabulary.codes import hierarchies
from tests.unit.web.conftest import post, visitor, write_release

OWNER = "企画調整局政策課"
FORM = {"month": "2025-12", "series": "moves_in", "area": "28101", "state": "investigating", "note": "窓口に確認中"}
FILES = {"staff": {"index.html": "x", "unusual_changes.html": "x"}, "policy": {"index.html": "x"}}


def release(settings, files=FILES) -> None:
    """A release in which 東灘区 has more moves in than usual in December, and 灘区 has not."""
    write_release(settings.releases, files, "0002-0123456789ab")
    figures = {"actual": 500, "expected": 300, "lower": 260, "upper": 340}
    rows = [
        ("2025-12", "moves_in", "28101", name, value, "published") for name, value in (*figures.items(), ("rank", 1))
    ]
    rows += [("2025-12", "moves_in", "28102", "actual", 301, "published")]
    columns = ["period", "series", "area", "figure", "value", "status"]
    tables = {"usual_ranges": pl.DataFrame(rows, schema=columns, orient="row")}
    known = {"usual_ranges": load_published(Settings().statistics)["usual_ranges"]}
    dims = {name: hierarchies()[name].frame() for name in ("ward", "usual_figure")}
    dims["watched_series"] = watched_series(tables, known).frame()
    write_tables(
        settings.releases / "0002-0123456789ab" / "tables",
        tables,
        dims,
        {"usual_ranges": known["usual_ranges"].facts()},
    )


@pytest.fixture
def portal(app, settings):
    release(settings)
    add_person(app.state.portal.database, "owner", "政策 花子", OWNER, by="test")
    return app


def trail(app) -> list[tuple[str, str, str]]:
    now = datetime.now(UTC)
    found = events(app.state.portal.database, now - timedelta(hours=1), now + timedelta(hours=1))
    return [(one.who, one.object, one.outcome) for one in found if one.action == "unusual.response"]


def test_the_owning_section_writes_and_everybody_who_sees_the_page_reads(portal):
    owner = visitor(portal, "owner")
    page = owner.get("/responses").text
    assert "東灘区 転入" in page and "500" in page and "260〜340" in page and "対応を書く" in page
    assert "灘区 転入" not in page.replace("東灘区 転入", ""), "what is not listed is not there"
    assert post(portal, owner, "/responses", FORM).status_code == 303
    read = visitor(portal, "clerk").get("/responses").text
    assert "調査中" in read and "窓口に確認中" in read and "政策 花子" in read and "対応を書く" not in read
    assert trail(portal) == [("owner", "2025-12/moves_in/28101", "done")]


def test_the_last_word_comes_first_and_the_former_ones_stay(portal):
    owner = visitor(portal, "owner")
    for state, note in (("investigating", "最初"), ("handled", "次")):
        post(portal, owner, "/responses", {**FORM, "state": state, "note": note})
    page = owner.get("/responses").text
    assert 'state-approved">業務対応' in page and page.index("：次") < page.index("：最初")
    with portal.state.portal.database.begin() as connection:
        for change in (delete(unusual_response), update(unusual_response).values(note="x")):
            with pytest.raises(DatabaseError):
                connection.execute(change)


@pytest.mark.parametrize("who", ["clerk", "administrator", "decider", "operator"])
def test_another_section_is_refused_whatever_its_role_and_that_is_noted(portal, who):
    answer = post(portal, visitor(portal, who), "/responses", FORM)
    assert answer.status_code == 403 and "所管課の人だけ" in answer.text
    assert trail(portal) == [(who, "2025-12/moves_in/28101", "refused")]
    with portal.state.portal.database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM unusual_response")).scalar() == 0


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"area": "28102"}, 404),
        ({"month": "2025-11"}, 404),
        ({"state": "sabotage"}, 422),
        ({"note": " "}, 422),
        ({"note": "x" * 201}, 422),
    ],
)
def test_only_listed_changes_and_known_states_are_kept(portal, changed, status):
    assert post(portal, visitor(portal, "owner"), "/responses", {**FORM, **changed}).status_code == status
    assert trail(portal) == []


def test_what_is_written_is_shown_as_text(portal):
    owner = visitor(portal, "owner")
    post(portal, owner, "/responses", {**FORM, "note": "<script>alert(1)</script>"})
    assert "<script>alert" not in owner.get("/responses").text


def test_who_does_not_see_the_page_sees_no_responses(portal, settings):
    post(portal, visitor(portal, "owner"), "/responses", FORM)
    release(settings, {"staff": {"index.html": "x"}, "policy": {"index.html": "x"}})
    for who in ("clerk", "owner"):
        answer = visitor(portal, who).get("/responses")
        assert answer.status_code == 404 and "窓口に確認中" not in answer.text
    assert post(portal, visitor(portal, "owner"), "/responses", FORM).status_code == 404
