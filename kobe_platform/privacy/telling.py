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
from kobe_platform.vocabulary.error_codes import explanations

SAYS_IT = "ください"
INTERRUPTED = "中止しました。残りは、センサーの次の評価で続きから行われます。\nended; what is left is done next"


class Told(dg.Failure):
    """A failure whose description may be read by anybody who may open the UI; only the error border raises it."""


def in_words(error: PlatformError) -> str:
    """What is wrong and what to do next: Japanese on the first line, English on the second."""
    known = explanations().get(error.code)
    following = "" if SAYS_IT in error.ja else known.remedy if known else error.remedy
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
