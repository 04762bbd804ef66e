"""Collects a release from published partitions: one table for each statistic over all periods, and its dimensions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import polars as pl

from kobe_platform.contracts import Contract
from kobe_platform.custody.key_log import KeyLog
from kobe_platform.errors import LoungeError
from kobe_platform.forecasts.codes import unlisted
from kobe_platform.forecasts.tables import SCORED, UNLISTED
from kobe_platform.governance.application_records import applications
from kobe_platform.governance.approvals import Use, withheld
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.heads import KEPT, Heads, index_of
from kobe_platform.lake.shelf import SteadyShelf
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.tables import AREAS_CHANGED, PROTECTION, write_tables
from kobe_platform.release.assembled import FOLDER, assembled
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.inputs import REFERENCE
from kobe_platform.unusual.codes import watched_series
from kobe_platform.unusual.tables import NAMES as WATCHED_SERIES
from kobe_platform.unusual.tables import WATCHED
from kobe_platform.vocabulary.codes import districts, hierarchies
from kobe_platform.vocabulary.district_changes import district_changes

if TYPE_CHECKING:
    from sqlalchemy import Engine

DISTRICT = "district"
BACKTEST = "backtest"
"""The fact of a vintage that says what its back-test found; a release tells that of the newest one."""
COVERS = "covers"
"""The fact of a yearly partition that lists the months (``YYYY-MM``) which it counts."""


@dataclass(frozen=True)
class Collected:
    """What is fit to be published.

    Attributes:
        tables: name → all periods; ``period``, dimensions, ``value``, ``status``.
        dims: hierarchy → ``code, label, parent, level, sort``.
        facts: as :func:`kobe_platform.lounge.release.assemble` takes them.
        months: table → months whose partitions it was made of.
        contents: table → month → digest of the rows that it has of it.
        digest: SHA-256 over the partitions' digests: equal digests, equal tables.
    """

    tables: Mapping[str, pl.DataFrame]
    dims: Mapping[str, pl.DataFrame]
    facts: Mapping[str, Any]
    months: Mapping[str, tuple[str, ...]]
    contents: Mapping[str, Mapping[str, str]]
    digest: str


def published_partitions(
    store: PartitionStore, statistics: Mapping[str, Statistic], looked: SteadyShelf[Partition] | None = None
) -> dict[str, list[Partition]]:
    """The published partitions in force by table, oldest month first; tables without any are left out."""
    shelf = looked or store.steady()
    found: dict[str, list[Partition]] = {}
    with store.keys.log.read_once():
        for name in sorted(statistics):
            held = [shelf.current(PartitionId("published", name, month)) for month in shelf.months("published", name)]
            if present := [partition for partition in held if partition is not None]:
                found[name] = present
    return found


def collect(
    store: PartitionStore,
    statistics: Mapping[str, Statistic],
    scratch: Path | None = None,
    looked: SteadyShelf[Partition] | None = None,
) -> Collected:
    """Every published partition's rows; nothing but protected counts is opened.

    Args:
        scratch: where rows are kept from one release to the next (:mod:`kobe_platform.release.assembled`).
        looked: what the caller goes on to ask of the same partitions.
    """
    return _collected(store, statistics, published_partitions(store, statistics, looked), scratch)


def staged_tables(store: PartitionStore, statistics: Mapping[str, Statistic], scratch: Path) -> tuple[Path, str]:
    """The tables as files in a directory named by their digest, so that pages compile against one and the same.

    Returns:
        The directory (see :func:`kobe_platform.lounge.tables.write_tables`), and the tables' basis.
    """
    digest, basis = _published_digest(store, statistics, scratch)
    target = scratch / f"tables-{digest[:16]}"
    if not (target / "tables.json").exists():
        for former in scratch.glob("*tables-*"):
            shutil.rmtree(former, ignore_errors=True)
        collected = collect(store, statistics, scratch)
        aside = scratch / f".tables-{digest[:16]}"
        write_tables(aside, collected.tables, collected.dims, collected.facts["tables"])
        aside.rename(target)
    return target, basis


_LAST: WeakKeyDictionary[KeyLog, tuple[int, Mapping[str, Statistic], tuple[str, str]]] = WeakKeyDictionary()
"""Log of the store's keys → commits when it was looked at last, the tables asked for, and the answer."""


def _published_digest(store: PartitionStore, statistics: Mapping[str, Statistic], scratch: Path) -> tuple[str, str]:
    """Digest of what the published tables and the words of their codes hold, and their basis, from the index of heads.

    Each page asks it. While nothing was committed since the last answer, nothing is looked at. An answer is remembered
    only where each head was the one that the log saw committed: a commit may stand in the log before its head stands.
    """
    log = store.keys.log
    commits, known = log.commits(), _LAST.get(log)
    if known is not None and known[:2] == (commits, statistics):
        return known[2]
    heads = index_of(store.root, scratch / KEPT).read()
    answer = _index_digest(heads, statistics)
    own = (f"{store.municipality}/published/", f"{store.municipality}/raw/{REFERENCE}/")
    committed = {name: generation for name, generation in log.generations().items() if name.startswith(own)}
    held = [entry for id, entry in heads.entries.items() if id.stage == "published" or _is_reference(id)]
    if committed == {store.manifests.name(entry.id): entry.generation for entry in held}:
        _LAST[log] = commits, statistics, answer
    return answer


def _index_digest(heads: Heads, statistics: Mapping[str, Statistic]) -> tuple[str, str]:
    held = {name: [heads.entries[PartitionId("published", name, month)] for month in heads.months("published", name)]
            for name in sorted(statistics)}  # fmt: skip
    contents = {name: [(entry.id.month, entry.content) for entry in entries] for name, entries in held.items()}
    defined = {name: statistics[name].digest for name in held}
    told = {str(entry.facts.get("basis")) for entries in held.values() for entry in entries}
    words = _words_of(heads, {hierarchy for name in held for hierarchy in statistics[name].dimensions.values()})
    digest = hashlib.sha256(json.dumps([contents, defined, words], sort_keys=True).encode()).hexdigest()
    return digest, "synthetic" if "synthetic" in told else "register"


def _words_of(heads: Heads, named: set[str]) -> list[object]:
    """What the dimensions are made of beside the tables: the lists of codes, and the districts as delivered.

    Either may change without a published month: districts are delivered on a day of their own, a city rewords a list.
    """
    known = hierarchies()
    lists = {name: hashlib.sha256(repr(known[name].codes).encode()).hexdigest() for name in named & set(known)}
    months = heads.months("raw", REFERENCE) if DISTRICT in named else []
    references = [(month, heads.entries[PartitionId("raw", REFERENCE, month)].content) for month in months]
    return [lists, references]


def _is_reference(id: PartitionId) -> bool:
    return (id.stage, id.source) == ("raw", REFERENCE)


def uses(
    pages: Mapping[str, Page], statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract]
) -> list[Use]:
    """Each page's use of personal sources, over the statistics that its queries read."""
    found = []
    for page in pages.values():
        named = {source for table in page.tables if table in statistics for source in statistics[table].sources}
        personal = frozenset(s for s in named if s in contracts and contracts[s].sensitivity != "public")
        found.append(Use(page.slug, page.meta.application, page.meta.audience, personal))
    return found


def withheld_pages(
    engine: Engine,
    pages: Mapping[str, Page],
    statistics: Mapping[str, Statistic],
    contracts: Mapping[str, Contract],
    basis: str,
    day: date,
) -> dict[str, str]:
    """Pages that may not be shown on a day, with the reason (:data:`kobe_platform.governance.approvals.REASONS`).

    Figures of a made-up city (``basis`` "synthetic") are nobody's data and need no application.
    """
    if basis == "synthetic":
        return {}
    known = {app.number: app for app in applications(engine)}
    return withheld(uses(pages, statistics, contracts), known, day)


def insist_on_figures(collected: Collected) -> None:
    """Refuse to publish over nothing.

    Raises:
        LoungeError: no table holds any figure (``release.nothing``).
    """
    if not any(collected.months.values()):
        raise LoungeError(
            "no table holds any figures yet",
            code="release.nothing",
            remedy="deliver extracts; the release is made as soon as a month is counted",
            ja="公表できる統計表がまだありません",
        )


def content_digest(table: pl.DataFrame, covers: Sequence[str] = ()) -> str:
    """SHA-256 of a table's rows in order, and of the months that they cover, independent of how they are stored."""
    return hashlib.sha256((table.write_csv() + "".join(f"\n{month}" for month in covers)).encode()).hexdigest()


def _collected(
    store: PartitionStore,
    statistics: Mapping[str, Statistic],
    partitions: Mapping[str, list[Partition]],
    scratch: Path | None,
) -> Collected:
    tables = _tables(store, partitions, scratch)
    # A yearly table before its first December is empty: pages that name it stand, and fill when it comes.
    tables |= {name: _empty(statistics[name]) for name in statistics if name not in tables}
    named = {hierarchy for name in tables for hierarchy in statistics[name].dimensions.values()}
    references = _references(store) if DISTRICT in named else []
    dims = {name: _dimension(name, references, tables, statistics) for name in sorted(named)}
    changed = [[one.month, one.ja] for one in district_changes(references)]
    facts = {
        "basis": _basis(partitions),
        "municipality": store.municipality,
        "tables": {
            name: {**_told(partitions.get(name, [])), **statistics[name].facts(), **_changed(statistics[name], changed)}
            for name in tables
        },
    }
    months = {name: tuple(partition.id.month for partition in held) for name, held in partitions.items()}
    contents = {name: {p.id.month: content_of(p) for p in held} for name, held in partitions.items()}
    return Collected(tables, dims, facts, months, contents, _digest(partitions))


_ASSEMBLED: dict[str, tuple[str, dict[str, pl.DataFrame]]] = {}
"""Folder of the store → digest of the generations, and the tables as they were put together last in this process:
pages and release ask for the same."""
MOST_ASSEMBLED = 256 * 1024 * 1024
"""Bytes of tables that stay in memory from the pages to the release."""


def _tables(
    store: PartitionStore, partitions: Mapping[str, list[Partition]], scratch: Path | None
) -> dict[str, pl.DataFrame]:
    """Each table over all its periods, of exactly these generations."""
    told = [[str(p.id), p.generation, p.digest] for held in partitions.values() for p in held]
    digest, place = hashlib.sha256(json.dumps(told).encode()).hexdigest(), str(store.root)
    if place in _ASSEMBLED and _ASSEMBLED[place][0] == digest:
        return dict(_ASSEMBLED[place][1])
    rows = assembled(store, partitions, scratch / FOLDER if scratch else None)
    tables = {name: frame.sort("period", maintain_order=True) for name, frame in rows.items()}
    _ASSEMBLED.clear()
    if sum(table.estimated_size() for table in tables.values()) <= MOST_ASSEMBLED:
        _ASSEMBLED[place] = digest, tables
    return dict(tables)


def _told(held: list[Partition]) -> dict[str, object]:
    """How a table was protected, in its latest period, and which months its years cover."""
    latest = held[-1].facts if held else {}
    months = {partition.id.month[:4]: list(partition.facts[COVERS]) for partition in held if COVERS in partition.facts}
    known = (*PROTECTION, BACKTEST, WATCHED)
    return {**{name: latest[name] for name in known if name in latest}, **({"months": months} if months else {})}


def _digest(partitions: Mapping[str, list[Partition]]) -> str:
    contents = {
        name: [(partition.id.month, content_of(partition)) for partition in held] for name, held in partitions.items()
    }
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def content_of(partition: Partition) -> str:
    return partition.facts.get("content", partition.digest)


def _empty(statistic: Statistic) -> pl.DataFrame:
    measured = pl.Float64 if statistic.kind in ("mean", SCORED) else pl.Int64
    columns = {"period": pl.String, **dict.fromkeys(statistic.dimensions, pl.String)}
    return pl.DataFrame(schema={**columns, "value": measured, "status": pl.String})


def _references(store: PartitionStore) -> list[tuple[str, pl.DataFrame]]:
    """Every table of towns and districts by its month, oldest first."""
    months = store.months("raw", REFERENCE)
    held = store.read_all([PartitionId("raw", REFERENCE, month) for month in months])
    return list(zip(months, held, strict=True))


def _changed(statistic: Statistic, changes: list[list[str]]) -> dict[str, object]:
    """Changes of districts, of a table that goes by them."""
    return {AREAS_CHANGED: changes} if changes and DISTRICT in statistic.dimensions.values() else {}


def _dimension(
    name: str,
    references: Sequence[tuple[str, pl.DataFrame]],
    tables: Mapping[str, pl.DataFrame],
    statistics: Mapping[str, Statistic],
) -> pl.DataFrame:
    if name in UNLISTED:
        return unlisted(name, tables, statistics).frame()
    if name == WATCHED_SERIES:
        return watched_series(tables, statistics).frame()
    if name != DISTRICT:
        return hierarchies()[name].frame()
    if not references:  # public figures may come before the districts
        return next(iter(hierarchies().values())).frame().clear()
    frames = [districts(rows, month).frame() for month, rows in reversed(references)]
    everything = pl.concat(frames).unique("code", keep="first", maintain_order=True)
    return everything.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias("sort"))


def _basis(partitions: Mapping[str, list[Partition]]) -> str:
    """``synthetic`` as soon as one partition says so."""
    told = {partition.facts.get("basis") for held in partitions.values() for partition in held}
    return "synthetic" if "synthetic" in told else "register"
