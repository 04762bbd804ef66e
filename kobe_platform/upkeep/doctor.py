"""Looks at an installation as its operator would: keys, log, clock, disk, databases, release, daemon, backups, plan."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kobe_platform.errors import PlatformError
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.clock import JAPAN

if TYPE_CHECKING:
    from kobe_platform.lake import PartitionStore

State = Literal["ok", "warn", "fail"]
BACKUP_DAYS = 7
"""Age of the newest backup from which it is a warning."""
DISK_MONTHS = 6
"""Months to a full disk below which it is a warning."""
CLOCK = timedelta(minutes=5)
"""How far the log of key use may lie ahead of the clock."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GROWTH_MONTHS = 3
"""The newest months whose size says how much a month takes."""


@dataclass(frozen=True)
class Examined:
    """What was found at one point.

    Attributes:
        point: name of the point, for programs.
        title, told: for people, in Japanese; counts, days and versions, no values.
        remedy: what to do; empty where nothing is.
    """

    point: str
    state: State
    title: str
    told: str
    remedy: str = ""


def examine(settings: Settings, now: datetime | None = None) -> list[Examined]:
    """All findings, one at least a point; a point that cannot be looked at fails, and the others are looked at.

    Args:
        now: with a time zone, for tests.
    """
    moment = now or datetime.now(UTC)
    found: list[Examined] = []
    for point, (title, look) in POINTS.items():
        try:
            found += [Examined(point, state, title, told, remedy) for state, told, remedy in look(settings, moment)]
        except PlatformError as error:
            found.append(Examined(point, "fail", title, f"{error.ja}（{error.code}）", error.remedy))
    return found


Looked = Iterator[tuple[State, str, str]]


def _installation(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.planning.observing import installation_faults

    faults = installation_faults(settings)
    yield from (("fail", fault.ja, fault.remedy) for fault in faults)
    if not faults:
        yield "ok", "鍵、受信箱、ディスクがあります", ""


def _packages(settings: Settings, now: datetime) -> Looked:
    """Whether the libraries that the platform names are there in a version that it names."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in requires("kobe-platform") or []]
    wrong = []
    for one in wanted:
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            try:
                if not one.specifier.contains(version(one.name), prereleases=True):
                    wrong.append(f"{one.name} {version(one.name)}")
            except PackageNotFoundError:
                wrong.append(one.name)
    if wrong:
        yield "fail", f"版が合わない部品があります: {'、'.join(wrong)}", "make setup"
    else:
        yield "ok", f"{version('kobe-platform')} 版と、その部品がそろっています", ""


def _version(settings: Settings, now: datetime) -> Looked:
    """Whether the home is of this version of the platform, and what an upgrade would do."""
    from kobe_platform.home_format import FORMAT, version_of
    from kobe_platform.upkeep.upgrading import pending

    steps = pending(settings)
    yield from (("fail", one.told, "kobe upgrade") for one in steps)
    if not steps and version_of(settings.root) < FORMAT:
        yield "fail", "KOBE_HOME は前の版のものです", "kobe upgrade"
    elif not steps:
        yield "ok", f"KOBE_HOME は版 {FORMAT} です", ""


def _modes(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.upkeep.upgrading import of_others, open_to_others

    if not settings.root.is_dir():
        yield "fail", "KOBE_HOME がありません", "KOBE_HOME を確かめる"
    elif settings.root.stat().st_mode & 0o077:
        yield "fail", "KOBE_HOME を所有者以外が使えます", f"chmod 700 {settings.root.name}"
    elif settings.root.stat().st_uid != os.geteuid():
        yield "fail", "KOBE_HOME の所有者が違います", "所有者として実行する"
    else:
        yield "ok", "KOBE_HOME を使えるのは所有者だけです", ""
    strange = sum(1 for _ in of_others(settings.root))
    if strange:
        remedy = "root で chown -R 利用者: $KOBE_HOME（利用者は基盤を動かす利用者）"
        yield "fail", f"{strange:,}個のファイルとフォルダーが、ほかの利用者のものです", remedy
    loose = sum(1 for _ in open_to_others(settings.root))
    if loose:
        yield "warn", f"{loose:,}個のファイルが、所有者とグループ以外にも開いています", "chmod -R g-w,o-rwx $KOBE_HOME"
    if _swaps():
        yield "warn", "スワップが有効です。メモリの内容がディスクに残ることがあります", "スワップを止めるか暗号化する"


def _swaps() -> bool:
    try:
        return len(Path("/proc/swaps").read_text().splitlines()) > 1
    except OSError:
        return False


def _log(settings: Settings, now: datetime) -> Looked:
    """The log from its start to its signed end; then whether its last entry lies in the future."""
    verdict = _store(settings).keys.log.verify()
    if not verdict.sound:
        yield (
            "fail",
            f"鍵使用記録の{verdict.line}行目が正しくありません",
            "kobe log verify（個人情報保護の担当者へ知らせる）",
        )
        return
    yield "ok", f"鍵使用記録 {verdict.entries:,}件は正しくつながっています", ""
    last = datetime.fromisoformat(verdict.last_time) if verdict.last_time else now
    if last > now + CLOCK:
        ahead = int((last - now).total_seconds() // 60)
        yield "fail", f"時計が戻っています（最後の記録は{ahead}分先）", "時計を合わせる（NTP）"


def _disk(settings: Settings, now: datetime) -> Looked:
    """In which month the disk is full, if months go on to take what the newest took."""
    free = shutil.disk_usage(settings.root).free
    monthly = _monthly_bytes(_store(settings), settings)
    if not monthly:
        yield "ok", f"空き {free / 1e9:,.1f} GB", ""
        return
    months = int(free // monthly)
    told = f"空き {free / 1e9:,.1f} GB、1か月に約 {monthly / 1e6:,.1f} MB"
    if months < DISK_MONTHS:
        yield (
            "warn",
            f"{told}。あと約{months}か月で、{_month_after(now, months)}ごろに足りなくなります",
            "容量を増やすか、古い版を消す（kobe release prune）",
        )
    else:
        until = "10年以上もちます" if months >= 120 else f"約{months}か月、{_month_after(now, months)}ごろまでもちます"
        yield "ok", f"{told}。{until}", ""


def _month_after(now: datetime, months: int) -> str:
    """The month so many months on, in words: ``2027年3月``."""
    year, month = divmod(now.astimezone(JAPAN).year * 12 + now.astimezone(JAPAN).month - 1 + months, 12)
    return f"{year}年{month + 1}月"


def _monthly_bytes(store: PartitionStore, settings: Settings) -> float:
    """Bytes that a month takes: partitions of the newest months, a release, and its share of logs and of Dagster's."""
    sizes: dict[str, int] = {}
    for id in store.ids():
        held = store.current(id)
        if held is not None and not held.destroyed_at:
            sizes[id.month] = sizes.get(id.month, 0) + held.size
    newest = [sizes[month] for month in sorted(sizes)[-GROWTH_MONTHS:]]
    if not newest:
        return 0.0
    records = sum(_bytes_below(place) for place in (settings.key_log.parent, settings.dagster_home))
    return sum(newest) / len(newest) + _release_bytes(settings) + records / len(sizes)


def _release_bytes(settings: Settings) -> int:
    from kobe_platform.lounge.release import current

    release = current(settings.releases)
    return _bytes_below(release.path) if release else 0


def _bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; what goes meanwhile is left out."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _database(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.governance.database import open_database
    from kobe_platform.governance.people import people

    database = open_database(settings.governance)
    try:
        yield "ok", f"管理データベースを開けます（利用者 {len(people(database))}人）", ""
    finally:
        database.dispose()


def _release(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.lounge.release import current, verify

    release = current(settings.releases)
    if release is None:
        yield "warn", "公開中の版がありません", "kobe status"
        return
    changed = verify(release)
    days = (now - datetime.fromisoformat(release.created_at)).days
    if changed:
        yield (
            "fail",
            f"公開中の版のファイル {len(changed)}件が書き換えられています",
            "kobe release show、kobe release rollback",
        )
    else:
        yield "ok", f"第{int(release.id.split('-')[0])}版を公開中です（{days}日前）", ""


def _plan(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.planning.observing import Observer

    plan = Observer(settings).plan()
    stuck = [step for step in plan.steps if step.state in ("failed", "blocked", "held")]
    if stuck:
        yield "warn", f"人の手を待つ仕事が{len(stuck)}件あります", "kobe status"
    elif plan.empty:
        yield "ok", "残っている仕事はありません", ""
    else:
        yield "ok", f"残りの仕事 {len(plan.outstanding)}件は、ひとりでに進みます", ""


def _daemon(settings: Settings, now: datetime) -> Looked:
    """Whether Dagster's daemon lives and each running sensor ticked lately; without Dagster's home, nobody asks."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        yield "ok", "Dagster のデーモンは使っていません", ""
        return
    from kobe_platform.privacy.instance import daemon_alive, open_instance, silent_sensors

    with ExitStack() as stack:
        instance = stack.enter_context(open_instance(settings))
        if not daemon_alive(instance):
            yield (
                "warn",
                "Dagster のデーモンが動いていません",
                "make dev か kobe dev を動かす（kobe run だけを使うなら不要）",
            )
        elif silent := silent_sensors(instance, now):
            yield "fail", f"動いていないセンサーがあります: {'、'.join(silent)}", "Dagster の画面でセンサーを見る"
        else:
            yield "ok", "デーモンとセンサーが動いています", ""


def _alerts(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.alerts.config import alerts_file, load_alerts

    told = load_alerts(alerts_file(settings.root))
    if told.silent:
        yield "warn", "異常を知らせる先がありません", "alerts.toml を書く（docs/alerts.md）"
    else:
        yield "ok", f"異常を知らせる先: {'、'.join(told.channels)}", ""


def _backup(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.backup.vault import newest_of, place_of

    if not settings.backup:
        yield "warn", "バックアップの場所が決まっていません", "KOBE_BACKUP を決め、kobe backup を毎日動かす"
        return
    newest = newest_of(place_of(settings.backup))
    if newest is None:
        yield "fail", "バックアップがありません", "kobe backup --to"
        return
    days = (now - newest).days
    state: State = "warn" if days >= BACKUP_DAYS else "ok"
    yield state, f"最後のバックアップは{days}日前です", "kobe backup --to" if state == "warn" else ""


def _portal(settings: Settings, now: datetime) -> Looked:
    from kobe_platform.web.config import load_config

    config = load_config(settings.portal_file)
    if not settings.portal_file.exists():
        yield "ok", "ポータルの設定はまだありません（この端末だけに公開できます）", ""
    elif not config.secure:
        yield "warn", "ポータルが TLS で守られていません", "portal.toml の origin を https:// で書く"
    else:
        yield "ok", "ポータルの設定を読めます", ""


def _links(settings: Settings, now: datetime) -> Looked:
    """Where readers ask and answer: what is not there has no button, and only the operator is told why."""
    from kobe_platform.lounge.notices import load_links

    links = load_links(settings.dashboards)
    absent = [name for name, address in (("チャット", links.chat), ("アンケート", links.survey)) if not address]
    if absent:
        told = f"{'と'.join(absent)}の宛先がないので、画面にそのボタンは出ません"
        yield "ok", told, "使うときは dashboards/links.toml に宛先を書き、kobe site build を実行する"
    else:
        yield "ok", "チャットとアンケートの宛先があります", ""


def _browser(settings: Settings, now: datetime) -> Looked:
    """Whether Chromium and Japanese fonts are there for the tests and measurements of pages, where their tools are."""
    if find_spec("playwright") is None:
        yield "ok", "開発の道具がないので、ブラウザーとフォントは要りません", ""
    elif not any(map(shutil.which, BROWSERS)):
        yield "warn", "画面の試験に使う Chromium がありません", "Debian のパッケージ chromium を入れる"
    elif not _has_japanese_font():
        yield "warn", "Chromium で日本語を表示するフォントがありません", "Debian のパッケージ fonts-noto-cjk を入れる"
    else:
        yield "ok", "画面の試験に使う Chromium と日本語のフォントがあります", ""


def _has_japanese_font() -> bool:
    """By fontconfig; assumed where it is not there to be asked."""
    program = shutil.which("fc-list")
    if program is None:
        return True
    asked = subprocess.run([program, ":lang=ja"], capture_output=True, check=False, timeout=30)
    return bool(asked.stdout.strip())


def _store(settings: Settings) -> PartitionStore:
    from kobe_platform.custody.commands import open_store

    return open_store(settings)


POINTS: dict[str, tuple[str, Callable[[Settings, datetime], Looked]]] = {
    "packages": ("部品", _packages),
    "version": ("版", _version),
    "installation": ("環境", _installation),
    "modes": ("権限", _modes),
    "log": ("鍵使用記録", _log),
    "disk": ("ディスク", _disk),
    "database": ("管理データベース", _database),
    "release": ("公開", _release),
    "plan": ("仕事", _plan),
    "daemon": ("デーモン", _daemon),
    "alerts": ("通知", _alerts),
    "backup": ("バックアップ", _backup),
    "portal": ("ポータル", _portal),
    "links": ("問い合わせ先", _links),
    "browser": ("ブラウザー", _browser),
}
