"""A small synthetic city whose deliveries carry one quirk at a time, and helpers to take them through intake."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kobe_platform.abstraction import Abstracted, abstract
from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.intake import deliveries
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.extracts import Taken, take_in
from kobe_platform.settings import PROJECT
from kobe_platform.synthesis import CityPlan, Form, synthesize

REGISTER, MOVEMENTS, TOWNS = "resident_register", "resident_movements", "town_districts"
FIRST, MONTH = "2025-07", "2025-08"
DEFAULT_FORM = Form("cp932", "delimited")


def pseudonym_key(purpose: str) -> bytes:
    """A key of a purpose, for tests only."""
    return hashlib.sha256(purpose.encode()).digest()


@dataclass(frozen=True)
class Inbox:
    """Deliveries by source and month, and intake's functions bound to their contracts."""

    path: Path
    contracts: dict[str, Contract]
    planted: dict[tuple[str, str], dict[str, int]]
    done: dict[tuple[str, str], Abstracted] = field(default_factory=dict)

    def deliveries(self) -> dict[tuple[str, str], Delivery]:
        return {(d.source, d.month): d for d in deliveries.find(self.path, self.contracts, "28100")}

    def delivery(self, source: str, month: str = MONTH) -> Delivery:
        return self.deliveries()[source, month]

    def take(self, source: str, month: str = MONTH) -> Taken:
        return take_in(self.delivery(source, month), self.contracts[source])

    def abstract(self, source: str, month: str = MONTH) -> Abstracted:
        if (source, month) not in self.done:
            self.done[source, month] = self._abstract(source, month)
        return self.done[source, month]

    def _abstract(self, source: str, month: str) -> Abstracted:
        contract = self.contracts[source]
        return abstract(
            self.take(source, month).frame,
            contract,
            month=month,
            references={TOWNS: self.take(TOWNS, FIRST).frame},
            companions={name: self.take(name, month).frame for name in contract.needs},
            pseudonym_key=pseudonym_key,
        )


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    return load_contracts(PROJECT / "assets" / "contracts")


@pytest.fixture(scope="session")
def make_inbox(tmp_path_factory, contracts) -> Callable[..., Inbox]:
    """``make_inbox("quirk", form=…)``: the inbox of a city of 900 over two months, made once per set of arguments."""
    made: dict[tuple, Inbox] = {}

    def make(*quirks: str, form: Form = DEFAULT_FORM, residents: int = 900) -> Inbox:
        key = (quirks, form, residents)
        if key not in made:
            path = tmp_path_factory.mktemp("inbox")
            plan = CityPlan(path, residents, FIRST, MONTH, seed=3, dirt=0.0, form=form, quirks=quirks)
            made[key] = Inbox(path, contracts, {(w.source, w.month): w.planted for w in synthesize(plan)})
        return made[key]

    return make
