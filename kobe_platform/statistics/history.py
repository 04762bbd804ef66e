"""Keeps the record of releases: every version of a group's tables that was published, by reference month.

A version counts as released from the moment before a release that shows it is switched to (or an answer over the same
people is handed out): people who may have seen it are then assumed to have it. What was protected and never shown is
not in it. The record is a partition of the stage ``released``, one for each group and month, encrypted and signed like
the others; each version carries the specification that it stood under, so that it can be read after a change of codes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import polars as pl

from kobe_platform.custody.durable import locked
from kobe_platform.disclosure import FormerRelease, Spec
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.vocabulary.months import shifted

WINDOW = 24
"""Months before the newest version of a record whose versions are part of the attack, unless told otherwise."""
STAGE = "released"
_SCHEMA = {
    "version": pl.Int64, "released_at": pl.String, "content": pl.String, "spec": pl.String, "table": pl.String,
    "rows": pl.Binary,
}  # fmt: skip


def former_releases(store: PartitionStore, group: str, month: str, window: int = WINDOW) -> list[FormerRelease]:
    """What was released of a group's reference month, oldest first; input of ``protect`` and ``audit``.

    Args:
        group: ``stocks/month`` and the like (:attr:`Statistic.key`).
        month: the partition's month (December for a whole year).
        window: months: versions older than that, counted from the newest one, are left out, unless they are the newest
            that holds some table. What they hid is hidden in all later ones.

    Returns:
        Tables without their period, under the specification that they were released with; none before the first.

    Raises:
        CustodyError: the record is not authentic.
    """
    id = _place(group, month)
    if store.current(id) is None:
        return []
    record = store.read(id)
    newest = str(record["released_at"].max())
    last = record.group_by("table").agg(pl.col("version").max())
    kept = {*last["version"], *record.filter(pl.col("released_at") >= shifted(newest[:7], -window))["version"]}
    chosen = record.filter(pl.col("version").is_in(sorted(kept)))
    return [_release(version) for _, version in chosen.group_by("version", maintain_order=True)]


def record_release(
    store: PartitionStore,
    group: str,
    month: str,
    release: FormerRelease,
    *,
    content: str = "",
    now: datetime | None = None,
) -> bool:
    """Enter a version into the record, before anybody sees it; False where the newest of its tables is the same.

    Args:
        group, month: as for :func:`former_releases`.
        release: tables (dimension columns, ``value``, ``status``) and their specification, which is required.
        content: digest of the tables; worked out where it is not given.
        now: time of the release, for tests.

    Raises:
        CustodyError: it could not be written: then nothing may be released.
    """
    if release.spec is None:
        raise ValueError("a release is recorded with its specification")
    id = _place(group, month)
    content = content or _content(release.tables)
    with locked(store.manifests.folder(id) / ".record.lock"):
        held = store.current(id)
        if held is not None and _newest(held.facts["versions"], release.tables) == content:
            return False
        record = store.read(id) if held is not None else pl.DataFrame(schema=_SCHEMA)
        versions = list(held.facts["versions"]) if held is not None else []
        stamp = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        versions.append({"released_at": stamp, "content": content, "tables": sorted(release.tables)})
        added = _rows(release, len(versions), stamp, content)
        store.write(id, pl.concat([record, added]), facts={"versions": versions})
    return True


def commits(store: PartitionStore) -> AbstractContextManager[None]:
    """Held while something is compared with the record and entered into it: one answer or one release at a time."""
    return locked(store.root / ".answers.lock")


def is_recorded(store: PartitionStore, group: str, month: str, tables: Sequence[str], content: str) -> bool:
    """Whether the newest version of these tables has this content (only the signed manifest is read)."""
    held = store.current(_place(group, month))
    return held is not None and _newest(held.facts["versions"], tables) == content


def recorded_content(store: PartitionStore, group: str, month: str) -> str:
    """What the record of a month says now, as one digest; empty where nothing was released."""
    held = store.current(_place(group, month))
    return held.content if held is not None else ""


def _place(group: str, month: str) -> PartitionId:
    return PartitionId(STAGE, group.replace("/", "_"), month)


def _newest(versions: Sequence[Mapping], tables) -> str:
    """Digest of the newest version of exactly these tables; empty where there is none."""
    wanted = sorted(tables)
    return next((version["content"] for version in reversed(versions) if version["tables"] == wanted), "")


def _rows(release: FormerRelease, version: int, stamp: str, content: str) -> pl.DataFrame:
    """One row a table; its rows as an Arrow file, the specification beside the first."""
    spec = release.spec.model_dump_json() if release.spec is not None else ""
    rows = [
        (version, stamp, content, "" if number else spec, name, _packed(release.tables[name]))
        for number, name in enumerate(sorted(release.tables))
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _release(version: pl.DataFrame) -> FormerRelease:
    tables = {name: pl.read_ipc(io.BytesIO(rows)) for name, rows in version.select("table", "rows").iter_rows()}
    return FormerRelease(tables, Spec.model_validate_json(version["spec"][0]))


def _packed(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _content(tables: Mapping[str, pl.DataFrame]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(f"{name}\n".encode() + tables[name].write_csv().encode())
    return digest.hexdigest()


def under(spec: Spec, releases: Sequence[FormerRelease]) -> list[FormerRelease]:
    """Releases, without a specification of their own where it says of their tables what ``spec`` says."""
    same = [r.spec is not None and _says_the_same(spec, r.spec, r.tables) for r in releases]
    return [FormerRelease(r.tables, None if known else r.spec) for r, known in zip(releases, same, strict=True)]


def _says_the_same(spec: Spec, former: Spec, tables: Collection[str]) -> bool:
    held, told = ({t.name: t for t in s.tables if t.name in tables} for s in (spec, former))
    names = {name for table in told.values() for name in table.dimensions.values()}
    return held == told and all(spec.dimension(name) == former.dimension(name) for name in names)
