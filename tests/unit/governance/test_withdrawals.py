"""Words of a question are erased on either database, which refuses any other change; old addresses are asked again."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError

from kobe_platform.governance.database import MIGRATIONS, _engine, is_outdated, open_database, upgrade_database, writing
from kobe_platform.governance.mail_addresses import claimed_address, mail_address, unsent_claims
from kobe_platform.governance.people import add_person, find_person
from kobe_platform.governance.questions import answer_question, ask_section, question_of, questions
from kobe_platform.governance.schema import page_answer, page_question
from kobe_platform.governance.withdrawals import withdraw

PAGE, OWNER = "ward_population", "政策課"


def test_a_question_is_erased_with_its_answers_and_nothing_else_of_it_changes(database):
    for login, section in (("clerk", "市民課"), ("owner", OWNER)):
        add_person(database, login, login, section, by="test")
    clerk, owner = find_person(database, "clerk"), find_person(database, "owner")
    for words in ("消す質問", "残る質問"):
        ask_section(database, clerk, PAGE, words)
    kept, asked = questions(database, [PAGE])
    answer_question(database, owner, asked, OWNER, "消す回答")
    assert withdraw(database, clerk, question_of(database, asked.id), OWNER, "author")
    gone = question_of(database, asked.id)
    assert (gone.text, gone.withdrawn, gone.who, gone.at) == ("", "author", "clerk", asked.at)
    assert [(one.text, one.withdrawn) for one in gone.answers] == [("", "author")]
    stands, erased = page_question.c.id == kept.id, page_question.c.id == asked.id
    for change in (
        update(page_question).where(stands).values(text=""),
        update(page_question).where(stands).values(text="ほか", withdrawn="author"),
        update(page_question).where(stands).values(text="", withdrawn="author", who="owner"),
        update(page_question).where(erased).values(withdrawn="person"),
        update(page_answer).values(withdrawn=""),
    ):
        with pytest.raises(DatabaseError), writing(database) as connection:
            connection.execute(change)
    assert question_of(database, kept.id).text == "残る質問"


@pytest.mark.parametrize("reached", ["0006", "0007"])
def test_words_kept_before_by_a_sqlite_that_overwrites_nothing_are_gone_too(tmp_path, reached):
    """Also where an earlier upgrade came to 0007 and did not write the file anew: there is one more step for it."""
    path = tmp_path / "old.sqlite"
    old, config = _engine(f"sqlite:///{path}"), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(old) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    old.dispose()
    words = "消すことば" * 8
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA secure_delete = OFF")
        when = "2026-01-01T00:00:00.000000Z"
        plain.execute("INSERT INTO person VALUES ('clerk', 'clerk', '市民課', 1, ?)", (when,))
        for number in range(60):  # the table's first page is split, and keeps copies of the rows that moved
            row = (number + 1, when, "clerk", "市民課", PAGE, f"{words}{number:03}")
            plain.execute("INSERT INTO page_question (id, at, who, section, page, text) VALUES (?, ?, ?, ?, ?, ?)", row)
            plain.commit()
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with writing(old) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, reached)
    old.dispose()
    assert path.read_bytes().count(words.encode()) > 60, "the case is none without the copies"
    assert is_outdated(f"sqlite:///{path}"), "`kobe upgrade` has something to do here"
    upgrade_database(f"sqlite:///{path}")
    engine = open_database(f"sqlite:///{path}")
    for number in range(60):
        assert withdraw(engine, find_person(engine, "clerk"), question_of(engine, number + 1), OWNER, "author")
    engine.dispose()
    left = [file.name for file in tmp_path.iterdir() if words.encode() in file.read_bytes()]
    assert left == []


def test_every_connection_overwrites_what_it_deletes(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'new.sqlite'}")
    with engine.connect() as first, engine.connect() as second:
        told = [one.exec_driver_sql("PRAGMA secure_delete").scalar() for one in (first, second)]
    engine.dispose()
    assert told == [1, 1]


def test_an_address_of_before_is_mailed_nothing_until_its_reader_confirms_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = _engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        when = {"created_at": "2026-01-01T00:00:00.000000Z"}
        person = "INSERT INTO person VALUES ('clerk', 'clerk', '市民課', 1, :created_at)"
        connection.execute(text(person), when)
        connection.execute(text("INSERT INTO notice_mail VALUES ('clerk', 'clerk@city.example')"))
        row = "VALUES (1, :created_at, 'clerk', '市民課', 'p', '前からの質問')"
        connection.execute(text(f"INSERT INTO page_question (id, at, who, section, page, text) {row}"), when)
    upgrade_database(url)
    claim = claimed_address(engine, "clerk")
    assert mail_address(engine, "clerk") == "" and claim.address == "clerk@city.example" and claim.lapsed()
    assert unsent_claims(engine) == [] and question_of(engine, 1).text == "前からの質問"
    engine.dispose()
