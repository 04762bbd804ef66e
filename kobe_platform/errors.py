"""Defines the platform's errors, which have a code, coordinates and a remedy and never a value.

Every error says what is wrong, where (delivery, file, line, column, rule, count) and what to do next. A value that
belongs to a person never enters one, so raise them ``from None`` wherever the cause could carry a value.
"""

from __future__ import annotations

from collections.abc import Mapping

Coordinate = str | int


class PlatformError(Exception):
    """Base of all errors that the platform raises on purpose.

    Args:
        message: what is wrong, in English, without values.
        code: stable identifier such as ``delivery.hash`` (tests and receipts lean on it).
        at: coordinates: names of files, columns and rules, line numbers, counts.
        remedy: what the reader should do next.
        ja: the same for screens and receipts, in Japanese; ``message`` where it is empty.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        at: Mapping[str, Coordinate] | None = None,
        remedy: str = "",
        ja: str = "",
    ) -> None:
        self.message = message
        self.code = code
        self.at: dict[str, Coordinate] = dict(at or {})
        self.remedy = remedy
        self.ja = ja or message
        super().__init__(str(self))

    def __str__(self) -> str:
        where = ", ".join(f"{name} {value}" for name, value in self.at.items())
        parts = [f"[{self.code}] {self.message}"]
        if where:
            parts.append(f"({where})")
        if self.remedy:
            parts.append(f"– {self.remedy}")
        return " ".join(parts)

    def __reduce__(self):
        state = {"code": self.code, "at": self.at, "remedy": self.remedy, "ja": self.ja}
        return _rebuild, (type(self), self.message, state)

    def as_record(self) -> dict[str, object]:
        """The error as JSON-ready counts and coordinates, for receipts and reports."""
        return {"code": self.code, "message": self.message, "ja": self.ja, "at": self.at, "remedy": self.remedy}


def _rebuild(kind: type[PlatformError], message: str, state: dict) -> PlatformError:
    return kind(message, **state)


class ConfigurationError(PlatformError):
    """A file that the city writes (contract, statistic, page, setting) does not say what it must."""


class DeliveryRejected(PlatformError):
    """A delivery breaks its contract: nothing of it is kept, the partition in force stays."""


class DeliveryHeld(PlatformError):
    """A delivery is plausible but out of the ordinary: an operator decides.

    Attributes:
        report: counts by ward and by rule that the decision is made by, for the receipt.
    """

    report: Mapping[str, object] = {}


class QuestionError(PlatformError):
    """An on-demand question that cannot be asked, or cannot be answered without telling of somebody."""


class CustodyError(PlatformError):
    """A key is missing or wrong, or a stored file is not what its manifest says."""


class LakeError(PlatformError):
    """A partition is absent or cannot be committed."""


class StatisticsError(PlatformError):
    """A statistic cannot be computed from what the lake holds."""


class DisclosureError(PlatformError):
    """Protection or audit did not reach a safe verdict: nothing is published."""


class LoungeError(PlatformError):
    """A page or a release cannot be built."""


class GovernanceError(PlatformError):
    """A step of an application, an account or a role is not allowed, or the governance database refuses."""


class AccessDenied(PlatformError):
    """Somebody asked for what is not theirs."""
