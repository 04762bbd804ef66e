"""Reads the rules of intake: severity, what is said in English and Japanese, and what the sender should do.

The list is ``assets/vocabulary/rules.toml``; its quirk numbers are those of the extracts design. Code names a rule by
its identifier and adds coordinates; no sentence about a delivery is written anywhere else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kobe_platform.errors import ConfigurationError, Coordinate, DeliveryHeld, DeliveryRejected, PlatformError

RULES = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "rules.toml"


_Refusal = TypeVar("_Refusal", bound=PlatformError)


class PublicWords(BaseModel):
    """What a rule says of public figures where that differs: they come from a published table and no core system.

    Attributes:
        en: what is wrong, in English.
        ja: the same in Japanese.
        remedy: what the sender should do, in English.
        remedy_ja: the same in Japanese.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str | None = None
    ja: str | None = None
    remedy: str
    remedy_ja: str


class IntakeRule(BaseModel):
    """A rule that intake checks a delivery by, and what it says when the delivery breaks it.

    Attributes:
        id: the name of the rule's table; code refers to the rule by it.
        severity: ``R`` rejects the delivery, ``Q`` sets the row aside, ``W`` counts it, warns and loads it, ``N`` puts
            it right as the contract declares and counts it, ``hold`` leaves the delivery to an operator.
        en: what is wrong, in English; errors and receipts add delivery, file, line, column and counts, never a value.
        ja: the same in Japanese, for screens.
        remedy: what the sender (for ``hold``: the operator) should do, in English.
        remedy_ja: the same in Japanese.
        public: the words for public figures; absent where the rule's own fit both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    severity: Literal["R", "Q", "W", "N", "hold"]
    en: str
    ja: str
    remedy: str
    remedy_ja: str
    public: PublicWords | None = None

    def of_public_figures(self) -> IntakeRule:
        """The rule in the words for public figures."""
        return self.model_copy(update=self.public.model_dump(exclude_none=True)) if self.public else self


@cache
def rules() -> Mapping[str, IntakeRule]:
    """Every rule by identifier.

    Raises:
        ConfigurationError: a table lacks a key, has another one or an unknown severity.
    """
    with RULES.open("rb") as file:
        tables = tomllib.load(file)
    listed: dict[str, IntakeRule] = {}
    for name, table in tables.items():
        try:
            listed[name] = IntakeRule(id=name, **table)
        except (TypeError, ValidationError):
            raise _incomplete(name) from None
    return listed


def _incomplete(name: str) -> ConfigurationError:
    return ConfigurationError(
        "a rule is incomplete",
        code="rules.incomplete",
        at={"file": RULES.name, "rule": name},
        remedy="give it severity, en, ja, remedy, remedy_ja",
    )


def rejection(rule: str, **at: Coordinate) -> DeliveryRejected:
    """The error that refuses a delivery by ``rule``; ``at`` holds coordinates only, never values."""
    return _said(DeliveryRejected, rules()[rule], at)


def hold(rule: str, **at: Coordinate) -> DeliveryHeld:
    """The error that leaves a delivery to an operator by ``rule``."""
    return _said(DeliveryHeld, rules()[rule], at)


def _said(kind: type[_Refusal], rule: IntakeRule, at: Mapping[str, Coordinate]) -> _Refusal:
    ja = f"{rule.ja}。{rule.remedy_ja}"
    return kind(rule.en, code=rule.id, at={**at, "rule": rule.id}, remedy=rule.remedy, ja=ja)


@contextmanager
def worded_for(sensitivity: str) -> Iterator[None]:
    """Let refusals of a source's delivery say what its sender can do: public figures come from no core system.

    Args:
        sensitivity: the contract's; all but ``public`` have the words of the rule itself.

    Raises:
        DeliveryRejected, DeliveryHeld: as they were raised inside, with the same coordinates.
    """
    try:
        yield
    except (DeliveryRejected, DeliveryHeld) as error:
        if sensitivity != "public" or error.code not in rules():
            raise
        raise _said(type(error), rules()[error.code].of_public_figures(), error.at) from None
