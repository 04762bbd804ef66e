"""What interrupted commits leave is found and taken away; kept generations and commits under way are left alone."""

from __future__ import annotations

import polars as pl

from kobe_platform.custody.durable import locked
from kobe_platform.lake.orphans import clear, orphans
from tests.killing import LAKE, create, open_home


def test_what_a_kill_left_is_found_and_taken_away_and_nothing_else(tmp_path):
    create(tmp_path)
    store = open_home(tmp_path)
    for number in range(3):
        store.write(LAKE, pl.DataFrame({"person": [number]}))
    folder = store.manifests.folder(LAKE)
    assert list(orphans(store)) == []
    for name in (".g000004.new", ".g000001.gone", "g000004"):
        (folder / name).mkdir()
        (folder / name / "data.parquet").write_bytes(b"x" * 10)
    (folder / "g000003" / ".manifest.json.new").write_bytes(b"x" * 5)
    before = store.current(LAKE)
    with locked(folder / ".lock"):
        assert list(orphans(store)) == [], "a commit is under way"
    found = sorted((orphan.name, orphan.size) for orphan in orphans(store))
    assert found == [(".g000001.gone", 10), (".g000004.new", 10), (".manifest.json.new", 5), ("g000004", 10)]
    assert len(clear(store)) == 4 and list(orphans(store)) == []
    assert store.current(LAKE) == before and store.read(LAKE)["person"].to_list() == [2]
    assert sorted(path.name for path in folder.glob("g*")) == ["g000002", "g000003"]
