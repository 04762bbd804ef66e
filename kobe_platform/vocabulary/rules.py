"""The rules of intake as data: severity, what is said in English and Japanese, and what the sender should do.

The list is ``assets/vocabulary/rules.toml``; its quirk numbers are those of the extracts design. Code names a rule by
its identifier and adds coordinates; no sentence about a delivery is written anywhere else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kobe_platform.errors import ConfigurationError, Coordinate, DeliveryHeld, DeliveryRejected

RULES = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "rules.toml"


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
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    severity: Literal["R", "Q", "W", "N", "hold"]
    en: str
    ja: str
    remedy: str
    remedy_ja: str


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
    named = rules()[rule]
    return DeliveryRejected(
        named.en, code=rule, at={**at, "rule": rule}, remedy=named.remedy, ja=f"{named.ja}。{named.remedy_ja}"
    )


def hold(rule: str, **at: Coordinate) -> DeliveryHeld:
    """The error that leaves a delivery to an operator by ``rule``."""
    named = rules()[rule]
    return DeliveryHeld(
        named.en, code=rule, at={**at, "rule": rule}, remedy=named.remedy, ja=f"{named.ja}。{named.remedy_ja}"
    )
