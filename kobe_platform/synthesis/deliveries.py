"""Lets the synthetic city live through the planned months and writes each month's deliveries into an inbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.errors import ConfigurationError
from kobe_platform.synthesis import layout, public, quirks, systems
from kobe_platform.synthesis.changes import changed_rows
from kobe_platform.synthesis.city import City
from kobe_platform.synthesis.events import Events
from kobe_platform.synthesis.flows import next_month
from kobe_platform.synthesis.history import history
from kobe_platform.synthesis.parameters import load
from kobe_platform.synthesis.population import found_city
from kobe_platform.synthesis.rows import movement_rows, register_rows
from kobe_platform.synthesis.truth import truth
from kobe_platform.synthesis.writer import Form, describe_file, write_delimited, write_fixed, write_manifest
from kobe_platform.vocabulary.municipality import own

SMALLEST_CITY = 900
"""Least number of residents; with fewer, a ward could not fill its districts and families."""
EARLIEST, LATEST = np.datetime64("2013-01"), np.datetime64("2070-12")
"""First and last month: foreign residents are on the register since July 2012; texts of days end with 2079."""


@dataclass(frozen=True)
class CityPlan:
    """What to synthesize.

    Attributes:
        out: the inbox; deliveries land in ``out/MUNICIPALITY/SOURCE/YYYY-MM``.
        residents: people at the start. first, last: months ``YYYY-MM``, both included. seed: same seed, same bytes.
        form: encoding and layout of the two personal sources; the public ones are UTF-8 and delimited.
        dirt: 0 (clean) … 1: how many of the everyday quirks are mixed in; none of them rejects a delivery.
        quirks: requests (``NAME`` or ``NAME@YYYY-MM:source``), see :func:`kobe_platform.synthesis.quirks.requested`.
        truth: folder for ``YYYY-MM.json`` with independent counts, outside the inbox; None writes none.
        full_every: months from one full extract of the register to the next; those between come as differences.
        history: whether the city has a past: the public series of the months before the first one come too, as one
            delivery, and people were born in years of many and of few.
        systems: further core systems of the city (:data:`kobe_platform.synthesis.systems.SYSTEMS`); they come as UTF-8.
    """

    out: Path
    residents: int
    first: str
    last: str
    seed: int = 0
    form: Form = field(default_factory=Form)
    dirt: float = 0.2
    quirks: tuple[str, ...] = ()
    truth: Path | None = None
    full_every: int = 1
    history: bool = False
    systems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = {
            "residents": self.residents < SMALLEST_CITY,
            "from, to": not self.months,
            "seed": self.seed < 0,
            "dirt": not 0 <= self.dirt <= 1,
            "full-every": self.full_every < 1,
            "truth": self.truth is not None
            and self.out.resolve() in (self.truth.resolve(), *self.truth.resolve().parents),
        }
        for name, wrong in problems.items():
            if wrong:
                raise ConfigurationError(
                    "the synthetic city cannot be made like this",
                    code="synthesis.plan",
                    at={"option": name},
                    remedy=f"{SMALLEST_CITY} residents or more, months of 2013 to 2070 in order, dirt 0 to 1, "
                    "a seed from 0 on, a full extract each month or more seldom, truth outside the inbox",
                )

    @property
    def months(self) -> list[np.datetime64]:
        """The months in order; empty when they are not valid, in reverse order, before 2013 or after 2070."""
        try:
            first, last = np.datetime64(self.first, "M"), np.datetime64(self.last, "M")
        except ValueError:
            return []
        written_out = len(self.first) == len(self.last) == len("YYYY-MM")
        return list(np.arange(first, last + 1)) if written_out and EARLIEST <= first <= last <= LATEST else []


@dataclass(frozen=True)
class WrittenDelivery:
    """One delivery as it was written: where, of which kind, how many rows, and how many of each planted quirk."""

    source: str
    month: str
    path: Path
    rows: int
    bytes: int
    planted: dict[str, int]
    kind: str = ""


def live(residents: int, first: str, last: str, seed: int = 0) -> Iterator[tuple[City, Events]]:
    """The city at each month's end with the month's events; it is the same object, which changes each month."""
    start, end = np.datetime64(first, "M"), np.datetime64(last, "M")
    city = found_city(residents, start - 1, seed)
    while city.month < end:
        yield city, next_month(city)


def synthesize(plan: CityPlan, report: Callable[[str], None] = lambda step: None) -> list[WrittenDelivery]:
    """Write every delivery of the plan; files in their folders are replaced.

    Args:
        report: called with a line about each step as it begins.

    Raises:
        ConfigurationError: an unknown quirk, month or source was asked for.
    """
    further = systems.chosen(plan.systems)
    requests = quirks.requested(plan.quirks, [str(month) for month in plan.months], plan.form)
    report(f"{plan.residents:,} residents")
    parameters = load().with_cohorts(int(str(plan.months[0] - 1)[:4])) if plan.history else None
    city = found_city(plan.residents, plan.months[0] - 1, plan.seed, parameters)
    stock = public.ward_stock(city)
    base = public.estimate_base(city, stock)
    written: list[WrittenDelivery] = []
    register: pl.DataFrame | None = None
    for number, month in enumerate(plan.months):
        report(f"{month} estimates")
        if month == plan.months[0]:
            written.append(_deliver_public(plan, layout.TOWNS, str(month), city.geography.reference))
            if plan.history:
                before = history(city.parameters, month, stock + base, plan.seed)
                if before.height:
                    written.append(_deliver_public(plan, layout.HISTORY, str(month), before))
        estimates = public.estimates(city, month, stock, base)
        written.append(_deliver_public(plan, layout.ESTIMATES, str(month), estimates))
        events = next_month(city)
        stock = public.ward_stock(city)
        planted = {}
        for source in (layout.REGISTER, layout.MOVEMENTS):
            report(f"{month} {source}")
            asked = [r.quirk for r in requests if r.month == str(month) and r.source == source]
            former = register if source == layout.REGISTER and number % plan.full_every else None
            delivery, soiled = _deliver_personal(plan, source, city, events, asked, former)
            if source == layout.REGISTER and plan.full_every > 1:
                register = soiled.table.rows
            planted[source] = soiled.planted
            written.append(delivery)
        for name in further:
            report(f"{month} {name}")
            for source, kind, rows in systems.SYSTEMS[name](city, plan.residents):
                written.append(_deliver_plain(plan, source, kind, str(month), rows))
        if plan.truth is not None:
            _write_truth(plan.truth, city, events, planted)
    return written


def _deliver_personal(
    plan: CityPlan, source: str, city: City, events: Events, asked: list, former: pl.DataFrame | None
) -> tuple[WrittenDelivery, quirks.Soiled]:
    """Write one delivery; where the register of the month before is given, as the difference from it."""
    month = str(city.month)
    kind = layout.KINDS[source] if former is None else "difference"
    rows = register_rows(city) if source == layout.REGISTER else movement_rows(city, events)
    rng = city.generator(source)
    soiled = quirks.soil(rows, source, city, rng, plan.dirt, asked, plan.form)
    table = soiled.table
    sent = table.rows if former is None else changed_rows(former, table.rows, city)
    folder = _folder(plan, source, month)
    if plan.form.layout == "fixed":
        path = folder / f"{source}.dat"
        write_fixed(sent, path, plan.form, layout.widths(source))
    else:
        path = folder / f"{source}.csv"
        headers = {**layout.headers(source), **table.headers}
        write_delimited(sent, path, plan.form, headers, headless=table.headless)
    quirks.spoil(path, plan.form.encoding, asked, rng)
    manifest = _manifest(plan, source, month, plan.form, [(path, sent.height)], kind)
    size = path.stat().st_size
    for quirk in asked:
        if quirk.effect.manifest is not None:
            quirk.effect.manifest(manifest)
    write_manifest(folder, manifest)
    for quirk in asked:
        if quirk.effect.folder is not None:
            quirk.effect.folder(folder, manifest)
    counts: dict[str, int] = {}
    for name, *_, count in soiled.planted:
        counts[name] = counts.get(name, 0) + count
    counts |= {quirk.name: 1 for quirk in asked if quirk.name not in counts}
    return WrittenDelivery(source, month, folder, sent.height, size, counts, kind), soiled


def _deliver_public(plan: CityPlan, source: str, month: str, rows: pl.DataFrame) -> WrittenDelivery:
    return _deliver_plain(plan, source, layout.KINDS[source], month, rows)


def _deliver_plain(plan: CityPlan, source: str, kind: str, month: str, rows: pl.DataFrame) -> WrittenDelivery:
    folder, form = _folder(plan, source, month), Form("utf-8", "delimited")
    path = folder / f"{source}.csv"
    write_delimited(rows, path, form)
    write_manifest(folder, _manifest(plan, source, month, form, [(path, rows.height)], kind))
    return WrittenDelivery(source, month, folder, rows.height, path.stat().st_size, {}, kind)


def _folder(plan: CityPlan, source: str, month: str) -> Path:
    """The delivery's folder, emptied of an earlier delivery (its manifest first)."""
    folder = plan.out / own().code / source / month
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").unlink(missing_ok=True)
    for file in folder.iterdir():
        file.unlink()
    return folder


def _manifest(plan: CityPlan, source: str, month: str, form: Form, files: list[tuple[Path, int]], kind: str) -> dict:
    """The manifest's content; ``created_at`` and ``sequence`` follow from the month, so that bytes stay the same."""
    after = str(np.datetime64(month, "M") + 1)
    number = int(np.datetime64(month, "M").astype(np.int64)) - 30 * 12
    return {
        "municipality": own().code,
        "source": source,
        "month": month,
        "kind": kind,
        "sequence": number,
        "created_at": f"{after}-01T03:00:00+09:00",
        "encoding": form.encoding,
        "layout": form.layout,
        "files": [describe_file(path, rows) for path, rows in files],
    }


def _write_truth(folder: Path, city: City, events: Events, planted: dict[str, list]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {**truth(city, events), "planted": planted}
    (folder / f"{city.month}.json").write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
