"""What a municipality hands over of a month: each group that its release shows, whatever became of the others."""

import hashlib
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import FormerRelease, Spec
from kobe_platform.errors import CustodyError
from kobe_platform.home_format import FORMAT, write_version
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.prefecture import handing
from kobe_platform.prefecture.commands import prefecture_app
from kobe_platform.prefecture.handing import Hander
from kobe_platform.settings import Settings
from kobe_platform.statistics.history import record_release

AKASHI, MONTH, NEXT = "28203", "2025-06", "2025-07"
STOCKS, FLOWS = "stocks/month", "flows/month"
TABLE = pl.DataFrame({"area": [AKASHI], "value": [120], "status": ["published"]})
SPEC = Spec.model_validate(
    {
        "dimensions": {"ward": {"hierarchy": {AKASHI: None}}},
        "tables": [{"name": "any", "dimensions": {"area": "ward"}, "measure": "count"}],
    }
)


@pytest.fixture
def hander(tmp_path, monkeypatch) -> Hander:
    """A home with one table in each of two groups; nothing is released yet."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    monkeypatch.setenv("KOBE_MUNICIPALITY", AKASHI)
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    made = Hander(Settings(), PartitionStore(tmp_path / "store", keys, municipality=AKASHI))
    kind = {"dimensions": {"area": "ward"}, "ward_column": "area", "measure": "count", "above": "prefecture"}
    kind |= {"period": "month", "is_protected": True, "ties": (), "sources": ()}
    made.__dict__["groups"] = {
        group: (SimpleNamespace(name=name, key=group, population=name, **kind),)
        for group, name in ((STOCKS, "people"), (FLOWS, "moves"))
    }
    made.__dict__["statistics"] = {one.name: one for (one,) in made.groups.values()}
    monkeypatch.setattr(handing, "is_settled", lambda *told: True)
    monkeypatch.setattr(handing, "stored_for_audit", lambda store, members, *rest: (SPEC, {members[0].name: TABLE}, []))
    return made


def published(hander: Hander, group: str, month: str) -> None:
    (one,) = hander.groups[group]
    dated = TABLE.select(pl.lit(month).alias("period"), pl.all())
    hander.store.write(PartitionId("published", one.name, month), dated, facts={"content": f"{one.name} {month}"})
    hander.store.write(PartitionId("statistics", one.name, month), pl.DataFrame({"area": [AKASHI], "count": [120]}))


def released(hander: Hander, *shown: tuple[str, str], tables=None) -> None:
    """Publish groups of months, enter them into the record, and put a release in force that shows them."""
    place = hander.settings.releases / "0001-000000000000"
    (place / "tables").mkdir(parents=True)
    for group, month in shown:
        published(hander, group, month)
        (one,) = hander.groups[group]
        told = hashlib.sha256(json.dumps([(one.name, f"{one.name} {month}")]).encode()).hexdigest()
        record_release(hander.store, group, month, FormerRelease({one.name: TABLE}, SPEC), content=told)
        dated = (tables or {}).get(one.name, TABLE).select(pl.lit(month).alias("period"), pl.all())
        dated.write_parquet(place / "tables" / f"{one.name}.parquet")
    record = {"id": place.name, "created_at": "", "content": "", "tables": {}, "sites": {}, "audiences": {}}
    (place / "release.json").write_text(json.dumps({**record, "facts": {"basis": "synthetic"}}))
    (hander.settings.releases / "current").symlink_to(place.name)


def test_a_group_that_was_not_released_keeps_no_other_from_being_handed_over(hander):
    """As where a town's moves are held back in a month in which its residents are released."""
    released(hander, (STOCKS, MONTH))
    assert set(hander.released()[MONTH]) == {STOCKS}
    handed, refused = hander.hand_over([MONTH])
    assert [(one.month, one.group) for one in handed] == [(MONTH, STOCKS)] and refused == []


def test_a_month_of_which_nothing_was_released_is_no_fault(hander):
    """Its municipality is missing there; others have the month."""
    released(hander, (STOCKS, MONTH))
    assert hander.hand_over([NEXT]) == ([], [])


def test_a_group_that_the_release_does_not_show_as_it_is_held_is_refused_alone(hander):
    other = TABLE.with_columns(pl.lit(121, dtype=pl.Int64).alias("value"))
    released(hander, (STOCKS, MONTH), (FLOWS, MONTH), tables={"people": other})
    handed, refused = hander.hand_over([MONTH])
    assert [one.group for one in handed] == [FLOWS]
    assert [(month, group, error.code) for month, group, error in refused] == [(MONTH, STOCKS, "prefecture.unreleased")]


@pytest.mark.parametrize("place", ["/dev/null", "counts.json"])
def test_counts_are_handed_to_a_pipe_and_to_nothing_else(tmp_path, place):
    """A file would keep unpublished counts in the clear."""
    environment = {**os.environ, "KOBE_HOME": str(tmp_path / "home"), "KOBE_MUNICIPALITY": AKASHI}
    command = [sys.executable, "-m", "kobe_platform.cli", "prefecture", "hand-over", MONTH]
    with (tmp_path / place).open("w") as file:
        ended = subprocess.run(command, env=environment, stdout=file, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 2 and "[prefecture.terminal]" in ended.stderr, ended.stderr


@pytest.mark.parametrize("command", [["hand-over", "--list"], ["receive"]])
def test_a_home_of_an_earlier_version_is_not_worked_on(tmp_path, monkeypatch, command):
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    write_version(tmp_path, FORMAT - 1)
    done = CliRunner().invoke(prefecture_app, command, input='{"parts": []}')
    assert isinstance(done.exception, CustodyError) and done.exception.code == "home.outdated", done.exception


def test_a_table_that_is_summed_from_now_on_makes_its_months_outstanding(hander):
    released(hander, (STOCKS, MONTH))
    before = hander.released()[MONTH][STOCKS]
    (one,) = hander.groups[STOCKS]
    one.above = ""
    assert hander.released()[MONTH][STOCKS] != before
