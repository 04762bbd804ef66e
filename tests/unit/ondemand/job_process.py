"""The process of a job in a test's installation: a real desk, whose protection waits until the test lets it go on.

Where the file ``refuse`` is there, the question has no answer, and the nearer ones wait. Where ``fail`` is there, a
library fails with the counts in its message. Where ``stop`` is there, the signal whose number it holds comes while a
library works that puts whatever is raised within it into an error of its own.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.governance.database import open_database
from kobe_platform.lake import PartitionStore
from kobe_platform.ondemand import answers
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.jobs import Jobs
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.ondemand.working import work
from kobe_platform.settings import Settings
from tests.unit.ondemand.conftest import statistic


def main(home: Path, file: Path) -> None:
    """Work on the job of a question's file."""
    protected = answers._protected

    def slowly(*given, **told):
        if (home / "fail").exists():
            raise ValueError(str([cells.to_dict(as_series=False) for cells in given[0].cells.values()]))
        if (home / "refuse").exists() and told.get("thorough"):
            return None
        while not (home / "go").exists():
            time.sleep(0.02)
        return protected(*given, **told)

    answers._protected = slowly

    def desk() -> Desk:
        if (home / "stop").exists():
            try:
                signal.raise_signal(int((home / "stop").read_text()))
            except BaseException as raised:
                raise RuntimeError("a class could not be made") from raised
        keys = LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl")
        store = PartitionStore(home / "store", keys, municipality="28100")
        published = {"population": statistic("population", area="ward", sex="sex")}
        governance = open_database(f"sqlite:///{home / 'governance.sqlite'}")
        return Desk(store, published, load_menu(Settings().ondemand), governance, "synthetic")

    jobs = Jobs(home)
    work(jobs, jobs.of_question(file), desk)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
