"""What the portal keeps for those who sign in: favourites with their news, questions with answers, counts of views."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.exc import DatabaseError
from starlette.testclient import TestClient

from kobe_platform.alerts.line import failed
from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import open_database
from kobe_platform.governance.mail_addresses import (
    VALID,
    claim_address,
    claimed_address,
    confirm_address,
    issue_token,
    mail_address,
)
from kobe_platform.governance.page_views import (
    KEPT_DAYS,
    LEAST,
    OTHERS,
    TOGETHER,
    ViewCounter,
    named,
    views_since,
)
from kobe_platform.governance.people import add_person, remove_person
from kobe_platform.governance.questions import LONGEST, _plain
from kobe_platform.governance.schema import (
    WITHDRAWN,
    event,
    favourite,
    mail_claim,
    notice_mail,
    page_answer,
    page_question,
    page_views,
)
from kobe_platform.lounge.pruning import _prune
from kobe_platform.lounge.release import releases_of
from kobe_platform.vocabulary.clock import today
from kobe_platform.web import minutely
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.mailing import send_confirmations, send_news
from kobe_platform.web.portal import build_portal
from kobe_platform.web.state import Postponed, Throttle
from tests.unit.alerts.servers import mail_server
from tests.unit.web.conftest import ORIGIN, post, registered, settings_in, visitor, write_release

OWNER = "企画調整局政策課"
SITE = {"index.html": "x", "ward_population.html": "x", "unusual_changes.html": "x"}
FILES = {"staff": SITE, "policy": {**SITE, "ward_moves.html": "x"}}
PAGE = "ward_population"
PROGRAM, READER = {"accept": "*/*", "sec-fetch-mode": "cors"}, {"accept": "text/html", "sec-fetch-mode": "navigate"}


def release(settings, number: int, months: dict[str, int], files: dict = FILES) -> None:
    """A release whose table of residents has a figure for each month."""
    name = f"{number:04}-0123456789ab"
    write_release(settings.releases, files, name)
    rows = pl.DataFrame({"period": list(months), "value": list(months.values())})
    file = settings.releases / name / "tables/population_ward.parquet"
    file.parent.mkdir()
    rows.write_parquet(file)
    record = file.parents[1] / "release.json"
    told = json.loads(record.read_text())
    told["tables"] = {"population_ward": {"title": "住民基本台帳人口"}}
    told["files"] = {"tables/population_ward.parquet": json.dumps(months)}
    record.write_text(json.dumps(told))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One portal for the module, with an owner of the pages; its settings."""
    settings = settings_in(tmp_path_factory.mktemp("readers"))
    release(settings, 1, {"2025-10": 1, "2025-11": 2})
    app = registered(build_portal(settings, PortalConfig(origin=ORIGIN, notices={"domains": ["city.example"]})))
    for login in ("owner", "second", "third", "fourth", "fifth"):
        add_person(app.state.portal.database, login, f"政策 {login}", OWNER, by="test")
    return app, settings


@pytest.fixture
def app(home):
    """That portal with nothing kept of readers, and its first release in force."""
    app, settings = home
    link = settings.releases / ".back"
    link.symlink_to("0001-0123456789ab")
    link.replace(settings.releases / "current")
    portal = app.state.portal
    portal.views, portal.answers, portal.changes = ViewCounter(), Throttle(100), Throttle(100)
    with portal.database.begin() as connection:
        for table in (favourite, notice_mail, mail_claim, page_views):
            connection.execute(delete(table))
    return app


@pytest.fixture
def box(home):
    """A mail server of the city that the portal's settings name."""
    settings = home[1]
    with mail_server() as box:
        lines = ["[mail]", 'host = "127.0.0.1"', f"port = {box.port}", 'security = "none"',
                 'from = "platform@city.example"', 'to = ["operator@city.example"]']  # fmt: skip
        (settings.root / "alerts.toml").write_text("\n".join(lines))
        yield box
    (settings.root / "alerts.toml").unlink()


def confirmed(app, who: str, release: int = 1) -> None:
    """Somebody's address, as if they had opened the link that was mailed to it."""
    database = app.state.portal.database
    claim_address(database, who, f"{who}@city.example", ["city.example"])
    confirm_address(database, who, issue_token(database, claimed_address(database, who)), release)


def told(app, who: str, page: str = "") -> dict:
    return visitor(app, who).get(f"/reader.json?page={page}").json()


def test_favourites_follow_the_person_to_every_browser_and_end_with_the_account(app):
    clerk = visitor(app, "clerk")
    kept = post(app, clerk, "/favourites", {"add": f"{PAGE} ward_moves nonsense"}, accept="application/json").json()
    assert kept["favourites"] == [PAGE], "a page that the reader does not see is not kept"
    assert told(app, "clerk")["favourites"] == [PAGE] and told(app, "member")["favourites"] == []
    post(app, clerk, "/favourites", {"remove": PAGE})
    assert told(app, "clerk")["favourites"] == []
    database = app.state.portal.database
    add_person(database, "leaver", "去る人", "市民課", by="test")
    post(app, visitor(app, "leaver"), "/favourites", {"add": PAGE})
    confirmed(app, "leaver")
    remove_person(database, "leaver", by="test")
    with database.connect() as connection:
        assert connection.execute(select(favourite)).all() == connection.execute(select(notice_mail)).all() == []


def test_a_favourite_whose_figures_changed_is_news_until_the_reader_has_read_of_it(app, home):
    clerk = visitor(app, "clerk")
    post(app, clerk, "/favourites", {"add": f"{PAGE} unusual_changes"})
    assert told(app, "clerk", PAGE)["news"] == [] and told(app, "clerk", PAGE)["changed"]["text"] == ""
    release(home[1], 2, {"2025-10": 1, "2025-11": 3, "2025-12": 4})
    words = "2025年12月を追加、2025年11月を訂正"
    assert [(one["page"], one["text"]) for one in told(app, "clerk")["news"]] == [(PAGE, words)]
    assert told(app, "member", PAGE)["changed"] == {"former": 1, "text": words}
    assert words in clerk.get("/news").text and told(app, "member")["news"] == []
    post(app, clerk, "/favourites", {"seen": PAGE})
    assert told(app, "clerk")["news"] == []


def test_mail_goes_once_to_who_wants_it_within_the_citys_domains_and_tells_no_figure(app, home, box):
    _, settings = home
    clerk = visitor(app, "clerk")
    post(app, clerk, "/favourites", {"add": PAGE})
    refused = post(app, clerk, "/news", {"address": "clerk@elsewhere.example"})
    assert refused.status_code == 422 and "city.example" in refused.text
    confirmed(app, "clerk")
    release(settings, 3, {"2025-10": 1, "2025-11": 2, "2025-12": 987654})
    alerts = settings.root / "alerts.toml"
    kept = alerts.read_text()
    alerts.unlink()
    assert send_news(app.state.portal) == 0, "no mail server is configured"
    alerts.write_text(kept)
    assert send_news(app.state.portal) == 1 and send_news(app.state.portal) == 0
    (mail,) = box.taken
    body = mail.get_content()
    assert mail["to"] == "clerk@city.example" and "2025年12月を追加" in body and f"{ORIGIN}/{PAGE}.html" in body
    assert "987654" not in body and "operator@city.example" not in str(mail)


def test_a_refused_address_keeps_the_mail_from_nobody_else_and_the_past_is_not_mailed(app, home, box, monkeypatch):
    _, settings = home
    for who in ("clerk", "member"):
        browser = visitor(app, who)
        post(app, browser, "/favourites", {"add": PAGE})
    release(settings, 4, {"2025-10": 1, "2025-11": 2, "2025-12": 4})
    for who in ("clerk", "member"):
        confirmed(app, who, 4)
    taken = []

    def server(message, *_):
        if message["to"].startswith("clerk"):
            raise failed("mail", "nobody", host="mail.city.example", port=25)
        taken.append(message["to"])

    monkeypatch.setattr("kobe_platform.web.mailing.hand_over", server)
    assert send_news(app.state.portal) == 0, "they subscribed after that release"
    release(settings, 5, {"2025-10": 1, "2025-11": 2, "2025-12": 5})
    assert send_news(app.state.portal) == 1 and send_news(app.state.portal) == 0
    assert taken == ["member@city.example"]


@pytest.mark.parametrize(
    ("number", "answer", "again"), [(30, "554 not this one", False), (31, "451 in a while", True), (32, "", False)]
)
def test_a_mail_that_is_refused_put_off_or_unanswered_keeps_none_from_those_behind(
    app, home, box, number, answer, again
):
    """``clerk`` comes before ``member``; ``again``: whether what went wrong is tried again, once its rest is over."""
    for who in ("clerk", "member"):
        post(app, visitor(app, who), "/favourites", {"add": PAGE})
        confirmed(app, who)
    release(home[1], number, {"2025-10": 1, "2025-11": 2, "2025-12": number})
    portal = app.state.portal
    if answer:
        box.answers = {"clerk@city.example": answer}
    else:
        alerts = home[1].root / "alerts.toml"
        alerts.write_text("timeout_seconds = 1\n" + alerts.read_text())
        box.late = 1.3
    send_news(portal)
    box.late, box.answers = 0, {}
    send_news(portal)
    assert [mail["to"] for mail in box.taken].count("member@city.example") == 1
    assert [mail["to"] for mail in box.taken].count("clerk@city.example") == 1, "it is not handed over again and again"
    portal.postponed = Postponed()
    assert send_news(portal) == int(again)


def test_an_address_that_its_server_puts_off_is_mailed_its_link_later(app, box):
    portal = app.state.portal
    claim_address(portal.database, "clerk", "clerk@city.example", ["city.example"])
    box.refuse, box.answers = {"clerk@city.example"}, {"clerk@city.example": "450 greylisted"}
    assert send_confirmations(portal) == 0
    box.refuse, box.answers = set(), {}
    assert send_confirmations(portal) == 0, "its rest is not over"
    portal.postponed = Postponed()
    assert send_confirmations(portal) == 1


def test_an_address_is_sent_three_links_a_day_whoever_asks(app):
    box = f"box-{app.state.portal.config.cookie}@city.example"
    everybody = ("clerk", "member", "owner", "administrator")
    told = [post(app, visitor(app, who), "/news", {"address": box}) for who in everybody]
    assert [one.status_code for one in told] == [303, 303, 303, 429] and "1日に3通" in told[-1].text
    assert post(app, visitor(app, "administrator"), "/news", {"address": "other@city.example"}).status_code == 303


def test_nothing_but_one_link_is_mailed_to_an_address_until_its_reader_opens_it(app, home, box):
    clerk, portal = visitor(app, "clerk"), app.state.portal
    post(app, clerk, "/favourites", {"add": PAGE})
    assert post(app, clerk, "/news", {"address": "clerk@city.example"}).status_code == 303
    assert portal.mail_due.is_set(), "the mail does not wait for the next minute"
    release(home[1], 9, {"2025-10": 1, "2025-11": 2, "2025-12": 9})
    assert send_news(portal) == 0, "nobody said that the address is theirs"
    assert send_confirmations(portal) == 1 and send_confirmations(portal) == 0
    (mail,) = box.taken
    (link,) = re.findall(rf"{ORIGIN}(/news/confirm\?token=\S+)", mail.get_content())
    token = link.partition("=")[2]
    assert mail["to"] == "clerk@city.example" and PAGE not in mail.get_content()
    with portal.database.connect() as connection:
        assert token not in str(connection.execute(select(mail_claim)).all()), "the database has the hash alone"
    assert token in clerk.get(link).text and mail_address(portal.database, "clerk") == "", "a link is only followed"
    for who, words in (("member", token), ("clerk", "x" * 43), ("clerk", "")):
        refused = post(app, visitor(app, who), "/news/confirm", {"token": words})
        assert refused.status_code == 422 and "このリンクは使えません" in refused.text
    assert post(app, clerk, "/news/confirm", {"token": token}).status_code == 303
    assert "clerk@city.example に届きます" in clerk.get("/news").text
    assert post(app, clerk, "/news/confirm", {"token": token}).status_code == 422, "once"
    release(home[1], 10, {"2025-10": 1, "2025-11": 2, "2025-12": 10})
    assert send_news(portal) == 1
    post(app, clerk, "/news", {"address": ""})
    assert mail_address(portal.database, "clerk") == ""


CODED = (
    "=?utf-8?q?b=40elsewhere.example=2C?=.y@city.example",
    "=?utf-8?q?b=40elsewhere.example=3E?=.y@city.example",
    "=?utf-8?b?!?=@city.example",
    "=?utf-8?q?=0a?=@city.example",
    "clerk@city.example\n",
)
"""A mail's header would name another address, or break."""


@pytest.mark.parametrize(("number", "address"), [*enumerate(CODED, 20)])
def test_an_address_in_coded_words_is_refused_and_one_that_was_kept_stops_nobodys_mail(app, home, box, number, address):
    database = app.state.portal.database
    with pytest.raises(GovernanceError) as refused:
        claim_address(database, "clerk", address, ["city.example"])
    assert refused.value.code == "notices.address"
    post(app, visitor(app, "clerk"), "/favourites", {"add": PAGE})
    post(app, visitor(app, "member"), "/favourites", {"add": PAGE})
    confirmed(app, "member")
    with database.begin() as connection:  # as an earlier version kept them
        connection.execute(insert(notice_mail).values(login="clerk", address=address))
        claim = {"login": "clerk", "address": address, "token_hash": "", "sent": False, "asked_at": datetime.now(UTC)}
        connection.execute(insert(mail_claim).values(**claim))
    release(home[1], number, {"2025-10": 1, "2025-11": 2, "2025-12": number})
    assert send_confirmations(app.state.portal) == 0 and send_news(app.state.portal) == 1
    assert [mail["to"] for mail in box.taken] == ["member@city.example"]


def test_a_link_ends_after_a_day_and_another_address_leaves_the_confirmed_one_in_force(app):
    database, now = app.state.portal.database, datetime.now(UTC)
    confirmed(app, "clerk")
    later = now + timedelta(hours=1)
    claim_address(database, "clerk", "other@city.example", ["city.example"], later)
    token = issue_token(database, claimed_address(database, "clerk"))
    assert mail_address(database, "clerk") == "clerk@city.example"
    with pytest.raises(GovernanceError, match="confirms nothing"):
        confirm_address(database, "clerk", token, 1, later + VALID + timedelta(seconds=1))
    with pytest.raises(GovernanceError, match="just now"):
        claim_address(database, "clerk", "third@city.example", ["city.example"], later + timedelta(minutes=4))
    claim_address(database, "clerk", "", ["city.example"], later)
    with pytest.raises(GovernanceError, match="just now"):  # taking an address back fills nobody's box either
        claim_address(database, "clerk", "third@city.example", ["city.example"], later + timedelta(minutes=4))
    with pytest.raises(GovernanceError, match="confirms nothing"):
        confirm_address(database, "clerk", token, 1, later)


def test_no_screen_tells_whether_an_address_exists(app, box, monkeypatch):
    told = {}
    for who, address in (("clerk", "here@city.example"), ("member", "nowhere@city.example")):
        browser = visitor(app, who)
        answer = post(app, browser, "/news", {"address": address})
        before = browser.get("/news").text
        if who == "member":

            def nobody(*_):
                raise failed("mail", "nobody", host="mail.city.example", port=25)

            monkeypatch.setattr("kobe_platform.web.mailing.hand_over", nobody)
        send_confirmations(app.state.portal)
        assert send_confirmations(app.state.portal) == 0, "it is not tried again and again"
        main = [text.partition("<main")[2].replace(address, "@") for text in (before, browser.get("/news").text)]
        told[who] = (answer.status_code, [re.sub(r'name="csrf" value="[^"]+"', "", text) for text in main])
    assert told["clerk"] == told["member"] and told["clerk"][1][0] == told["clerk"][1][1]


def test_a_mail_server_that_never_answers_does_not_hold_up_the_portals_end(home, monkeypatch):
    app, settings = home
    monkeypatch.setattr("kobe_platform.web.minutely.PATIENCE", 0.2)
    with app.state.portal.database.begin() as connection:
        connection.execute(delete(mail_claim))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lines = ["timeout_seconds = 20", "[mail]", 'host = "127.0.0.1"', f"port = {silent.getsockname()[1]}",
                 'security = "none"', 'from = "platform@city.example"', 'to = ["operator@city.example"]']  # fmt: skip
        (settings.root / "alerts.toml").write_text("\n".join(lines))
        with TestClient(app, base_url=ORIGIN):
            for who in ("clerk", "member"):
                claim_address(app.state.portal.database, who, f"{who}@city.example", ["city.example"])
            app.state.portal.mail_due.set()
            line, _ = silent.accept()
            since = time.monotonic()
        assert time.monotonic() - since < 2
        line.close()  # the mail under way fails, and the thread ends without the next one
        (thread,) = [one for one in threading.enumerate() if one.name == "mail to readers"] or [None]
        if thread is not None:
            thread.join(5)
        silent.settimeout(0.2)
        with pytest.raises(TimeoutError):
            silent.accept()
    (settings.root / "alerts.toml").unlink()


def test_news_go_on_from_the_oldest_release_left_when_the_one_last_seen_is_pruned(app, home):
    _, settings = home
    release(settings, 6, {"2025-10": 1, "2025-11": 9})
    post(app, visitor(app, "clerk"), "/favourites", {"add": PAGE})
    release(settings, 7, {"2025-10": 1, "2025-11": 2})
    release(settings, 8, {"2025-10": 1, "2025-11": 2, "2025-12": 4})
    assert "2025年11月を訂正" in told(app, "clerk")["news"][0]["text"]
    seen = next(one for one in releases_of(settings.releases) if one.id.startswith("0006-"))
    _prune(seen, "2026-01-01T00:00:00+00:00")
    assert [one["text"] for one in told(app, "clerk")["news"]] == ["2025年12月を追加"]


def test_new_lines_of_a_form_count_once():
    assert _plain("x\r\n" * (LONGEST // 2)).count("\n") == LONGEST // 2 - 1


def test_a_question_reaches_the_owning_section_and_its_answer_everybody_who_sees_the_page(app, monkeypatch):
    clerk, owner = visitor(app, "clerk"), visitor(app, "owner")
    assert post(app, clerk, "/questions", {"page": PAGE, "text": "<b>なぜ</b>ですか"}).status_code == 303
    asked = owner.get("/questions").text
    assert "&lt;b&gt;なぜ&lt;/b&gt;ですか" in asked and "clerkさん" in asked and "回答待ち" in asked
    assert "clerkさん" not in visitor(app, "auditor").get("/questions").text.partition("<main")[2], "a section, no name"
    assert told(app, "owner")["waiting"] == 1 and told(app, "clerk")["waiting"] == 0
    with app.state.portal.database.connect() as connection:
        number = connection.execute(select(page_question.c.id)).scalar_one()
    other = post(app, visitor(app, "operator"), f"/questions/{number}", {"text": "さて"})
    assert other.status_code == 403 and "所管課の人だけ" in other.text
    monkeypatch.setattr("kobe_platform.governance.questions.SHOWN", 0)  # it is older than those that are listed
    assert post(app, owner, "/questions/x", {"text": "さて"}).status_code == 404
    assert post(app, owner, f"/questions/{number}", {"text": "改定のためです"}).status_code == 303
    monkeypatch.undo()
    read = visitor(app, "member").get(f"/questions?page={PAGE}").text
    assert "改定のためです" in read and "回答済み" in read and told(app, "owner")["waiting"] == 0
    with app.state.portal.database.begin() as connection:
        trail = connection.execute(select(event).where(event.c.action.like("question.%"))).all()
        assert [(one.who, one.action, one.outcome) for one in trail] == [
            ("clerk", "question.ask", "done"), ("operator", "question.answer", "refused"),
            ("owner", "question.answer", "done"),
        ]  # fmt: skip
        assert "なぜ" not in str(trail) and "改定" not in str(trail), "the trail holds no words"
        for change in (delete(page_question), update(page_question).values(text="x"), delete(page_answer)):
            with pytest.raises(DatabaseError):
                connection.execute(change)


CANARY = "神戸太郎CANARY-7741"


@pytest.mark.parametrize(("who", "reason"), [("clerk", "author"), ("owner", "person"), ("administrator", "unfit")])
def test_words_that_name_a_person_are_erased_by_who_wrote_them_the_owning_section_or_an_administrator(
    app, home, who, reason
):
    clerk, owner = visitor(app, "clerk"), visitor(app, "owner")
    words = f"{CANARY}さんの" + "世帯" * 450  # longer than a page of the database has room for in place
    post(app, clerk, "/questions", {"page": PAGE, "text": words})
    number = newest(app, page_question)
    post(app, owner, f"/questions/{number}", {"text": f"{CANARY}さんのことには答えられません"})
    assert CANARY in visitor(app, "member").get("/questions").text and found(home[1])
    for other, why in (("member", "author"), ("operator", "person"), ("clerk", "person"), ("owner", "author")):
        refused = post(app, visitor(app, other), f"/questions/{number}/withdraw", {"reason": why})
        assert refused.status_code == 403 and CANARY in refused.text, other
    assert post(app, visitor(app, who), f"/questions/{number}/withdraw", {"reason": reason}).status_code == 303
    assert not found(home[1]), "the words are in no file of the database"
    for reader in ("clerk", "member", "owner", "administrator"):
        page = visitor(app, reader).get(f"/questions?page={PAGE}").text
        assert CANARY not in page and WITHDRAWN[reason] in page and "取下げ" in page, reader
    assert told(app, "owner")["waiting"] == 0
    again = post(app, visitor(app, who), f"/questions/{number}/withdraw", {"reason": reason})
    late = post(app, owner, f"/questions/{number}", {"text": "遅れた回答"})
    assert again.status_code == 409 and late.status_code == 422 and "取り下げられました" in late.text
    with app.state.portal.database.begin() as connection:
        trail = connection.execute(select(event).where(event.c.action == "question.withdraw")).all()
        done = [(one.who, one.object, one.detail) for one in trail if one.outcome == "done"]
        assert done[-1] == (who, f"{PAGE}/{number}", ""), "that it happened, and nothing else"
        for change in (
            update(page_question).where(page_question.c.id == number).values(withdrawn=""),
            update(page_question).where(page_question.c.id == number).values(text="x"),
            delete(page_question),
        ):
            with pytest.raises(DatabaseError):
                connection.execute(change)


def test_one_answer_is_withdrawn_and_the_question_waits_again(app, home):
    clerk, owner = visitor(app, "clerk"), visitor(app, "owner")
    post(app, clerk, "/questions", {"page": PAGE, "text": "なぜ増えましたか"})
    number = newest(app, page_question)
    post(app, owner, f"/questions/{number}", {"text": f"{CANARY}さんが越したため"})
    answer = newest(app, page_answer)
    waiting = told(app, "owner")["waiting"]
    refused = post(app, clerk, f"/questions/{number}/withdraw", {"answer": answer, "reason": "author"})
    assert refused.status_code == 403
    sent = {"answer": answer, "reason": "mistaken"}
    assert post(app, owner, f"/questions/{number}/withdraw", sent).status_code == 303
    page = clerk.get("/questions").text
    assert not found(home[1]) and "なぜ増えましたか" in page and WITHDRAWN["mistaken"] in page
    assert told(app, "owner")["waiting"] == waiting + 1
    assert post(app, owner, "/questions/999999/withdraw", sent).status_code == 404


def test_words_about_a_page_that_left_the_release_can_still_be_withdrawn(app, home):
    clerk = visitor(app, "clerk")
    post(app, clerk, "/questions", {"page": "unusual_changes", "text": f"{CANARY}さんの件"})
    number = newest(app, page_question)
    release(home[1], 11, {"2025-10": 1}, {"staff": {"index.html": "x", f"{PAGE}.html": "x"}})
    administrator = visitor(app, "administrator")
    assert CANARY in clerk.get("/questions").text and CANARY not in visitor(app, "member").get("/questions").text
    assert (
        CANARY not in administrator.get("/questions").text and f"質問 {number}" in administrator.get("/questions").text
    )
    assert post(app, visitor(app, "member"), f"/questions/{number}/withdraw", {"reason": "author"}).status_code == 404
    assert post(app, administrator, f"/questions/{number}/withdraw", {"reason": "person"}).status_code == 303
    assert not found(home[1]) and CANARY not in clerk.get("/questions").text


def test_the_owning_section_withdraws_words_about_pages_that_are_no_longer_shown_or_gone(app, home):
    """``unusual_changes`` is not in the release any more; of ``no_such_page`` there is no file that says an owner."""
    owner = visitor(app, "owner")
    release(home[1], 40, {"2025-10": 1}, {"staff": {"index.html": "x", f"{PAGE}.html": "x"}})
    database = app.state.portal.database
    with database.begin() as connection:
        numbers = []
        for page in ("unusual_changes", "no_such_page"):
            row = {
                "at": datetime.now(UTC),
                "who": "clerk",
                "section": "市民課",
                "page": page,
                "text": f"{CANARY}さんの件",
            }
            numbers.append(connection.execute(insert(page_question).values(**row)).inserted_primary_key[0])
    about, gone = numbers
    assert post(app, owner, f"/questions/{gone}/withdraw", {"reason": "person"}).status_code == 404, "it is nobody's"
    with database.begin() as connection:
        said = {
            "at": datetime.now(UTC),
            "who": "owner",
            "section": OWNER,
            "question": gone,
            "text": f"{CANARY}さんの答え",
        }
        answer = connection.execute(insert(page_answer).values(**said)).inserted_primary_key[0]
    page = owner.get("/questions").text
    assert f"質問 {about}" in page and f"質問 {gone}" in page and f"{CANARY}の件" not in page
    member = visitor(app, "member")
    for number in numbers:
        assert f"質問 {number}" not in member.get("/questions").text
        assert post(app, member, f"/questions/{number}/withdraw", {"reason": "person"}).status_code == 404
    sent = {"answer": answer, "reason": "person"}
    assert post(app, owner, f"/questions/{gone}/withdraw", sent).status_code == 303
    assert post(app, owner, f"/questions/{about}/withdraw", {"reason": "person"}).status_code == 303
    assert (
        post(app, visitor(app, "administrator"), f"/questions/{gone}/withdraw", {"reason": "person"}).status_code == 303
    )
    assert not found(home[1])


def test_every_question_can_be_reached_however_old(app, home, monkeypatch):
    monkeypatch.setattr("kobe_platform.governance.questions.SHOWN", 2)
    monkeypatch.setattr("kobe_platform.web.questions.SHOWN", 2)
    release(home[1], 41, {"2025-10": 1})
    clerk = visitor(app, "clerk")
    for _ in range(2):
        post(app, clerk, "/questions", {"page": PAGE, "text": "いつからですか"})
        post(app, clerk, "/questions", {"page": "unusual_changes", "text": "なぜですか"})
    with app.state.portal.database.connect() as connection:
        wanted = set(connection.execute(select(page_question.c.id).where(page_question.c.page == PAGE)).scalars())
    seen, place = set(), f"/questions?page={PAGE}"
    while place:
        text = clerk.get(place).text
        seen |= {int(one) for one in re.findall(r'id="q-(\d+)"', text)}
        place = "".join(re.findall(r'href="(/questions\?before=[^"]+)"', text)).replace("&amp;", "&")
    assert seen == wanted and len(wanted) > 2


def newest(app, table) -> int:
    with app.state.portal.database.connect() as connection:
        return connection.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1)).scalar_one()


def found(settings) -> bool:
    """Whether the canary lies in a file of the database, its log included."""
    files = list(settings.root.glob("governance.sqlite*"))
    assert files
    return any(CANARY.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("page", "words", "status"), [("ward_moves", "x", 404), (PAGE, " ", 422), (PAGE, "x" * 1001, 422)]
)
def test_no_question_without_words_or_about_a_page_that_the_reader_does_not_see(app, page, words, status):
    clerk = visitor(app, "clerk")
    assert post(app, clerk, "/questions", {"page": page, "text": words}).status_code == status
    assert visitor(app, "clerk").get("/questions?page=ward_moves").status_code == 404


def test_views_are_counted_by_day_and_section_when_a_reader_opens_a_page_and_otherwise_not(app):
    clerk = visitor(app, "clerk")
    for headers in (READER, READER, PROGRAM, {**READER, "sec-purpose": "prefetch"}):
        assert clerk.get(f"/{PAGE}.html", headers=headers).status_code == 200
    clerk.head(f"/{PAGE}.html", headers=READER)
    clerk.get("/nowhere.html", headers=READER)
    visitor(app).get(f"/{PAGE}.html", headers=READER)
    portal = app.state.portal
    assert views_since(portal.database, today()) == [], "nothing is written before it is due"
    portal.views.flush(portal.database)
    (one,) = views_since(portal.database, today())
    assert (one.day, one.page, one.section, one.views) == (today(), PAGE, "市民課", 2)
    columns = {column["name"] for column in inspect(portal.database).get_columns("page_views")}
    assert columns == {"day", "page", "section", "views"}, "no person, no time"


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [
        ({"a": 9, "b": 8}, set()),
        ({"a": 9, "b": 8, "c": 1}, {"b", "c"}),
        ({"a": 9, "b": 8, "c": 1, "d": 4}, {"c", "d"}),
        ({"a": 9, "b": 8, "c": 0}, {"b", "c"}),
        ({"a": 9, "b": 7, "": 8}, {""}),
    ],
)
def test_a_section_of_few_people_is_named_nowhere_and_never_left_alone_under_another_name(sizes, hidden):
    names = named(sizes)
    assert {section for section, name in names.items() if name == OTHERS} == hidden
    assert not hidden or sum(sizes[one] for one in hidden) >= LEAST


@pytest.mark.parametrize("sizes", [{"a": 3}, {"a": 3, "": 1}, {"a": 1, "b": 2, "c": 1}])
def test_where_all_sections_together_are_few_people_no_section_is_told(sizes):
    assert set(named(sizes).values()) == {TOGETHER}


def test_who_left_before_the_views_were_written_does_not_stand_alone_behind_another_name(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'left.db'}")
    counter = ViewCounter()
    for section in ("一課", "二課"):
        for number in range(LEAST):
            add_person(database, f"{section} {number}".encode().hex(), "職員", section, by="test")
        counter.count(PAGE, section)
    counter.count(PAGE, "去った人の課")
    counter.flush(database)
    assert sorted(row.views for row in views_since(database, today()) if row.section == OTHERS) == [2]


def test_a_small_sections_views_are_written_without_its_name_and_old_ones_are_forgotten(app):
    portal = app.state.portal
    add_person(portal.database, "alone", "一人", "一人課", by="test")
    with portal.database.begin() as connection:
        day = (today() - timedelta(days=KEPT_DAYS + 1)).isoformat()
        connection.execute(text(f"INSERT INTO page_views VALUES ('{day}', 'index', '市民課', 3)"))
    visitor(app, "alone").get(f"/{PAGE}.html", headers=READER)
    portal.views.flush(portal.database)
    with portal.database.connect() as connection:
        assert [tuple(row) for row in connection.execute(select(page_views))] == [
            (today().isoformat(), PAGE, OTHERS, 1)
        ]


def test_views_that_cannot_be_written_wait(app, tmp_path):
    portal = app.state.portal
    counter = ViewCounter()
    counter.count(PAGE, "市民課", on=date(2026, 1, 2))
    broken = open_database(f"sqlite:///{tmp_path / 'broken.db'}")
    with broken.begin() as connection:
        connection.execute(text("DROP TABLE page_views"))
    with pytest.raises(DatabaseError):
        counter.flush(broken)
    assert counter.flush(portal.database) == 1


def test_the_screen_of_usage_tells_sections_to_the_owner_and_operators_and_totals_to_others(app):
    with app.state.portal.database.begin() as connection:
        connection.execute(page_views.insert().values(day=today().isoformat(), page=PAGE, section="市民課", views=1))
    for who, sees in (("owner", True), ("operator", True), ("clerk", False)):
        browser = visitor(app, who)
        page, file = browser.get("/usage").text, browser.get("/usage.csv").text
        main = page.partition("<main")[2]
        assert "住基人口 区別の人口" in main and "<b>1回</b>" in main
        assert ("市民課" in main) == ("市民課" in file) == sees, who


def test_opening_the_screen_of_usage_writes_no_views_so_that_nobody_sees_when_a_page_is_opened(app):
    visitor(app, "clerk").get(f"/{PAGE}.html", headers=READER)
    owner = visitor(app, "owner")
    assert "<b>1回</b>" not in owner.get("/usage").text and PAGE not in owner.get("/usage.csv").text
    app.state.portal.views.flush(app.state.portal.database)
    assert "<b>1回</b>" in owner.get("/usage").text


def test_no_text_of_the_file_of_usage_is_computed_by_a_spreadsheet(app):
    with app.state.portal.database.begin() as connection:
        connection.execute(page_views.insert().values(day=today().isoformat(), page=PAGE, section="=1+1", views=1))
    assert ",'=1+1,1" in visitor(app, "operator").get("/usage.csv").text


def test_the_screen_of_usage_leads_to_no_page_that_is_not_in_the_release_or_not_for_who_looks(app):
    with app.state.portal.database.begin() as connection:
        connection.execute(page_views.insert().values(day=today().isoformat(), page="ward_moves", section="", views=1))
    main = visitor(app, "operator").get("/usage").text.partition("<main")[2]
    assert 'href="/unusual_changes.html"' in main and 'href="/district_types.html"' not in main
    assert 'id="u-ward_moves"' in main and 'href="/ward_moves.html"' not in main, "its audience is not the operator's"


def test_words_that_could_not_be_swept_at_once_are_swept_by_the_minutes_work(app, monkeypatch):
    """The disk may be full just then, and whoever tries again hears that they are withdrawn already."""
    portal, clerk = app.state.portal, visitor(app, "clerk")
    assert post(app, clerk, "/questions", {"page": PAGE, "text": "取り下げる質問"}).status_code == 303
    number = re.findall(r"/questions/(\d+)/withdraw", clerk.get(f"/questions?page={PAGE}").text)[0]
    portal.unswept = False

    def full(*_):
        raise OSError(28, "no room")

    with monkeypatch.context() as broken:
        broken.setattr("kobe_platform.governance.withdrawals.sweep", full)
        with pytest.raises(OSError, match="no room"):
            post(app, clerk, f"/questions/{number}/withdraw", {"reason": "author"})
    assert portal.unswept
    minutely._sweep(portal)
    assert not portal.unswept
