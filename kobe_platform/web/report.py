"""The audit report: what happened between two days, from the records that the platform keeps anyway.

Counts and coordinates of deliveries, key use, applications, releases, sign-ins and refusals; no figure of a resident.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Engine

from kobe_platform.contracts import legal_register, load_contracts
from kobe_platform.governance.application import ACTIONS_JA
from kobe_platform.governance.people import names
from kobe_platform.governance.trail import REFUSED, Event, events
from kobe_platform.intake.receipts import read_receipt
from kobe_platform.lounge.release import releases_of
from kobe_platform.ondemand.asking import ACTION, CANCEL
from kobe_platform.ondemand.words import reason
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.coordinates import place

ACCOUNTS_JA = {
    "people.add": "利用者の登録",
    "people.remove": "利用者の登録の取消し",
    "people.password": "パスワードの設定",
    "people.sign_out": "サインアウトの強制",
    "people.bind": "共通認証との結付け",
    "people.admit": "サインインの締め出しの解除",
    "people.unbind": "共通認証との結付けの取消し",
    "sign_in.subject": "別人の共通認証によるサインイン",
}


@dataclass(frozen=True)
class Section:
    """One table of the report: its name in addresses, heading, column heads, rows of text and counts, and what it was
    read from."""

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]
    source: str


@dataclass(frozen=True)
class TrailReport:
    """All sections for the days ``first`` to ``last``, both included, in Japan's time."""

    first: date
    last: date
    sections: tuple[Section, ...]

    def as_record(self) -> dict[str, object]:
        """JSON-ready."""
        return {**asdict(self), "first": self.first.isoformat(), "last": self.last.isoformat()}


def audit_report(settings: Settings, database: Engine, first: date, last: date) -> TrailReport:
    """Collect the report.

    Args:
        first, last: days, both included.
    """
    since = datetime.combine(first, time(), JAPAN)
    until = datetime.combine(last + timedelta(days=1), time(), JAPAN)
    known = names(database)
    happened = [_named(event, known) for event in events(database, since, until)]
    sections = (
        _legal_bases(settings.contracts, last),
        _deliveries(settings, since, until),
        _key_use(settings.key_log, since, until, known),
        _applications(happened),
        _releases(settings.releases, since, until),
        _questions(happened),
        _sign_ins(happened),
        _dagster(happened),
        _refusals(happened),
    )
    return TrailReport(first, last, sections)


def _named(event: Event, known: Mapping[str, str]) -> Event:
    """An entry with names beside the logins of who acted and, where an account was changed, of whose it is."""
    object = _who(event.object, known) if event.action in ACCOUNTS_JA else event.object
    return replace(event, who=_who(event.who, known), object=object)


def _who(login: str, known: Mapping[str, str]) -> str:
    """「北野 花子（kitano）」; a login that nobody was registered with as it is."""
    return f"{known[login]}（{login}）" if login in known else login


def _legal_bases(folder: Path, day: date) -> Section:
    bases = legal_register()["bases"]
    rows = []
    for contract in load_contracts(folder).values():
        legal = contract.legal
        answer = f"（{legal.consultation.number}、{legal.consultation.on}）" if legal.consultation else ""
        kept = f"{legal.retention_months}か月" if legal.retention_months else ""
        state = "有効" if legal.holds(day) else "期間外（取り込みません）"
        basis = f"{bases[legal.basis]['ja']}{answer}"
        rows.append((contract.title, basis, legal.purpose, kept, legal.owner_section, state))
    heads = ("データ", "法的根拠", "目的", "保存期間", "所管課", f"{day}の状態")
    return Section("legal", "データの法的根拠", heads, tuple(rows), "データの契約")


def _deliveries(settings: Settings, since: datetime, until: datetime) -> Section:
    names = {"accepted": "受理", "rejected": "却下", "held": "保留"}
    decided = {"approved": "運用者が承認", "refused": "運用者が却下", "withdrawn": "提供元が撤回"}
    titles = {name: contract.title for name, contract in load_contracts(settings.contracts).items()}
    rows = []
    for path in sorted(settings.receipts.rglob("*.json")):
        receipt = read_receipt(path)
        decision = path.name.split(".")[1]
        if receipt is not None and decision in decided and since <= _moment(receipt, path) < until:
            source, month = path.parent.parent.name, path.parent.name
            row = (titles.get(source, source), month, decided[decision], "", f"操作した人 {receipt['principal']}")
            rows.append(row)
        if receipt is None or receipt.get("status") not in names or not since <= _moment(receipt, path) < until:
            continue
        error = receipt.get("error") or {}
        count = receipt.get("facts", {}).get("rows", "")
        why = f"{error['ja']}{place(error['at'])} [{error['code']}]" if error else ""
        title = titles.get(receipt["source"], receipt["source"])  # a source whose contract was taken away
        rows.append((title, receipt["month"], names[receipt["status"]], count, why))
    return Section("deliveries", "提供データの受入れ", ("データ", "月", "結果", "行数", "理由"), tuple(rows), "受領書")


def _moment(receipt: dict, path: Path) -> datetime:
    told = receipt.get("at")
    return datetime.fromisoformat(told) if told else datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _key_use(log: Path, since: datetime, until: datetime, known: Mapping[str, str]) -> Section:
    counted: Counter[tuple[str, str, str]] = Counter()
    for entry in _entries(log):
        if since <= datetime.fromisoformat(entry["time"]) < until:
            counted[_who(entry["principal"], known), entry["action"], entry["purpose"]] += 1
    rows = tuple((*key, count) for key, count in sorted(counted.items()))
    return Section(
        "keys", "鍵の使用", ("主体", "操作", "目的", "回数"), rows, "鍵使用記録（kobe log verify で検証できます）"
    )


def _entries(log: Path) -> Iterator[dict]:
    if log.exists():
        with log.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file if line.endswith("\n"))


def _applications(happened: list[Event]) -> Section:
    rows = tuple(
        (_local(event.at), event.object, ACTIONS_JA.get(event.action.split(".")[1], event.action), event.who)
        for event in happened
        if event.action.startswith("application.")
    )
    return Section("applications", "データ利用申請", ("日時", "申請番号", "操作", "行った人"), rows, "利用申請の記録")


def _releases(folder: Path, since: datetime, until: datetime) -> Section:
    rows = []
    for release in releases_of(folder):
        if since <= datetime.fromisoformat(release.created_at) < until:
            held = ", ".join(release.facts.get("withheld", ()))
            suppressed = sum(int(table["suppressed"]) for table in release.tables.values())
            counts = (len(release.pages), len(release.tables), suppressed)
            rows.append((release.id, _local(datetime.fromisoformat(release.created_at)), *counts, held))
    heads = ("公開番号", "日時", "画面", "表", "秘匿したセル", "承認がなく外した画面")
    return Section("releases", "公開", heads, tuple(rows), "公開の記録")


def _questions(happened: list[Event]) -> Section:
    counted: Counter[tuple[str, str, str]] = Counter()
    for event in happened:
        if event.action == ACTION:
            refused = event.outcome == REFUSED
            what = reason(str(event.detail.get("code", ""))) if refused else str(event.detail.get("measure", ""))
            counted[event.who, "拒否" if refused else "回答", what] += 1
        elif event.action == CANCEL:
            counted[event.who, "とりやめ", ""] += 1
    rows = tuple((*key, count) for key, count in sorted(counted.items()))
    return Section("ondemand", "オンデマンド集計", ("利用者", "結果", "対象・理由", "回数"), rows, "操作の記録")


def _sign_ins(happened: list[Event]) -> Section:
    counted: Counter[tuple[str, str]] = Counter()
    for event in happened:
        if event.action == "sign_in":
            counted[event.who, {"password": "パスワード", "oidc": "共通認証", "proxy": "プロキシ"}[event.object]] += 1
    rows = tuple((*key, count) for key, count in sorted(counted.items()))
    return Section("sign_ins", "サインイン", ("利用者", "方法", "回数"), rows, "操作の記録")


def _dagster(happened: list[Event]) -> Section:
    chosen = [e for e in happened if (e.action == "dagster" or e.action in ACCOUNTS_JA) and e.outcome != REFUSED]
    rows = tuple((_local(e.at), e.who, ACCOUNTS_JA.get(e.action, e.action), e.object) for e in chosen)
    return Section("changes", "実行・利用者の変更", ("日時", "行った人", "操作", "対象"), rows, "操作の記録")


def _refusals(happened: list[Event]) -> Section:
    refused: Counter[tuple[str, str, str]] = Counter()
    for event in happened:
        if event.outcome == REFUSED:
            refused[event.who, event.action, event.object] += 1
    rows = tuple((*key, count) for key, count in sorted(refused.items()))
    return Section("refusals", "拒否したもの", ("利用者", "操作", "対象", "回数"), rows, "操作の記録")


def _local(moment: datetime) -> str:
    return moment.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M")
