"""The index of heads says what the store says, sees every change, and costs nothing that cannot be thrown away."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError
from kobe_platform.lake import PartitionId, PartitionStore, heads
from kobe_platform.lake import heads as module
from kobe_platform.lake.heads import HeadIndex
from kobe_platform.lake.maintenance import destroy
from kobe_platform.lake.partitions import HEAD, MANIFEST, NEXT_HEAD, VERDICTS, content_of, made_from
from kobe_platform.lake.verdicts import record, verdicts

ID = PartitionId("lake", "resident_register", "2025-07")
IDS = [
    PartitionId(stage, source, month)
    for stage in ("raw", "lake", "published")
    for source in ("resident_register", "population_ward")
    for month in ("2025-07", "2025-08")
]
ROWS = pl.DataFrame({"person": [1, 2, 3]})


def written(store, id=ID, number=1):
    facts = {"content_hash": f"content {number}", "rows": 3}
    return store.write(id, ROWS, facts=facts, inputs={"delivery": f"content {number}", "definition": f"d{number}"})


def agrees(index: HeadIndex, store: PartitionStore) -> bool:
    """The index holds exactly what the store, which verifies, has in force."""
    heads = index.read()
    assert set(heads.entries) == set(store.ids())
    for id, entry in heads.entries.items():
        held = store.current(id)
        assert (entry.id, entry.generation, entry.digest) == (id, held.generation, held.digest)
        assert (entry.content, entry.destroyed_at) == (held.content, held.destroyed_at)
        assert entry.made_from == made_from(held.inputs) and entry.definition == held.inputs.get("definition", "")
        assert entry.facts == {name: held.facts[name] for name in ("content_hash", "basis") if name in held.facts}
        told = verdicts(store, id)
        assert set(entry.verdicts) == set(told)
        for check, verdict in told.items():
            found = entry.verdicts[check]
            assert (found.digest, found.passed, found.blocking) == (verdict.digest, verdict.passed, verdict.blocking)
            assert (entry.verdict(check) is not None) == verdict.of(held)
    for stage in ("raw", "lake", "published"):
        for source in ("resident_register", "population_ward"):
            assert heads.months(stage, source) == store.months(stage, source)
    return True


@pytest.fixture
def index(store, tmp_path) -> HeadIndex:
    return HeadIndex(store.root, tmp_path / "staging" / "heads.json")


def test_an_empty_or_absent_store_has_no_heads(tmp_path):
    assert HeadIndex(tmp_path / "nowhere").read().entries == {}


actions = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(IDS), st.integers(0, 3)),
    st.tuples(st.just("check"), st.sampled_from(IDS), st.sampled_from(["disclosure", "no_identifiers"]), st.booleans()),
    st.tuples(st.just("destroy"), st.sampled_from(IDS)),
    st.tuples(st.just("read")),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(actions, max_size=12))
def test_the_index_equals_the_store_after_any_writes_checks_and_destructions(tmp_path_factory, told):
    root = tmp_path_factory.mktemp("heads")
    store = PartitionStore(root / "store", LocalKeyStore.create(root / "keys", log=root / "log"), municipality="28100")
    kept = root / "heads.json"
    index = HeadIndex(store.root, kept)
    for name, *what in told:
        held = store.current(what[0]) if what else None
        if name == "write":
            written(store, *what)
        elif name == "check" and held is not None:
            record(store, held, what[1], passed=what[2], blocking=True, facts={})
        elif name == "destroy" and held is not None:
            destroy(store, held)
        elif name == "read":
            index.read()
    assert agrees(index, store)
    assert agrees(HeadIndex(store.root, kept), store), "another process, from the file"
    assert agrees(HeadIndex(store.root), store), "read afresh"


def test_what_did_not_change_is_not_read_again_and_what_did_is(store, index, monkeypatch):
    for id in IDS:
        written(store, id)
    index.read()
    read = []
    genuine = HeadIndex._entry
    monkeypatch.setattr(HeadIndex, "_entry", lambda self, id, folder: read.append(id) or genuine(self, id, folder))
    index.read()
    assert read == []
    written(store, IDS[3], 2)
    record(store, store.current(IDS[5]), "disclosure", passed=True, blocking=True, facts={})
    destroy(store, store.current(IDS[0]))
    assert agrees(index, store)
    assert sorted(read, key=str) == sorted([IDS[0], IDS[3], IDS[5]], key=str)
    assert agrees(HeadIndex(store.root, index.kept), store)
    assert len(read) == 6, "another process reads the file that keeps the index, and what changed since again"
    assert agrees(HeadIndex(store.root, index.kept), store)
    assert len(read) == 6, "which it wrote down"


def test_the_file_is_written_again_where_much_has_changed(store, index, monkeypatch):
    monkeypatch.setattr(heads, "KEPT_EVERY", 2)
    index.read()
    for number, id in enumerate(IDS[:4], 1):
        before = index.kept.read_bytes() if index.kept.exists() else b""
        written(store, id)
        index.read()
        assert (index.kept.read_bytes() != before) == (number in (1, 3)), "at first, then with every second one"


def test_a_partition_that_is_gone_is_gone_from_the_index(store, index):
    for id in IDS:
        written(store, id)
    index.read()
    shutil.rmtree(store.manifests.folder(IDS[0]))
    assert set(index.read().entries) == set(IDS[1:])


def test_a_commit_while_the_index_reads_is_seen_the_next_time(store, index, monkeypatch):
    """At any moment of reading a partition a run may put the next generation in force."""
    moments = [0]
    genuine = {name: getattr(module, name) for name in ("_stamp", "_verdicts")}

    def during(moment: int) -> None:
        count = [0]

        def interposed(name):
            def call(*arguments):
                count[0] += 1
                if count[0] == moment:
                    written(store, ID, moment)
                return genuine[name](*arguments)

            return call

        for name in genuine:
            monkeypatch.setattr(module, name, interposed(name))
        index.read()
        moments[0] = count[0]
        for name, function in genuine.items():
            monkeypatch.setattr(module, name, function)

    for moment in range(1, 12):
        written(store, ID, 0)
        during(moment)
        assert agrees(index, store), f"the commit at moment {moment} was never seen"
    assert 0 < moments[0] < 11, "every moment was tried"


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": 1, "heads": [[1, 2]]}',
        b'{"version": 1, "heads": [["a/b/c", [], []]]}',
        b'{"version": 1, "heads": {"a": 1}}',
        b'{"version": 0, "heads": []}',
    ],
)
def test_a_damaged_index_file_is_rebuilt(store, index, damage):
    for id in IDS:
        written(store, id)
    index.read()
    sound = index.kept.read_bytes()
    index.kept.write_bytes(damage)
    assert agrees(HeadIndex(store.root, index.kept), store)
    assert json.loads(index.kept.read_bytes())["heads"] == json.loads(sound)["heads"]


def test_the_index_file_is_a_shortcut_only_and_may_be_impossible_to_write(store, tmp_path):
    written(store)
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert agrees(HeadIndex(store.root, in_the_way / "heads.json"), store)


def test_a_commit_that_was_not_put_in_force_is_taken_as_it_was_before(store, index):
    written(store, ID, 1)
    before = index.read().current(ID)
    folder = store.manifests.folder(ID)
    aside = folder / ".g000002.new"
    shutil.copytree(folder / "g000001", aside)
    assert index.read().current(ID) == before
    aside.rename(folder / "g000002")
    assert HeadIndex(store.root).read().current(ID) == before
    assert store.settled(ID).generation == 1
    assert agrees(index, store)


def test_a_commit_that_the_log_knows_is_in_force_for_the_index_once_a_step_has_settled_it(store, index, monkeypatch):
    written(store, ID, 1)
    index.read()
    with monkeypatch.context() as killed:
        killed.setattr(store, "_put_in_force", lambda folder: (_ for _ in ()).throw(OSError(5, "killed here")))
        with pytest.raises(CustodyError):
            written(store, ID, 2)
    assert (store.manifests.folder(ID) / NEXT_HEAD).exists()
    assert index.read().current(ID).generation == 1, "so the step is asked for once more"
    assert store.settled(ID).generation == 2, "and finds it done"
    assert agrees(index, store)


@pytest.mark.parametrize("name", [HEAD, f"g000001/{MANIFEST}"])
@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"generation": null}'])
def test_a_torn_file_makes_its_partition_absent_and_no_other(store, index, name, left):
    written(store, IDS[0])
    written(store, IDS[1])
    index.read()
    path = store.manifests.folder(IDS[0]) / name
    sound = path.read_bytes()
    path.write_bytes(left)
    assert set(index.read().entries) == {IDS[1]}
    path.write_bytes(sound)
    assert agrees(index, store)


def test_torn_verdicts_count_as_none(store, index):
    held = written(store)
    record(store, held, "disclosure", passed=True, blocking=True, facts={})
    assert index.read().current(ID).verdict("disclosure").passed
    (store.manifests.folder(ID) / VERDICTS).write_bytes(b'{"verd')
    assert index.read().current(ID).verdict("disclosure") is None


def test_content_is_the_digest_of_the_rows_where_it_was_taken_else_what_it_was_made_from():
    assert content_of({"content": "rows"}, {"a": "b"}, "file") == "rows"
    assert content_of({}, {}, "file") == "file"
    assert content_of({}, {"a": "b"}, "file") == content_of({}, {"a": "b"}, "another file")


@pytest.mark.slow
def test_eleven_years_of_forty_six_tables_are_read_again_at_the_cost_of_looking_at_their_files(tmp_path, capsys):
    months = [f"{2015 + number // 12}-{number % 12 + 1:02d}" for number in range(138)]
    for number in range(46):
        for month in months:
            folder = tmp_path / "store" / "published" / f"table_{number:02d}" / month
            made = folder / "g000001"
            made.mkdir(parents=True)
            digest = hashlib.sha256(f"{number} {month}".encode()).hexdigest()
            manifest = {"generation": 1, "digest": digest, "destroyed_at": "", "facts": {"content": digest}}
            (made / MANIFEST).write_text(
                json.dumps({**manifest, "inputs": {"definition": "d", "statistics/t": digest}})
            )
            (folder / HEAD).write_text(json.dumps({"generation": 1, "digest": digest}))
            verdict = {"digest": digest, "passed": True, "blocking": True}
            (folder / VERDICTS).write_text(json.dumps({"verdicts": {"disclosure": verdict}}))
    kept, seconds = tmp_path / "heads.json", {}
    for name, index in (
        ("first", HeadIndex(tmp_path / "store", kept)),
        ("process", HeadIndex(tmp_path / "store", kept)),
    ):
        started = time.perf_counter()
        assert len(index.read().entries) == 46 * 138
        seconds[name] = time.perf_counter() - started
        started = time.perf_counter()
        assert len(index.read().entries) == 46 * 138
        seconds[f"{name}, again"] = time.perf_counter() - started
    with capsys.disabled():
        told = ", ".join(f"{name} {taken:.2f} s" for name, taken in seconds.items())
        print(f"\n{46 * 138} heads: {told}; {os.path.getsize(kept) / 1e6:.1f} MB kept")


def test_everybody_in_a_process_asks_one_index(store, tmp_path):
    """What the plan has read the pages need not read."""
    assert heads.index_of(store.root, tmp_path / "heads.json") is heads.index_of(store.root, tmp_path / "heads.json")
    assert heads.index_of(store.root, tmp_path / "heads.json") is not heads.index_of(tmp_path, tmp_path / "heads.json")


def test_commits_are_seen_while_the_log_is_read_once(store):
    """Another process commits while a release looks at all partitions."""
    first, other = written(store), opened_again(store)
    with store.keys.log.read_once():
        assert store.current(ID) == first
        second = written(other, number=2)
        assert store.current(ID) == second, "its head is newer than the log that was read"
        path = store.manifests.folder(ID) / HEAD
        kept = path.read_bytes()
        written(other, number=3)
        path.write_bytes(kept)
    with pytest.raises(CustodyError) as refusal:
        store.current(ID)
    assert refusal.value.code == "custody.rolled_back"


def test_a_commit_that_a_crash_interrupted_is_finished_also_while_the_log_is_read_once(store):
    """A writer who went by what was read before would take the rows of a logged commit for leftovers."""
    written(store)
    with store.keys.log.read_once():
        store.current(ID)
        second = written(opened_again(store), number=2)
        folder = store.manifests.folder(ID)
        shutil.copy(folder / HEAD, folder / NEXT_HEAD)
        store.manifests.write_head(replace(second, generation=1, digest=second.digest), HEAD)
        with store.holding(ID):
            assert store.manifests.head(ID).generation == 2
        assert store.current(ID) == second and store.data_file(second).exists()
        assert written(store, number=3).generation == 3


def opened_again(store):
    """As another process has it: with a log of its own."""
    keys = LocalKeyStore.open(store.root.parent / "keys", log=store.keys.log.path)
    return PartitionStore(store.root, keys, municipality="28100")
