"""A small installation with a partition, a release, a receipt and a governance database; a vault with its key."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.backup.sealing import KEY_BYTES, Seal
from kobe_platform.backup.vault import Folder, Vault
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.governance.database import open_database
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.settings import Settings
from tests.unit.web.conftest import write_release

PARTITION = PartitionId("lake", "resident_register", "2025-07")
CANARY = "990077553311008"
ROWS = pl.DataFrame({"atena_no": [CANARY] * 10})


def silent(number: int, of: int) -> None:
    """No progress is shown."""


@pytest.fixture
def settings(tmp_path) -> Settings:
    """An installation in ``home``."""
    settings = Settings(home=tmp_path / "home", inbox=tmp_path / "inbox")
    store_of(settings, create=True).write(PARTITION, ROWS)
    write_release(settings.releases, {"staff": {"index.html": "統計"}})
    receipt = settings.receipts / "28100" / "a" / "2025-07" / "0.accepted.json"
    receipt.parent.mkdir(parents=True)
    receipt.write_text("{}")
    open_database(settings.governance).dispose()
    for name in ("dagster", "staging", "work"):
        (settings.root / name).mkdir(exist_ok=True)
        (settings.root / name / "scratch").write_text("scratch")
    return settings


def store_of(settings: Settings, *, create: bool = False) -> PartitionStore:
    """The installation's store."""
    make = LocalKeyStore.create if create else LocalKeyStore.open
    return PartitionStore(settings.store, make(settings.keys, log=settings.key_log), municipality="28100")


@pytest.fixture
def vault(tmp_path) -> Vault:
    """An empty sealed vault."""
    return Vault(Folder(tmp_path / "vault"), Seal(bytes(KEY_BYTES)), create=True)


def tree(home: Path) -> dict[str, bytes | str]:
    """Every file's bytes and every link's end, of what a backup holds."""
    found: dict[str, bytes | str] = {}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if name.split("/")[0] in {"dagster", "staging", "work"} or path.name.endswith(".lock"):
            continue
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.startswith("governance.sqlite"):
            found[name] = path.read_bytes()
    return found
