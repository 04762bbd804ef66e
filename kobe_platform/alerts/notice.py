"""Defines a notice: where something is wrong and what to do, never a value of a person.

A notice leaves the platform, so it is checked when it is made: coordinates are short ASCII names from a closed list,
sentences are one line, and nothing looks like a personal number or could become a header of a mail.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from kobe_platform.errors import PlatformError

Kind = Literal["installation", "run_failed", "tick_failed", "stuck", "turned_away", "held", "overdue"]

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "installation": "基盤の設備",
        "run_failed": "処理の失敗",
        "tick_failed": "監視の失敗",
        "stuck": "処理の停滞",
        "turned_away": "提供データの却下",
        "held": "提供データの保留",
        "overdue": "期限超過",
    }
)
"""What mails call each kind, the most pressing first."""

COORDINATES: Mapping[str, str] = MappingProxyType(
    {
        "source": "データ",
        "month": "対象月",
        "statistic": "統計",
        "table": "表",
        "page": "ページ",
        "check": "検査",
        "job": "ジョブ",
        "sensor": "センサー",
        "step": "ステップ",
        "since": "いつから",
        "code": "コード",
        "run": "実行ID",
    }
)
"""The coordinates that a notice may have, with what mails call them."""

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "installation": "サーバーで kobe status を実行し、示された項目を直してください。",
        "run_failed": "Dagster の画面で実行を開き、失敗したステップを確かめて、原因を直してから再実行してください。",
        "tick_failed": "Dagster の画面でセンサーの直近の評価を確かめてください。原因を直すと次の評価から再開します。",
        "stuck": "サーバーで kobe status を実行し、何を待っているかを確かめてください。",
        "turned_away": "受領記録の規則と行を確かめ、提供元の課に正しいデータの再提供を依頼してください。",
        "held": "内容を確かめ、ポータルの「提供データ」か kobe deliveries で承認か却下をしてください。",
        "overdue": "提供元の課にデータの提供状況を確かめてください。",
    }
)
"""What to do next where the caller knows nothing better."""

LONGEST = 400
MOST_DIGITS = 9
UNEXPECTED = "unexpected"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,199}")
_COORDINATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,99}")
# Control, invisible and unpaired characters, and those of private use (gaiji: only names have them).
_UNFIT = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
_HEX = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})"
    r"(?![0-9A-Za-z])"
)
# The second form is how a 個人番号 is printed on its card.
_NUMBER = re.compile(rf"\d{{{MOST_DIGITS + 1},}}|(?<!\d)\d{{4}}[ -]\d{{4}}[ -]\d{{4}}(?!\d)")


@dataclass(frozen=True)
class Notice:
    """One thing that somebody should see to.

    Attributes:
        id: stable name of the matter: as long as it is the same, it is sent once (:func:`stable_id` makes one).
        kind: what sort of matter (:data:`KINDS`).
        at: where; names of :data:`COORDINATES` with short ASCII values, such as ``resident_register`` or ``2025-10``.
        text: what is wrong, one short plain sentence in Japanese, without values.
        remedy: what to do next, in Japanese.

    Raises:
        PlatformError: ``alerts.notice`` (coordinates: field, reason), when it says what may not leave the platform.
    """

    id: str
    kind: Kind
    at: Mapping[str, str]
    text: str
    remedy: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", MappingProxyType(dict(self.at)))
        if self.kind not in get_args(Kind):
            raise _refused("kind", "unknown")
        _insist("id", _name_fault(self.id, _ID))
        for name, value in self.at.items():
            if name not in COORDINATES:
                raise _refused("at", "unknown")
            _insist(f"at.{name}", _name_fault(value, _COORDINATE))
        _insist("text", _sentence_fault(self.text))
        _insist("remedy", _sentence_fault(self.remedy))

    def as_record(self) -> dict[str, object]:
        """JSON-ready, for the webhook."""
        return {"id": self.id, "kind": self.kind, "at": dict(self.at), "text": self.text, "remedy": self.remedy}


def stable_id(*parts: str) -> str:
    """An id of a matter from what makes it the same matter: 32 hexadecimal digits.

    Use it wherever a part has ten digits in a row, such as a time or a shortened digest: as an id those are refused.
    """
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def of_error(
    kind: Kind, error: BaseException, at: Mapping[str, str] | None = None, *, id: str = "", remedy: str = ""
) -> Notice:
    """The notice of an error: its own Japanese sentence, code and coordinates; nothing of its cause or of its text.

    It is always made: a coordinate or sentence that may not leave the platform is left out. Of an error that the
    platform did not raise on purpose only the fact is told.

    Args:
        at: coordinates that the caller knows; they go before the error's own.
        id: by default of kind and coordinates. A ``tick_failed`` needs one that tells this failure from the next
            (the first failed tick's time in ``since``): ids of events are remembered for 90 days.
        remedy: by default of the kind (:data:`REMEDIES`).
    """
    code = error.code if isinstance(error, PlatformError) else UNEXPECTED
    told = {**(error.at if isinstance(error, PlatformError) else {}), "code": code, **(at or {})}
    where = {name: str(told[name]) for name in COORDINATES if name in told}
    where = {name: value for name, value in where.items() if not _name_fault(value, _COORDINATE)}
    sentence = error.ja if isinstance(error, PlatformError) else "予期しないエラーで止まりました"
    if _sentence_fault(sentence):
        sentence = "エラーで止まりました"
    return Notice(
        id or stable_id(kind, *(f"{name}={value}" for name, value in sorted(where.items()))),
        kind,
        where,
        sentence,
        remedy or REMEDIES[kind],
    )


def _name_fault(value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return "form"
    return _digits_fault(value)


def _sentence_fault(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return "empty"
    if len(value) > LONGEST:
        return "length"
    if any(unicodedata.category(character) in _UNFIT for character in value):
        return "characters"
    return _digits_fault(value)


def _digits_fault(value: str) -> str:
    return "digits" if _NUMBER.search(_HEX.sub("", unicodedata.normalize("NFKC", value))) else ""


def _insist(field: str, fault: str) -> None:
    if fault:
        raise _refused(field, fault)


def _refused(field: str, reason: str) -> PlatformError:
    return PlatformError(
        "a notice says what may not leave the platform",
        code="alerts.notice",
        at={"field": field, "reason": reason},
        remedy="coordinates are short ASCII names, sentences one line of plain text without numbers of persons",
        ja="通知に載せられない内容です",
    )
