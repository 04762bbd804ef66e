"""`kobe config check` finds each kind of mistake in the environment and repeats no value."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import app

SECRET = "kept-to-itself"


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """Call it with these variables over a sound environment."""
    for name in [name for name in os.environ if name.startswith("KOBE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    for name in ("home", "inbox"):
        (tmp_path / name).mkdir()

    def run(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("HERE", str(tmp_path)))
        return CliRunner().invoke(app, ["config", "check"])

    return run


def test_sound_settings_are_said_to_be_so(checked):
    told = checked(KOBE_RAW_DAYS="10")
    assert (told.exit_code, told.output) == (0, "設定に誤りはありません。\n")


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"KOBE_INBOKS": SECRET}, 1, "KOBE_INBOKS: この名前の設定はありません。KOBE_INBOX ではありませんか"),
        ({"KOBE_RAW_DAYS": SECRET}, 1, "KOBE_RAW_DAYS: 値が正しくありません"),
        ({"KOBE_KEEP_RELEASES": "1"}, 1, "KOBE_KEEP_RELEASES: 値が正しくありません"),
        ({"KOBE_CONTRACTS": f"/{SECRET}"}, 1, "KOBE_CONTRACTS: その場所にありません"),
        ({"KOBE_INBOX": "HERE/home/inbox"}, 1, "KOBE_INBOX: KOBE_HOME の中にあります"),
        ({"KOBE_BACKUP": "HERE/home/backup"}, 1, "KOBE_BACKUP: KOBE_HOME の中にあります"),
        *(
            (
                {"KOBE_POSTGRES_URL": one, "KOBE_DATABASE_URL": other},
                1,
                "KOBE_POSTGRES_URL: KOBE_DATABASE_URL と同じデータベースです",
            )
            for one, other in (
                (f"postgresql://a:{SECRET}@db/kobe", "postgres://b@db:5432/kobe"),
                ("postgresql://a@/kobe?host=/var/run/postgresql", "postgresql://b@localhost/kobe"),
                ("postgresql:///kobe?host=DB&port=5432", "postgresql+psycopg2://b@db/kobe"),
                ("postgresql://a@db?dbname=kobe", "postgresql://b@db/kobe?sslmode=require"),
            )
        ),
        ({"KOBE_KMS_REGION": SECRET}, 0, "KOBE_KMS_REGION: KOBE_KEY_SERVICE が aws-kms のときだけ"),
        ({"KOBE_HOME": "HERE/none"}, 0, "KOBE_HOME: まだありません"),
    ],
)
def test_each_mistake_is_named_and_no_value_repeated(variables, code, words, checked):
    told = checked(**variables)
    assert told.exit_code == code and words in told.output and SECRET not in told.output + told.stderr


@pytest.mark.parametrize(
    "other",
    [
        "postgresql://a@db:5433/kobe",
        "postgresql://a@other/kobe",
        "postgresql://a@db/dagster",
        "postgresql://a@db/kobe?options=-csearch_path%3Dgovernance",
        "sqlite:////srv/kobe",
    ],
)
def test_another_server_database_or_schema_is_another_database(other, checked):
    told = checked(KOBE_POSTGRES_URL="postgresql://a@db/kobe", KOBE_DATABASE_URL=other)
    assert told.exit_code == 0 and "同じデータベース" not in told.output
