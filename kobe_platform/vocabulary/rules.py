"""The rules of intake as data: severity, what is said in English and Japanese, and what the sender should do.

The list is ``assets/vocabulary/rules.toml``; its quirk numbers are those of the extracts design. Code names a rule by
its identifier and adds coordinates; no sentence about a delivery is written anywhere else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kobe_platform.errors import ConfigurationError, Coordinate, DeliveryHeld, DeliveryRejected

RULES = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "rules.toml"
SEVERITIES = ("R", "Q", "W", "N", "hold")


@dataclass(frozen=True)
class IntakeRule:
    """One rule: ``severity`` is R (reject), Q (set aside), W (warn), N (normalised) or hold."""

    id: str
    severity: str
    en: str
    ja: str
    remedy: str
    remedy_ja: str


@cache
def rules() -> Mapping[str, IntakeRule]:
    """Every rule by identifier.

    Raises:
        ConfigurationError: a table lacks a key or has an unknown severity.
    """
    with RULES.open("rb") as file:
        tables = tomllib.load(file)
    listed: dict[str, IntakeRule] = {}
    for name, table in tables.items():
        try:
            listed[name] = IntakeRule(name, **table)
        except TypeError:
            raise _incomplete(name) from None
        if listed[name].severity not in SEVERITIES:
            raise _incomplete(name)
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
