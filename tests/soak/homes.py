"""Homes of a small city in which certain work is due, each prepared once and copied for every trial.

first       keys, and one month of every source in the inbox
taken       the month is in the lake, its tables are due
tabulated   its tables are there, the release is due
done        nothing is due
register    as ``done``, and the register of the next month was delivered
public      as ``done``, and the public estimates of the next month were delivered
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from kobe_platform.contracts import load_contracts
from kobe_platform.contracts.columns import Pseudonym
from kobe_platform.custody.durable import locked
from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.privacy.instance import prepare_instance
from kobe_platform.settings import PROJECT, Settings

RESIDENTS, MONTH, NEXT = 20_000, "2025-11", "2025-12"
CITY = "28100"
REGISTER, MOVEMENTS, ESTIMATES, TOWNS = (
    "resident_register",
    "resident_movements",
    "estimated_population",
    "town_districts",
)
DUE: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "first": ("", (), ()),
    "taken": ("first", ("inbox",), ()),
    "tabulated": ("taken", ("tables",), ()),
    "done": ("tabulated", ("release",), ()),
    "register": ("done", (), (REGISTER,)),
    "public": ("done", (), (ESTIMATES,)),
}
"""Name → the home that it is made from, the sensors that are ticked in it, the sources delivered for the next month."""
LIMIT = 420
"""Seconds that one command may take on a busy machine before it counts as hung."""


@dataclass(frozen=True)
class Place:
    """A home and its inbox, in one folder."""

    folder: Path

    @property
    def home(self) -> Path:
        """``KOBE_HOME``."""
        return self.folder / "var"

    @property
    def inbox(self) -> Path:
        """``KOBE_INBOX``."""
        return self.folder / "inbox"

    @cached_property
    def settings(self) -> Settings:
        """The installation's settings."""
        return Settings(home=self.home, inbox=self.inbox)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Of a command on this home: nothing of the caller's ``KOBE_…``, the checkout that is being tested."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("KOBE_", "DAGSTER_"))}
        own = {"KOBE_HOME": str(self.home), "KOBE_INBOX": str(self.inbox), "DAGSTER_HOME": str(self.home / "dagster")}
        switches = {"DAGSTER_DISABLE_TELEMETRY": "1", "DAGSTER_REDACT_USER_CODE_ERRORS": "1"}
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {**clean, **own, **switches, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(more or {})}

    def start(self, *arguments: str, more: Mapping[str, str] | None = None, log: Path | None = None):
        """Start ``kobe …`` (or, with ``-m`` first, another module) on this home; output goes to ``log``."""
        module = arguments if arguments[0] == "-m" else ("-m", "kobe_platform.cli", *arguments)
        output = (log or self.folder / "log").open("ab")
        try:
            return subprocess.Popen(
                [sys.executable, *module],
                env=self.environment(more),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        finally:
            output.close()

    def kobe(
        self, *arguments: str, more: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess:
        """Run ``kobe …`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "kobe_platform.cli", *arguments],
            env=self.environment(more),
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    def status(self) -> dict:
        """What `kobe status --json` says."""
        done = self.kobe("status", "--json")
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)

    def deliver(self, city: Path, source: str, month: str) -> Path:
        """Put a delivery of a city's into the inbox, its manifest last."""
        there, here = city / CITY / source / month, self.inbox / CITY / source / month
        aside = self.folder / f"coming-{source}-{month}"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(there, aside)
        shutil.rmtree(here, ignore_errors=True)
        here.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(here)
        return here

    def figures(self) -> str:
        """Digest of the figures of the release in force: every table, decoded; empty without a release."""
        tables = sorted((self.home / "releases" / "current" / "tables").glob("*.parquet"))
        digest = hashlib.sha256()
        for path in tables:
            frame = pl.read_parquet(path)
            text = frame.select(pl.all().cast(pl.String)).write_csv(null_value="␀")
            digest.update(f"{path.name} {frame.columns} {frame.dtypes}\n{text}".encode())
        return digest.hexdigest() if tables else ""


@dataclass(frozen=True)
class Undisturbed:
    """What `kobe run` makes of a home when nobody disturbs it: the figures, and how long it took."""

    figures: str
    seconds: float


class Homes:
    """The prepared homes.

    Args:
        folder: keeps them; what it holds already is used again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def city(self) -> Path:
        """Deliveries of both months."""
        return self._made("city", self._synthesize)

    def prepared(self, name: str) -> Place:
        """The home of a name, not to be changed."""
        return Place(self._made(name, lambda folder: self._prepare(name, Place(folder))))

    def copy(self, name: str, folder: Path) -> Place:
        """A copy of a home, to be spoiled."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.prepared(name).folder, folder, symlinks=True)
        if (folder / "var" / "dagster").exists():  # its settings name the place
            prepare_instance(Place(folder).settings)
        return Place(folder)

    def undisturbed(self, name: str) -> Undisturbed:
        """What comes of a home by one `kobe run`."""
        told = self._made(f"undisturbed-{name}", lambda folder: self._undisturbed(name, folder)) / "told.json"
        return Undisturbed(**json.loads(told.read_text()))

    def _made(self, name: str, make: Callable[[Path], object]) -> Path:
        folder = self.folder / name
        with locked(self.folder / f".{name}.lock"):  # of two processes, one makes it
            if not folder.exists():
                aside = self.folder / f".{name}.new"
                shutil.rmtree(aside, ignore_errors=True)
                aside.mkdir(parents=True)
                make(aside)
                aside.rename(folder)
        return folder

    def _synthesize(self, folder: Path) -> None:
        from kobe_platform.synthesis.deliveries import CityPlan, synthesize

        synthesize(CityPlan(folder, RESIDENTS, MONTH, NEXT, 0))

    def _prepare(self, name: str, place: Place) -> None:
        base, sensors, sources = DUE[name]
        if base:
            self.copy(base, place.folder)
        else:
            self._deliver_first(place)
            assert place.kobe("keys", "init").returncode == 0
            make_pseudonym_keys(place)
        if sensors:
            command = [sys.executable, "-m", "tests.soak.homes", str(place.folder), *sensors]
            subprocess.run(command, env=place.environment(), cwd=PROJECT, check=True, timeout=LIMIT)
        for source in sources:
            place.deliver(self.city, source, NEXT)

    def _deliver_first(self, place: Place) -> None:
        for source in (TOWNS, ESTIMATES, REGISTER, MOVEMENTS):
            place.deliver(self.city, source, MONTH)

    def _undisturbed(self, name: str, folder: Path) -> None:
        place = self.copy(name, folder / "place")
        began = time.monotonic()
        done = place.kobe("run")
        assert done.returncode == 0, done.stdout + done.stderr
        seconds = time.monotonic() - began
        (folder / "told.json").write_text(json.dumps({"figures": place.figures(), "seconds": seconds}))
        shutil.rmtree(place.folder)


def make_pseudonym_keys(place: Place) -> None:
    """Make the keys of pseudonyms, which come into being at their first use: who joins the unknown of a table follows
    from them, so copies of one home publish the same figures only with the same ones."""
    keys = open_key_service(KeyPlace.of(place.settings))
    for contract in load_contracts(place.settings.contracts).values():
        for column in contract.columns:
            if isinstance(column, Pseudonym):
                keys.pseudonym_key(column.purpose)


def correct(folder: Path, fewer: int = 1, behind: int = 0) -> None:
    """Deliver a month again without its last rows, or the last but so many; the manifest comes last."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (file,) = manifest["files"]
    rows = (folder / file["name"]).read_bytes().splitlines(keepends=True)
    data = b"".join(rows[: len(rows) - behind - fewer] + rows[len(rows) - behind :])
    file |= {"rows": file["rows"] - fewer, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").unlink()
    (folder / file["name"]).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def tick(folder: Path, *sensors: str) -> int:
    """Do what some of the sensors ask for, and nothing else; how many runs there were."""
    from kobe_platform.definitions import build_definitions
    from kobe_platform.orchestration.headless import Headless
    from kobe_platform.planning.observing import Observer
    from kobe_platform.privacy.instance import open_instance

    settings = Place(folder).settings
    with open_instance(settings) as instance:
        observer = Observer(settings)
        graph = Headless(build_definitions(settings, {"planning": observer}), instance, sensors)
        outcomes = list(graph.run())
    assert outcomes and all(outcome.success for outcome in outcomes), outcomes
    return len(outcomes)


if __name__ == "__main__":
    tick(Path(sys.argv[1]), *sys.argv[2:])
