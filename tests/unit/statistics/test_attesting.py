"""The check takes over the auditor's verdict where it saw exactly what is stored, and attacks in every other case."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from checks import disclosure as room
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import FormerRelease
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.settings import Settings
from kobe_platform.statistics import attesting, groups, load_statistics
from kobe_platform.statistics.attesting import seen
from kobe_platform.statistics.history import record_release
from kobe_platform.statistics.protection import specification
from kobe_platform.tabulation import steps as tabulation
from kobe_platform.tabulation.steps import SEEN, audit_published, passed_audit, protect_counts
from kobe_platform.vocabulary.codes import hierarchies, wards

MONTH, NAME, GROUP = "2025-07", "foreigners_stay_ward", "stocks/month"
STATISTICS = {NAME: load_statistics(Settings().statistics)[NAME]}
MEMBERS = groups(STATISTICS.values())[GROUP]
ID = PartitionId("published", NAME, MONTH)


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> PartitionStore:
    """One protected month of one table in which something is hidden; the sample that is attacked anew is empty."""
    monkeypatch.setattr(tabulation, "AUDITED_AGAIN", 2**300)
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    made = PartitionStore(tmp_path / "store", keys, municipality="28100")
    stays = hierarchies()["stay"].leaves
    cells = [(ward, stay, 40 + 7 * i + 3 * j) for i, ward in enumerate(wards()) for j, stay in enumerate(stays)]
    cells[0] = (*cells[0][:2], 3)
    frame = pl.DataFrame(cells, schema=["area", "stay", "persons"], orient="row")
    made.write(PartitionId("statistics", NAME, MONTH), frame)
    protect_counts(made, MEMBERS, MONTH, STATISTICS)
    assert "suppressed" in made.read(ID)["status"]
    return made


def passes(store: PartitionStore) -> bool:
    return passed_audit(store, MEMBERS, MONTH, STATISTICS)


def rewritten(store: PartitionStore, change=lambda table: table, **facts: object) -> None:
    """Commit the published table as something else than protection might."""
    now = store.current(ID)
    store.write(ID, change(store.read(ID)), facts={**now.facts, **facts}, inputs=now.inputs)


def test_what_the_auditor_saw_when_it_was_protected_is_taken_over(store):
    assert passes(store) and audit_published(store, MEMBERS, MONTH, STATISTICS).publishable


def test_another_row_in_the_stored_table_is_attacked(store):
    opened = pl.when(pl.col("status") == "suppressed").then(pl.lit("published")).otherwise("status")
    rewritten(store, lambda table: table.with_columns(opened.alias("status"), pl.col("value").fill_null(3)))
    assert not passes(store)


def test_the_order_of_rows_is_no_other_table(store):
    rewritten(store, lambda table: table.reverse())
    assert passes(store)


@pytest.mark.parametrize("facts", [{"audit_safe": False}, {"audit_safe": 1}, {SEEN: ""}, {SEEN: "0" * 64}])
def test_a_manifest_that_does_not_say_so_is_no_verdict(store, facts):
    rewritten(store, **facts)
    assert not passes(store)


def test_a_release_since_then_is_part_of_the_attack(store):
    spec = specification(MEMBERS, None)
    shown = store.read(ID).drop("period")
    more = shown.with_columns(value=pl.lit(None, pl.Int64), status=pl.lit("suppressed"))
    assert record_release(store, GROUP, MONTH, FormerRelease({NAME: more}, spec))
    assert not passes(store)


@pytest.mark.parametrize("what", ["engine_version", "version"])
def test_mended_code_or_another_library_looks_again(store, monkeypatch, what):
    attesting._code.cache_clear()
    monkeypatch.setattr(attesting, what, lambda *names: "another")
    assert not passes(store)
    attesting._code.cache_clear()


def test_another_definition_is_another_specification(store):
    lower = {NAME: STATISTICS[NAME].model_copy(update={"minimum_frequency": 5})}
    assert not passed_audit(store, groups(lower.values())[GROUP], MONTH, lower)


def test_a_share_is_attacked_anew_though_nothing_changed(store, monkeypatch):
    monkeypatch.setattr(tabulation, "AUDITED_AGAIN", 1)
    assert not passes(store)


def test_the_check_attacks_where_nothing_is_taken_over(store, monkeypatch):
    """Of the two ways of the check, each leads to the verdict that the tables deserve."""
    asked = []
    monkeypatch.setattr(room, "audit_published", lambda *a, **k: (asked.append(1), audit_published(*a, **k))[1])
    judges = []
    monkeypatch.setattr(room, "monthly_check", lambda name, key, assets, judge, **told: judges.append(judge))
    room._audited(GROUP, MEMBERS, STATISTICS, None)
    lake = type("L", (), {"store": store, "history_months": 24})()
    assert all(verdict.passed for verdict in judges[0](lake, MONTH).values()) and not asked
    first = store.read(ID).filter(status="suppressed").row(0, named=True)
    one = (pl.col("area") == first["area"]) & (pl.col("stay") == first["stay"])
    shown = {"status": pl.lit("published"), "value": pl.lit(3, pl.Int64)}
    rewritten(
        store,
        lambda table: table.with_columns(
            pl.when(one).then(to).otherwise(name).alias(name) for name, to in shown.items()
        ),
    )
    assert not any(verdict.passed for verdict in judges[0](lake, MONTH).values()) and asked


def test_tables_are_told_by_name_rows_and_specification(store):
    spec, table = specification(MEMBERS, None), store.read(ID).drop("period")
    digest = seen(spec, {NAME: table}, [])
    changed = [
        seen(spec, {"other": table}, []),
        seen(spec, {NAME: table.head(3)}, []),
        seen(spec, {NAME: table.with_columns(value=pl.col("value") + 1)}, []),
        seen(spec, {NAME: table}, [FormerRelease({NAME: table})]),
        seen(spec, {NAME: table}, [FormerRelease({NAME: table}, spec)]),
        seen(spec.model_copy(update={"tables": ()}), {NAME: table}, []),
    ]
    assert len({digest, *changed}) == len(changed) + 1
    assert seen(spec, {NAME: table.select(sorted(table.columns)).reverse()}, []) == digest
