"""Lists the quirks (faults that real extracts have), and plants those that are asked for in a synthetic delivery.

Each quirk has a name and the number that extracts.md §3 gives it. It changes a few rows, the whole table (header,
columns), the file's bytes, the manifest, or the folder. ``treatment`` says what the platform is expected to do with it;
the tests of intake compare with that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.errors import ConfigurationError
from kobe_platform.synthesis import damage, dirt
from kobe_platform.synthesis.city import City
from kobe_platform.synthesis.effects import Effect, ExtractTable
from kobe_platform.synthesis.layout import MOVEMENTS, REGISTER
from kobe_platform.synthesis.writer import ENCODINGS, LAYOUTS, Form

LIST = Path(__file__).with_name("quirks.toml")
TREATMENTS = {
    "R": "reject the delivery",
    "Q": "set the row aside",
    "W": "count, warn, load",
    "N": "put right as the contract declares",
    "filter": "leave out by state and date",
    "net": "net with the event that it undoes, delete nothing",
    "hold": "hold for an operator",
    "wait": "wait for the manifest",
    "nothing": "nothing to do",
    "late": "take it, show the stale badge",
}


@dataclass(frozen=True)
class Quirk:
    """One quirk as ``quirks.toml`` lists it, with its effect.

    Attributes:
        treatment: a key of :data:`TREATMENTS`.
        encodings, layouts: forms of an extract that can have it; the other attributes are those of the file.
    """

    name: str
    number: int
    treatment: str
    title: str
    effect: Effect
    sources: tuple[str, ...] = (REGISTER, MOVEMENTS)
    share: float = 0.0
    count: int = 3
    encodings: tuple[str, ...] = ENCODINGS
    layouts: tuple[str, ...] = LAYOUTS

    def fits(self, form: Form) -> bool:
        """Whether an extract of this form can have it."""
        return form.encoding in self.encodings and form.layout in self.layouts

    @property
    def of_rows(self) -> bool:
        """Whether it changes chosen rows or adds rows."""
        return self.effect.change is not None or self.effect.append is not None


@dataclass(frozen=True)
class Request:
    """A request for one quirk in one delivery."""

    quirk: Quirk
    month: str
    source: str


@dataclass(frozen=True)
class Soiled:
    """A table with its quirks; ``planted`` counts rows by quirk, treatment, ward and attributes of the row.

    Entries of ``planted``: ``[quirk, treatment, ward, sex, birth date text, resident type, reason, rows]`` (``reason``
    blank in the register); only row quirks are listed.
    """

    table: ExtractTable
    planted: list[list]


@cache
def registry() -> Mapping[str, Quirk]:
    """Every quirk by name, in the order of extracts.md.

    Raises:
        KeyError: the list and the effects name different quirks.
    """
    effects = {**dirt.EFFECTS, **damage.EFFECTS}
    with LIST.open("rb") as file:
        listed = tomllib.load(file)
    if extra := effects.keys() - listed.keys():
        raise KeyError(*extra)
    quirks = {}
    for name, entry in listed.items():
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        quirks[name] = Quirk(name=name, effect=effects[name], **known)
    return dict(sorted(quirks.items(), key=lambda item: item[1].number))


def requested(requests: tuple[str, ...], months: list[str], form: Form) -> list[Request]:
    """Parse ``NAME`` or ``NUMBER``, then optionally ``@YYYY-MM`` and ``:source``.

    Default are the last month and the quirk's first source. A number asks for all of its quirks that the form can show.

    Raises:
        ConfigurationError: unknown quirk, month outside the plan, or a source or form that cannot have it.
    """
    known, found = registry(), []
    for request in requests:
        name, _, place = request.partition("@")
        month, _, source = place.partition(":")
        quirks = [q for q in known.values() if name in (q.name, str(q.number)) and q.fits(form)]
        month = month or months[-1]
        if not quirks or month not in months or (source and source not in quirks[0].sources):
            raise ConfigurationError(
                "a quirk that cannot be planted", code="synthesis.quirk", at={"quirk": request},
                remedy="see kobe synthesize --list-quirks; some need --layout fixed or --encoding utf-8",
            )  # fmt: skip
        found += [Request(quirk, month, source or quirk.sources[0]) for quirk in quirks]
    return found


def soil(
    rows: pl.DataFrame, source: str, city: City, rng: np.random.Generator, dirt: float, asked: list[Quirk], form: Form
) -> Soiled:
    """Mix everyday dirt and the requested row and table quirks into the rows of one delivery.

    No row gets two quirks, so that what was planted can be counted exactly.
    """
    mix = [q for q in registry().values() if q.share and source in q.sources and q.fits(form) and q not in asked]
    plan = [(q, int(rng.poisson(rows.height * dirt * q.share))) for q in mix]
    plan += [(q, q.count) for q in asked if q.of_rows]
    taken = np.zeros(rows.height, dtype=bool)
    if source == MOVEMENTS:  # an event and its cancellation are left unchanged; otherwise they could not be matched
        taken |= rows["atena_no"].is_duplicated().to_numpy()
    edits: list[tuple[np.ndarray, pl.DataFrame]] = []
    added: list[pl.DataFrame] = []
    planted: list[list] = []
    for quirk, wanted in plan:
        if quirk.effect.append is not None and wanted:
            more = quirk.effect.append(rows, city, rng, wanted)
            added.append(more)
            taken |= rows["atena_no"].is_in(more["atena_no"].implode()).to_numpy()
            planted += _account(quirk, more, source)
    for quirk, wanted in plan:
        if quirk.effect.change is None or not wanted:
            continue
        index = _choose(rows, quirk.effect.eligible, wanted, taken, rng)
        taken[index] = True
        befallen = rows[index]
        edits.append((index, befallen.with_columns(**quirk.effect.change).select(list(quirk.effect.change))))
        planted += _account(quirk, befallen, source)
    table = ExtractTable(pl.concat([_edited(rows, edits), *added]))
    for quirk in asked:
        if quirk.effect.table is not None:
            table = quirk.effect.table(table, rng)
    return Soiled(table, planted)


def spoil(path: Path, encoding: str, asked: list[Quirk], rng: np.random.Generator) -> None:
    """Damage the written file's bytes as requested, before the manifest is written."""
    for quirk in asked:
        if quirk.effect.data is not None:
            path.write_bytes(quirk.effect.data(path.read_bytes(), rng, encoding))


def _choose(
    rows: pl.DataFrame, eligible: pl.Expr | None, wanted: int, taken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Up to ``wanted`` unused rows that are eligible, ascending; a sample is searched first, then all rows."""
    if eligible is None:
        candidates = rng.integers(0, rows.height, wanted * 2)
    else:
        sample = np.unique(rng.integers(0, rows.height, min(rows.height, wanted * 60 + 200)))
        candidates = sample[rows[sample].select(eligible).to_series().fill_null(False).to_numpy()]
        if len(candidates) < wanted:
            candidates = np.flatnonzero(rows.select(eligible).to_series().fill_null(False).to_numpy())
    candidates = np.unique(candidates)
    candidates = candidates[~taken[candidates]]
    return np.sort(rng.permutation(candidates)[:wanted])


def _edited(rows: pl.DataFrame, edits: list[tuple[np.ndarray, pl.DataFrame]]) -> pl.DataFrame:
    """The rows with all edits applied, each column rewritten once."""
    changed: dict[str, tuple[list[np.ndarray], list[pl.Series]]] = {}
    for index, values in edits:
        for column in values.columns:
            places, texts = changed.setdefault(column, ([], []))
            places.append(index)
            texts.append(values[column].cast(pl.String))
    columns = []
    for column, (places, texts) in changed.items():
        columns.append(rows[column].scatter(np.concatenate(places), pl.concat(texts)))
    return rows.with_columns(columns)


def _account(quirk: Quirk, rows: pl.DataFrame, source: str) -> list[list]:
    """Counts of the planted rows by ward and by the attributes of the person before the quirk."""
    if source == REGISTER:
        ward, reason = pl.col("address_code").str.slice(0, 5), pl.lit("")
    else:
        address = pl.when(pl.col("address_after").fill_null("") != "").then("address_after").otherwise("address_before")
        ward, reason = address.str.slice(0, 5), pl.col("reason")
    keys = [ward.alias("ward"), "sex", "birth_date", "resident_type", reason.alias("reason")]
    counted = rows.select(keys).group_by(pl.all()).len().sort(pl.all())
    return [[quirk.name, quirk.treatment, *row] for row in counted.iter_rows()]
