"""The whole graph over planted persons, each stage failing in turn: no trace of them in anything that was written.

The deliveries hold made-up names, addresses, birth dates, numbers and aliases. The runs have no network. Whatever lies
under KOBE_HOME afterwards, and all that the processes said, is searched for them in every encoding (canaries.py).
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.synthesis import CityPlan, Form, synthesize
from tests.secrecy.canaries import Search
from tests.secrecy.failing_run import STAGES
from tests.secrecy.planting import NEEDLES, plant, plant_staff

PROJECT = Path(__file__).resolve().parents[2]
MONTH = "2025-11"
SEARCH = Search(NEEDLES.items())
ABSTRACTION = ("abstracted",)
HOLDS_TEXT = (pl.String, pl.Binary, pl.UInt64)
OUTSIDE = re.compile(
    rb"""(?:src|href|action)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
)


@dataclass
class City:
    """A home and an inbox with planted persons, and what each run said (by the stage that failed in it)."""

    home: Path
    inbox: Path
    said: dict[str, bytes] = field(default_factory=dict, repr=False)
    codes: dict[str, int] = field(default_factory=dict)

    def run(self, failing: str) -> None:
        """`kobe run` in a network namespace without a route, core dumps allowed as far as the system lets them be."""
        offline = ["unshare", "--map-root-user", "--net"] if shutil.which("unshare") else []
        environment = {**os.environ, "KOBE_HOME": str(self.home), "KOBE_INBOX": str(self.inbox)}
        done = subprocess.run(
            [*offline, sys.executable, "-m", "tests.secrecy.failing_run", failing],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            timeout=600,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        )
        self.said[failing], self.codes[failing] = done.stdout + done.stderr, done.returncode

    @property
    def store(self) -> PartitionStore:
        """The partitions, opened with the installation's own keys."""
        keys = LocalKeyStore.open(self.home / "keys", log=self.home / "log" / "key_use.jsonl")
        return PartitionStore(self.home / "store", keys, municipality="28100")


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> City:
    root = tmp_path_factory.mktemp("canaries")
    city = City(root / "var", root / "inbox")
    form = Form("cp932", "delimited")
    plan = CityPlan(city.inbox, 20_000, MONTH, MONTH, seed=7, form=form, dirt=0.2, systems=("training",))
    synthesize(plan, lambda *_: None)
    plant(city.inbox / "28100" / "resident_register" / MONTH)
    plant_staff(city.inbox / "28100" / "training_records" / MONTH)
    LocalKeyStore.create(city.home / "keys", log=city.home / "log" / "key_use.jsonl")
    for stage in STAGES:
        if stage in ABSTRACTION:
            continue
        city.run(stage)
    city.run("none")
    return city


@pytest.fixture(scope="module")
def city_where_abstraction_fails(city, tmp_path_factory) -> City:
    """A home of its own: a delivery is tried three times, and two of them fail in the other one."""
    home = tmp_path_factory.mktemp("abstraction") / "var"
    LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")
    failing = City(home, city.inbox)
    for stage in ABSTRACTION:
        failing.run(stage)
    return failing


def shown(data: bytes) -> str:
    """A process's last words, or that they hold a value: an assertion message must not repeat one."""
    return "(holds a planted value)" if SEARCH.data(data, "output") else data.decode(errors="replace")[-2000:]


@pytest.mark.slow
def test_a_failing_stage_is_reported_and_the_last_run_makes_a_release(city, city_where_abstraction_fails):
    for stage in STAGES:
        where = city_where_abstraction_fails if stage in ABSTRACTION else city
        assert where.codes[stage] == 1, f"{stage}: {shown(where.said[stage])}"
    assert city.codes["none"] == 0, shown(city.said["none"])
    assert (city.home / "releases" / "current").is_symlink()


@pytest.mark.slow
def test_the_planted_persons_were_taken_in(city):
    """Else the silence of the search would mean nothing."""
    lake = city.store.read(PartitionId("lake", "resident_register", MONTH), ["age", "ward"])
    assert lake.height > 8_500
    assert (lake["age"] == 90).any()


@pytest.mark.slow
def test_no_run_says_a_planted_value(city, city_where_abstraction_fails):
    said = {**city.said, **city_where_abstraction_fails.said}
    found = {stage: SEARCH.data(output, stage) for stage, output in said.items()}
    assert not any(found.values()), found


@pytest.mark.slow
def test_no_file_that_the_platform_wrote_holds_a_planted_value(city, city_where_abstraction_fails):
    assert sum(1 for path in city.home.rglob("*") if path.is_file()) > 200
    assert SEARCH.tree(city.home) == []
    assert SEARCH.tree(city_where_abstraction_fails.home) == []


@pytest.mark.slow
def test_the_encrypted_partitions_hold_no_code_that_identifies_by_law_and_nothing_that_no_rule_reads(city):
    """Decrypted: raw keeps what a rule reads, later stages less, and none of the rest in any form."""
    read_by_a_rule = {"atena_no", "household_no", "lot", "birth_date", "staff_no"}
    for id in city.store.ids():
        may_hold = read_by_a_rule if id.stage == "raw" else set()
        search = Search((column, value) for column, value in NEEDLES.items() if column not in may_hold)
        frame = city.store.read(id)
        data = b"\n".join(_joined(frame[name]) for name, kind in frame.schema.items() if kind in HOLDS_TEXT)
        assert search.data(data, str(id)) == []


def _joined(column: pl.Series) -> bytes:
    """The distinct values of a column, one a line.

    Of numbers those of at most sixteen digits: a planted one is as short, while a pseudonym is drawn from 64 bits, and
    among thousands of them some eight digits are found by chance.
    """
    if column.dtype == pl.UInt64:
        column = column.filter(column < 10**16)
    values = [value for value in column.unique().to_list() if value is not None]
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


@pytest.mark.slow
def test_every_partition_is_sound_and_every_use_of_a_key_is_in_the_log(city):
    store = city.store
    assert store.verify().faults == ()
    assert store.keys.log.verify().sound
    log = (city.home / "log" / "key_use.jsonl").read_text(encoding="utf-8")
    for id in store.ids():
        assert f"28100/{id}/" in log


@pytest.mark.slow
def test_no_unencrypted_parquet_lies_before_publication_and_no_spill_or_core_anywhere(city):
    for path in city.home.rglob("*.parquet"):
        inside_release = (city.home / "releases") in path.parents or (city.home / "staging") in path.parents
        assert inside_release or path.read_bytes()[:4] == b"PARE", path.relative_to(city.home)
    names = [path.name for path in city.home.rglob("*")]
    assert not [name for name in names if name.startswith("core") or name.endswith((".tmp", ".pickle", ".pkl"))]


@pytest.mark.slow
def test_the_site_names_no_address_outside(city):
    site = (city.home / "releases" / "current").resolve()
    pages = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert pages
    assert [str(path.relative_to(site)) for path in pages if OUTSIDE.search(path.read_bytes())] == []
