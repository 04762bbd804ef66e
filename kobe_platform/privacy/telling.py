"""Words a failed step for the Dagster UI: what is wrong and what to do next, in Japanese and in English.

Dagster redacts errors of user code, as it must here, and ends even a :class:`dagster.Failure` with an id to search for
in logs that do not exist. What :mod:`kobe_platform.privacy.border` tells has passed the border already, so it is shown
as it is. The two functions that write the notice are private to Dagster; where they are gone the notice stays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._utils import error as dagster_errors
from dagster._utils.error import SerializableErrorInfo

from kobe_platform.errors import PlatformError

NEXT = {
    "border.withheld": "作り物のデータで、示された行を再現してください(module と line)",
    "custody.io": "機器の記録を確かめてから、失敗したところから再実行してください",
    "delivery.absent": "提供元の課に提供を依頼するか、共有フォルダーの接続を確かめるか、別の月を選んでください",
    "disclosure.audit": "示された表の区分を粗くしてください。粗くても起きるときは開発者に知らせてください",
    "disclosure.contradiction": "`kobe lake verify` で区画を確かめ、正しければ開発者に知らせてください",
    "disclosure.ring": "表の一つの区分を粗くしてください",
    "extracts.overlay": "いまの契約による全件の抽出を先に取り込んでください",
    "lake.absent": "この月の前の段階を先にMaterializeしてください",
    "lake.destroyed": "提供データが受信箱にあるうちに、rawの段階からもう一度Materializeしてください",
    "lake.verify": "サーバーで `kobe lake verify` を実行し、示された区画を確かめてください",
    "reception.upstream": "前の段階(raw・abstracted)を先にMaterializeしてください",
    "abstraction.reference": "対応表(町丁・小学校区など)を、この月かそれより前の月について提供してください",
    "abstraction.companion": "同じ月の住民台帳を先に取り込んでください",
    "release.gate": "表と月を確かめ、その月の公表表をもう一度Materializeして、検査の結果を見てください",
    "release.identifiers": "どのページか表から来たのかを調べてください。前の公開はそのままです",
    "release.overtaken": "新しい表の公開は自動で行われます。することはありません",
    "release.nothing": "抽出が届き、1か月が統計になると、公開は自動で行われます",
    "statistics.definition": "定義ファイルを直し、Reload してから再実行してください(docs/statistics.md)",
    "statistics.districts": "この月かそれより前の月の対応表(town_districts)を提供してください",
    "statistics.shape": "SELECT の列を定義の順(区分、指標)に直し、Reload してから再実行してください",
    "statistics.sql": "SELECT の列を元データの列(docs/statistics.md)に合わせて直し、Reload してから再実行してください",
}
"""What to do next in Japanese, by the code of an error, where the error's own sentence does not say it."""
SAYS_IT = "ください"
INTERRUPTED = "中止しました。残りは、センサーの次の評価で続きから行われます。\nended; what is left is done next"


class Told(dg.Failure):
    """A failure whose description may be read by anybody who may open the UI; only the error border raises it."""


def in_words(error: PlatformError) -> str:
    """What is wrong and what to do next: Japanese on the first line, English on the second."""
    following = NEXT.get(error.code, "" if SAYS_IT in error.ja else f"{error.remedy}" if error.remedy else "")
    sentence = error.ja.rstrip("。") + "。"
    return f"{sentence}{f'次にすること:{following}' if following else ''}\n{error}"


def english(description: str | None) -> str:
    """The English line of a description, for commands and records."""
    return (description or "").rpartition("\n")[2]


def show_what_was_told() -> None:
    """Let Dagster show what :class:`Told` says without its notice of redaction; idempotent."""
    for name in ("_generate_partly_redacted_framework_error_message", "_generate_redacted_user_code_error_message"):
        original = getattr(dagster_errors, name, None)
        if original is not None and not isinstance(original, _Unless):
            setattr(dagster_errors, name, _Unless(original))


class _Unless:
    """Dagster's redaction, but for errors that say themselves what is to be told."""

    def __init__(self, original: Callable[..., SerializableErrorInfo]) -> None:
        self._original = original

    def __call__(self, *told: object) -> SerializableErrorInfo:
        info, error = self._original(*told), sys.exc_info()[1]
        if isinstance(told[0], tuple):
            error = told[0][1]
        error = getattr(error, "user_exception", None) or error  # a sensor's, wrapped by Dagster
        if isinstance(error, Told):
            return info._replace(message=error.description or "", cls_name="Failure")
        if isinstance(error, DagsterExecutionInterruptedError):
            return info._replace(message=INTERRUPTED)
        return info
