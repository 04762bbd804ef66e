"""A partition store with a key store of its own."""

import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionStore


@pytest.fixture
def store(tmp_path) -> PartitionStore:
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return PartitionStore(tmp_path / "store", keys, municipality="28100")
