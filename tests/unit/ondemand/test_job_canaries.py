"""No file of a question's job, nor the name of one, tells of a hidden count, however the question ends.

The counts are large and all different, so that a hidden one is known wherever it stands. Small counts look like any
other digit; for them two cities are compared that differ in nothing but what is hidden.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.answers import STAGE
from kobe_platform.ondemand.jobs import DONE, FAILED, Job, Jobs, Limits
from tests.secrecy.canaries import unpacked
from tests.unit.ondemand.conftest import MONTH, WARDS, publish, statistic
from tests.unit.ondemand.test_jobs import ended, until

FINEST = list(product(WARDS, ("female", "male"), (0, 90)))
SMALL = FINEST.index((WARDS[0], "female", 90))
QUESTION = f'month = "{MONTH}"\nmeasure = "residents"\ndimensions = ["ward", "age5", "sex"]\n'


class City:
    """An installation with one published month; ``counts`` of residents by :data:`FINEST`."""

    def __init__(self, home: Path, counts: list[int]) -> None:
        self.home, self.jobs, self.counts = home, Jobs(home), counts
        home.mkdir()
        keys = LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")
        self.store = PartitionStore(home / "store", keys, municipality="28100")
        ward, sex, age = (pl.Series(values) for values in zip(*FINEST, strict=True))
        rows = pl.DataFrame({"ward": ward, "sex": sex, "age": age, "count": counts})
        rows = rows.select(pl.exclude("count").repeat_by("count").explode()).with_row_index("person_id")
        rows = rows.select(pl.format("p{}", "person_id").alias("person_id"), "ward", "sex", "age")
        publish(self.store, {"population": statistic("population", area="ward", sex="sex")}, rows)
        governance = open_database(f"sqlite:///{home / 'governance.sqlite'}")
        for login in ("yamada", "sato"):
            add_person(governance, login, "山田", "政策課", roles=("analyst",), by="test")

    def ask(self, login: str = "yamada", *told: str) -> Job:
        """A question's job that has ended; ``told``: the files that tell its process what to do."""
        for name in told:
            (self.home / name).touch()
        processes = []

        def start(file: Path, _login: str, lock: int) -> int:
            command = [sys.executable, "-m", "tests.unit.ondemand.job_process", str(self.home), str(file)]
            with Path(os.devnull if "fail" in told else self.home / "job.log").open(
                "ab"
            ) as log:  # the portal keeps none
                processes.append(subprocess.Popen(command, pass_fds=(lock,), stdout=log, stderr=log))
            return processes[-1].pid

        job = until(self.jobs, self.jobs.enter(login, QUESTION, Limits(), start), ended)
        processes[0].wait(30)
        for name in told:
            (self.home / name).unlink()
        return job

    def answers(self) -> pl.DataFrame:
        """The kept answers."""
        return pl.concat(self.store.read(PartitionId(STAGE, name, MONTH)) for name in self.store.sources(STAGE))

    def hidden(self) -> list[int]:
        """Indices in :data:`FINEST` of the cells that the answers hide."""
        rows = self.answers().filter(pl.col("status") == "suppressed").select("area", "sex", "age").rows()
        return [n for n, (ward, sex, age) in enumerate(FINEST) if (ward, sex, {0: "0-4", 90: "90+"}[age]) in rows]

    def told(self) -> Iterator[tuple[str, bytes]]:
        """What an installation says beside its encrypted rows: names of all files, their bytes, the kept answers."""
        for path in sorted(self.home.rglob("*")):
            name = str(path.relative_to(self.home))
            yield "name", name.encode()
            if path.is_file():
                yield name, path.read_bytes()
        yield "answers", self.answers().write_csv().encode()


def found(city: City) -> list[str]:
    """Where a large hidden count stands as a number of its own: not in the midst of a digest's or a time's digits."""
    values = [str(city.counts[n]) for n in city.hidden() if n != SMALL]
    assert len(values) >= 3, "complementary cells are hidden"
    written = "|".join(re.escape(form) for value in values for form in (value, f"{int(value):,}"))
    one = re.compile(rf"(?<![0-9a-f]{{2}})(?:{written})(?![0-9a-f])")
    layers = ((place, part) for place, data in city.told() for part in (data, *(inner for _, inner in unpacked(data))))
    return [
        place
        for place, data in layers
        if any(one.search(data.decode(encoding, "ignore")) for encoding in ("latin-1", "utf-16-le", "utf-16-be"))
    ]


def comparable(city: City, job: Job) -> dict[str, str]:
    """The files of a job, without times and the number of its process."""
    files = [path for path in sorted((city.jobs.folder / job.id).iterdir()) if path.name != "lock"]
    return {path.name: re.sub(r'"since": "[^"]*"', "", path.read_text()) for path in files}


def counts(small: int = 3) -> list[int]:
    return [small if n == SMALL else 12_011 + 37 * n * n for n in range(len(FINEST))]


@pytest.mark.slow
def test_no_file_of_a_job_tells_of_a_hidden_count(tmp_path):
    city = City(tmp_path / "city", counts())
    ways = [city.ask("yamada", *told) for told in (("fail",), ("refuse", "go"), ("go",))] + [city.ask("sato", "go")]
    assert [job.outcome.code for job in ways] == [FAILED, "ondemand.unsafe", DONE, DONE]
    assert ways[1].outcome.offer and ways[2].outcome.answer == ways[3].outcome.answer
    assert ways[3].step == "starting", "a kept answer is not worked out again"
    assert found(city) == []

    moved = counts()
    for n in city.hidden():
        moved[n] += -1 if sum(a != b for a, b in zip(FINEST[n], FINEST[SMALL], strict=True)) % 2 else 1
    other = City(tmp_path / "other", moved)
    again = [other.ask("yamada", "refuse", "go"), other.ask("yamada", "go")]
    assert moved[SMALL] == 4 and city.answers().equals(other.answers()), "what is published is the same"
    assert [comparable(city, job) for job in ways[1:3]] == [comparable(other, job) for job in again]

    (city.jobs.folder / ways[2].id / "progress.json").write_text(json.dumps({"rows": city.counts[city.hidden()[-1]]}))
    assert found(city) == [f"jobs/{ways[2].id}/progress.json"], "one that stood there would be seen"
