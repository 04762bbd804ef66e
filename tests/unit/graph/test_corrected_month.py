"""A month that was released and then corrected: what was hidden stays hidden, and a leak by difference is blocked."""

import dagster as dg
import polars as pl
import pytest

from assets.conventions import months
from checks.disclosure import disclosure_checks
from kobe_platform.custody.durable import locked
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import AuditReport, Finding
from kobe_platform.disclosure.reports import ENGINE_VERSION
from kobe_platform.errors import DisclosureError
from kobe_platform.lake import PartitionId
from kobe_platform.release.collect import collect
from kobe_platform.release.gate import pass_gate
from kobe_platform.settings import Settings
from kobe_platform.statistics import groups, load_statistics, protection
from kobe_platform.statistics.history import former_releases, record_release
from kobe_platform.tabulation import steps as tabulation
from kobe_platform.tabulation.steps import audit_published, protect_counts, record_released
from kobe_platform.vocabulary.codes import wards
from resources import Lake

MONTH, GROUP = "2025-07", "stocks/month"
NAME = "foreigners_stay_ward"
STATISTICS = {NAME: load_statistics(Settings().statistics)[NAME]}
MEMBERS = groups(STATISTICS.values())[GROUP]
STAYS = ("0", "1-2", "3-4", "5-9", "10+")


@pytest.fixture
def lake(tmp_path) -> Lake:
    LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return Lake(
        root=str(tmp_path / "store"),
        keys_path=str(tmp_path / "keys"),
        municipality="28100",
        principal="test",
        log_path=str(tmp_path / "log" / "key_use.jsonl"),
    )


def counted(lake: Lake, *, small: int = 3, correction: int = 0) -> None:
    """Commit the finest cells: one ward has few of one kind, another one was counted too high before."""
    rows = [(w, s, 40 + 7 * i + 3 * j) for i, w in enumerate(wards()) for j, s in enumerate(STAYS)]
    rows[0] = (*rows[0][:2], small)
    rows[7] = (*rows[7][:2], rows[7][2] + correction)
    frame = pl.DataFrame(rows, schema=["area", "stay", "persons"], orient="row")
    lake.store.write(PartitionId("statistics", NAME, MONTH), frame)


def protected(lake: Lake) -> pl.DataFrame:
    protect_counts(lake.store, MEMBERS, MONTH, STATISTICS)
    return lake.store.read(PartitionId("published", NAME, MONTH))


def released(lake: Lake) -> int:
    return record_released(lake.store, collect(lake.store, STATISTICS), STATISTICS)


def hidden(table: pl.DataFrame) -> set[tuple[str, str]]:
    return set(table.filter(status="suppressed").select("area", "stay").rows())


def put_in_place(lake: Lake, table: pl.DataFrame, hide: set[tuple[str, str]], truth: pl.DataFrame) -> None:
    """Commit ``truth`` with another pattern, past the engine."""
    away = pl.struct("area", "stay").is_in([{"area": a, "stay": s} for a, s in hide])
    rows = truth.with_columns(
        pl.when(away).then(None).otherwise("value").alias("value"),
        pl.when(away).then(pl.lit("suppressed")).otherwise(pl.lit("published")).alias("status"),
    )
    lake.store.write(PartitionId("published", NAME, MONTH), rows.select(table.columns))


def everything(lake: Lake) -> pl.DataFrame:
    """Every row with its count, hidden or not."""
    cells = lake.store.read(PartitionId("statistics", NAME, MONTH))
    both = [cells, cells.with_columns(area=pl.lit("28100")), cells.with_columns(stay=pl.lit("total"))]
    both.append(cells.with_columns(area=pl.lit("28100"), stay=pl.lit("total")))
    sums = pl.concat(both).group_by("area", "stay").agg(value=pl.col("persons").sum())
    return sums.with_columns(period=pl.lit(MONTH), status=pl.lit("published"))


def rules(lake: Lake) -> set[str]:
    return {finding.rule for finding in audit_published(lake.store, MEMBERS, MONTH, STATISTICS).findings}


def test_what_a_released_month_hid_stays_hidden_after_a_correction(lake):
    counted(lake)
    first = hidden(protected(lake))
    assert released(lake) == 1 and released(lake) == 0
    counted(lake, small=60, correction=-1)
    again = protected(lake)
    assert len(first) >= 4 and first <= hidden(again)
    report = audit_published(lake.store, MEMBERS, MONTH, STATISTICS)
    assert report.publishable and report.counts["corrected"] == 1
    assert released(lake) == 1 and len(former_releases(lake.store, GROUP, MONTH)) == 2
    assert audit_published(lake.store, MEMBERS, MONTH, STATISTICS).publishable, "the check may be run again"


def test_what_was_protected_but_never_released_binds_nobody(lake):
    counted(lake)
    assert hidden(protected(lake))
    counted(lake, small=60)
    assert not hidden(protected(lake))


def test_a_pattern_that_shows_by_difference_is_found(lake):
    """Both patterns hide the small cell among others; together they tell the others, and then it."""
    counted(lake)
    first = protected(lake)
    released(lake)
    hid = hidden(first)
    other = next(w for w in wards() if w not in {area for area, _ in hid})
    square = {(area, stay) for area in (wards()[0], other) for stay in sorted({stay for _, stay in hid})[:2]}
    put_in_place(lake, first, square, everything(lake))
    assert {"ratchet", "exact"} <= rules(lake)


@pytest.fixture
def gate(lake, ephemeral):
    """Runs the blocking checks of the table, then the gate of its release."""
    partitions = months("2010-10")

    @dg.asset(key=["published", NAME], partitions_def=partitions)
    def table() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    checks = disclosure_checks(STATISTICS, partitions)
    graph = dg.Definitions(
        assets=[table], asset_checks=checks, resources={"lake": lake}, executor=dg.in_process_executor
    )

    def checked_gate() -> dict[str, int]:
        job = graph.resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=ephemeral, partition_key=MONTH, raise_on_error=False)
        return pass_gate(lake.store, {NAME: (MONTH,)}, STATISTICS)

    return checked_gate


def test_an_audit_that_left_a_ring_out_fails_the_protection_the_blocking_check_and_the_gate(lake, gate, monkeypatch):
    counted(lake)
    protected(lake)
    assert gate() == {"checks": 2}
    incomplete = AuditReport((Finding("ring", NAME, {}, "too large"),), {"cells": 1, "hidden": 0}, 0.0)
    monkeypatch.setattr(tabulation, "audit", lambda *_, **__: incomplete)
    monkeypatch.setattr(tabulation, "AUDITED_AGAIN", 1)  # the check attacks, and takes no verdict over
    with pytest.raises(DisclosureError) as caught:
        gate()
    assert caught.value.code == "release.gate"
    monkeypatch.setattr(protection, "audit", lambda *_, **__: incomplete)
    counted(lake, small=4)
    with pytest.raises(DisclosureError) as caught:
        protected(lake)
    assert caught.value.code == "disclosure.ring" and caught.value.at["table"] == NAME


def test_the_leak_fails_the_blocking_check_and_the_gate(lake, gate):
    counted(lake)
    first = protected(lake)
    released(lake)
    assert gate() == {"checks": 2}
    counted(lake, small=60)
    put_in_place(lake, first, set(), everything(lake))
    with pytest.raises(DisclosureError) as caught:
        gate()
    assert caught.value.code == "release.gate"


def test_a_release_tells_how_its_tables_were_protected(lake):
    counted(lake)
    protected(lake)
    told = collect(lake.store, STATISTICS).facts["tables"][NAME]
    assert (told["method"], told["engine_version"], told["audit_safe"]) == ("suppression", ENGINE_VERSION, True)
    assert not [name for name in told if "share" in name]


def test_a_release_of_tables_that_were_published_anew_meanwhile_is_refused_and_enters_nothing(lake):
    """Answers may have been given beside the new tables: nobody has judged these together with the old ones."""
    counted(lake, small=3)
    protected(lake)
    collected = collect(lake.store, STATISTICS)
    counted(lake, small=30)
    protected(lake)
    with pytest.raises(DisclosureError, match=r"release\.overtaken"):
        record_released(lake.store, collected, STATISTICS)
    assert not former_releases(lake.store, GROUP, MONTH)
    assert released(lake) == 1


def test_no_answer_is_committed_while_a_release_is_entered(lake, monkeypatch):
    counted(lake)
    protected(lake)
    tried = []

    def entering(*given, **more):
        with pytest.raises(BlockingIOError), locked(lake.store.root / ".answers.lock", wait=False):
            pass
        tried.append(given)
        return record_release(*given, **more)

    monkeypatch.setattr("kobe_platform.tabulation.steps.record_release", entering)
    assert released(lake) == 1 and len(tried) == 1
