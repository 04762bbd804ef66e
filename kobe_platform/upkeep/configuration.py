"""Looks at the ``KOBE_*`` variables of the environment: names, values, places, and what does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from kobe_platform.settings import Settings, with_driver
from kobe_platform.upkeep.services import ELSEWHERE
from kobe_platform.vocabulary.nearest import nearest

PREFIX = "KOBE_"
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
"""Hosts that mean this machine; so does a path, which is the folder of a socket."""
TESTS = frozenset({"KOBE_SOAK", "KOBE_SOAK_PART", "KOBE_FUZZ_MINUTES", "KOBE_THEME_CASES"})
"""Variables of the tests."""
KNOWN = frozenset({*(f"{PREFIX}{name.upper()}" for name in Settings.model_fields), *ELSEWHERE, *TESTS})
MUST_BE_THERE = ("inbox", "contracts", "statistics", "forecasts", "dashboards", "ondemand", "portal", "passphrase_file")
"""Settings that name what the platform reads."""


@dataclass(frozen=True)
class SettingFault:
    """What is wrong with a variable; ``stops`` where the platform cannot work so. No value is repeated."""

    variable: str
    stops: bool
    told: str


def check(environment: Mapping[str, str]) -> list[SettingFault]:
    """All findings; none where the settings are as they must be.

    Args:
        environment: as the process sees it; settings themselves are read from the process's own.
    """
    names = sorted(name for name in environment if name.upper().startswith(PREFIX))
    found = list(_names(names))
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = f"{PREFIX}{str(fault['loc'][0]).upper()}"
            found.append(SettingFault(name, True, f"値が正しくありません（{fault['msg']}）"))
        return found
    return [*found, *_places(settings), *_contradictions(settings, environment)]


def _names(names: list[str]) -> Iterator[SettingFault]:
    for name in names:
        if name.upper() in KNOWN:
            continue
        near = nearest(name.upper(), sorted(KNOWN))
        yield SettingFault(name, True, "この名前の設定はありません" + (f"。{near} ではありませんか" if near else ""))


def _places(settings: Settings) -> Iterator[SettingFault]:
    for name in MUST_BE_THERE:
        value: Path | None = getattr(settings, name)
        if value is not None and not value.exists():
            yield SettingFault(f"{PREFIX}{name.upper()}", True, "その場所にありません")
    if not settings.root.is_dir():
        yield SettingFault("KOBE_HOME", False, "まだありません（kobe keys init が作ります）")


def _contradictions(settings: Settings, environment: Mapping[str, str]) -> Iterator[SettingFault]:
    inbox = settings.inbox.resolve()
    if inbox == settings.root or settings.root in inbox.parents:
        yield SettingFault("KOBE_INBOX", True, "KOBE_HOME の中にあります。外に置いてください")
    if settings.root in Path(settings.backup or "/").resolve().parents:
        yield SettingFault("KOBE_BACKUP", True, "KOBE_HOME の中にあります。外に置いてください")
    if settings.postgres_url and _same_database(settings.postgres_url, settings.database_url):
        told = "KOBE_DATABASE_URL と同じデータベースです。別のデータベースにしてください"
        yield SettingFault("KOBE_POSTGRES_URL", True, told)
    kms = settings.key_service == "aws-kms"
    for name in ("kms_region", "kms_endpoint"):
        if getattr(settings, name) and not kms:
            yield SettingFault(f"{PREFIX}{name.upper()}", False, "KOBE_KEY_SERVICE が aws-kms のときだけ使われます")
    if settings.passphrase_file is not None and kms:
        yield SettingFault("KOBE_PASSPHRASE_FILE", False, "KOBE_KEY_SERVICE が local のときだけ使われます")
    if environment.get("KOBE_BACKUP_KEY") and not settings.backup:
        yield SettingFault("KOBE_BACKUP_KEY", False, "KOBE_BACKUP がないので使われません")


def _same_database(one: str, other: str) -> bool:
    """Whether two URLs name one database, where each of Dagster and the governance would take the other's version."""
    from sqlalchemy.exc import ArgumentError

    try:
        return _place_of(one) == _place_of(other)
    except ArgumentError:
        return False


def _place_of(text: str) -> tuple[str, ...]:
    """Kind, machine, port, database and options of a URL, as libpq reads them: each may stand in its query too."""
    from sqlalchemy import make_url

    url = make_url(with_driver(text))
    asked = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    host = asked.get("host") or asked.get("hostaddr") or url.host or ""
    is_here = host.lower() in _HERE or host.startswith("/")
    port = asked.get("port") or str(url.port or 5432)
    database = asked.get("dbname") or url.database or asked.get("user") or url.username or ""
    return url.get_backend_name(), "" if is_here else host.lower(), port, database, asked.get("options", "")
