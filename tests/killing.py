"""``python -m tests.killing ACTION BASE OUT``: an action on copies of a home, killed before its n-th durable step.

``OUT/n`` is the home as the n-th kill left it; the last line of output says how many there are.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import polars as pl

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.maintenance import destroy, rewrap
from tests.faults import kill_everywhere

RAW = PartitionId("raw", "register", "2025-07")
LAKE = PartitionId("lake", "register", "2025-07")


def open_home(home: Path) -> PartitionStore:
    """The partitions of a home."""
    keys = LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl")
    return PartitionStore(home / "store", keys, municipality="28100")


def write(home: Path) -> None:
    """Commit a further generation, whose rows hold the number 2."""
    open_home(home).write(LAKE, pl.DataFrame({"person": [2] * 500}))


def rotate(home: Path) -> None:
    """What `kobe keys rotate` does."""
    store = open_home(home)
    known = sorted({record.purpose for record in store.keys.versions()})
    for purpose in store.keys.begin_rotation(known):
        rewrap(store, purpose)
        store.keys.rewrapped(purpose)


def expire(home: Path) -> None:
    """Destroy a raw partition."""
    store = open_home(home)
    destroy(store, store.current(RAW))


def create(home: Path) -> None:
    """What `kobe keys init` does."""
    LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")


ACTIONS = {"write": write, "rotate": rotate, "expire": expire, "create": create}


def main(action: str, base: Path, out: Path) -> int:
    """Kill ``action`` everywhere; how many homes it left in ``out``."""
    return kill_everywhere(
        lambda number: ACTIONS[action](out / str(number)),
        before=lambda number: shutil.copytree(base, out / str(number)),
    )


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
