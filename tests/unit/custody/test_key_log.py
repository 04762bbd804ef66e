"""Any edit, deletion, reordering or cut of the log of key use is found; a crash or a rival writer is not a fault."""

import errno
import hashlib
import json
import multiprocessing
import os
import time
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.custody import key_log
from kobe_platform.custody.key_log import FIELDS, KeyLog
from kobe_platform.errors import CustodyError

SECRET = b"s" * 32
FLIPS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def entries(log, count, action="unwrap"):
    for number in range(count):
        log.append(principal="p", action=action, purpose="data/x", key="data/x#1", object=f"o/{number}")


@pytest.fixture
def log(tmp_path):
    log = KeyLog(tmp_path / "key_use.jsonl", SECRET)
    log.begin("p")
    entries(log, 5)
    return log


@pytest.fixture(scope="module")
def module_log(tmp_path_factory):
    log = KeyLog(tmp_path_factory.mktemp("log") / "key_use.jsonl", SECRET)
    log.begin("p")
    entries(log, 5)
    return log


def rewrite(log, change):
    lines = log.path.read_text().splitlines(keepends=True)
    log.path.write_text("".join(change(lines)))


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], lines[1].replace('"p"', '"q"'), *lines[2:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[:-1],
        lambda lines: [],
        lambda lines: [*lines[:-1], lines[-1][:-5]],
    ],
    ids=["edited", "deleted", "reordered", "repeated", "cut", "emptied", "torn"],
)
def test_tampering_is_found(log, change):
    assert log.verify().sound
    rewrite(log, change)
    assert not log.verify().sound


def test_a_forged_entry_with_a_right_hash_chain_lacks_the_signed_head(log):
    rewrite(log, lambda lines: lines[:3])
    head = log.path.with_suffix(".head")
    record = json.loads(head.read_text())
    last = json.loads(log.path.read_text().splitlines()[-1])
    head.write_text(json.dumps({**record, "seq": 3, "hash": last["hash"], "size": log.path.stat().st_size}))
    assert not log.verify().sound


def forged(log, entry):
    """An entry that an attacker without the secret would make: well-formed, chained, hashed as best he can."""
    record = json.loads(entry)
    last = json.loads(log.path.read_text().splitlines()[-1])
    record |= {"seq": last["seq"] + 1, "prev": last["hash"]}
    record["hash"] = hashlib.sha256(json.dumps([record[name] for name in FIELDS]).encode()).hexdigest()
    return json.dumps(record) + "\n"


def test_an_entry_by_somebody_else_is_found_and_not_built_upon(log):
    with log.path.open("a") as file:
        file.write(forged(log, log.path.read_text().splitlines()[-1]))
    assert not log.verify().sound
    with pytest.raises(CustodyError):
        entries(log, 1)


def test_a_longer_log_of_another_history_is_found(log, tmp_path):
    other = KeyLog(tmp_path / "other.jsonl", SECRET)
    other.begin("p")
    entries(other, 9, action="wrap")
    log.path.write_bytes(other.path.read_bytes())
    assert not log.verify().sound


def test_a_log_that_is_gone_with_its_head_is_missed_and_not_begun_anew(log):
    log.path.unlink()
    log.path.with_suffix(".head").unlink()
    assert not log.verify().sound
    with pytest.raises(CustodyError):
        entries(log, 1)


def test_readers_do_not_trust_a_cut_or_forged_log(log):
    other = KeyLog(log.path, SECRET)
    entries(log, 1, action="commit")
    rewrite(log, lambda lines: lines[:-1])
    with pytest.raises(CustodyError):
        other.committed("o")


def test_nothing_is_appended_to_a_log_that_was_cut(log):
    rewrite(log, lambda lines: lines[:-1])
    before = log.path.read_bytes()
    with pytest.raises(CustodyError):
        entries(log, 1)
    assert log.path.read_bytes() == before


def test_a_crash_between_entry_and_head_is_healed(log):
    head = log.path.with_suffix(".head")
    former = head.read_bytes()
    entries(log, 1)
    head.write_bytes(former)
    assert log.verify().sound
    entries(log, 1)
    assert log.verify().entries == 8


def test_a_torn_last_line_is_a_crash_and_dropped_by_the_next_entry(log):
    with log.path.open("ab") as file:
        file.write(b'{"seq": 7, "ti')
    assert log.verify().sound
    assert log.verify().unsigned == 14
    entries(log, 1)
    verdict = log.verify()
    assert verdict.sound
    assert verdict.entries == 7


def _write(path, together):
    together.wait(60)
    entries(KeyLog(path, SECRET), 40)


@contextmanager
def writing(path, count=3):
    """Processes that begin to write at the same moment; on leaving, they are done."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(count)
    writers = [context.Process(target=_write, args=(path, together)) for _ in range(count)]
    for writer in writers:
        writer.start()
    yield writers
    for writer in writers:
        writer.join()


@pytest.mark.slow
def test_concurrent_writers_do_not_fork_the_chain(tmp_path):
    path = tmp_path / "key_use.jsonl"
    KeyLog(path, SECRET).begin("p")
    with writing(path):
        pass
    verdict = KeyLog(path, SECRET).verify()
    assert verdict.sound
    assert verdict.entries == 121


def test_commits_are_known_also_when_another_process_wrote_them(log):
    other = KeyLog(log.path, SECRET)
    assert log.committed("28100/lake/x/2025-07") == 0
    other.append(principal="p", action="commit", purpose="data/x", key="", object="28100/lake/x/2025-07/3")
    assert log.committed("28100/lake/x/2025-07") == 3


@FLIPS
@given(st.data())
def test_no_byte_of_the_log_can_be_changed_or_cut_unnoticed(module_log, data):
    log, sound = module_log, module_log.path.read_bytes()
    place = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans()):
        changed = bytearray(sound)
        changed[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        changed = sound[:place]
    log.path.write_bytes(changed)
    try:
        assert not log.verify().sound
        with pytest.raises(CustodyError):
            KeyLog(log.path, SECRET).committed("o")
    finally:
        log.path.write_bytes(sound)
    assert log.verify().sound


@FLIPS
@given(st.permutations(range(6)), st.sets(st.integers(0, 5), max_size=3))
def test_no_entry_can_be_moved_or_removed_unnoticed(module_log, order, removed):
    log, sound = module_log, module_log.path.read_bytes()
    lines = sound.splitlines(keepends=True)
    changed = b"".join(lines[number] for number in order if number not in removed)
    log.path.write_bytes(changed)
    try:
        assert log.verify().sound == (changed == sound)
    finally:
        log.path.write_bytes(sound)


def test_a_head_of_another_time_or_key_is_refused(log):
    head = log.path.with_suffix(".head")
    entries(log, 1)
    for text in ("", "{}", "null", head.read_text().replace('"seq": 7', '"seq": 8')):
        kept = head.read_text()
        head.write_text(text)
        assert not log.verify().sound
        head.write_text(kept)
    assert not KeyLog(log.path, b"t" * 32).verify().sound


def test_log_and_head_put_back_together_are_seen_against_an_anchor(log):
    former = [(path, path.read_bytes()) for path in (log.path, log.path.with_suffix(".head"))]
    entries(log, 3)
    verdict = log.verify()
    anchor = (verdict.entries, verdict.last)
    for path, data in former:
        path.write_bytes(data)
    assert log.verify().sound, "log and head agree: nothing in the folder can tell"
    assert not log.verify(anchor).sound


def test_an_entry_counts_from_its_signature_on(log):
    """A reader never believes an entry that a failed write may still take back."""
    reader, head = KeyLog(log.path, SECRET), log.path.with_suffix(".head")
    former = head.read_bytes()
    entries(log, 1, action="commit")
    head.write_bytes(former)
    assert reader.committed("o") == 0
    reader.settle()
    assert KeyLog(log.path, SECRET).verify().unsigned == 0
    entries(log, 1, action="commit")
    assert reader.committed("o") == 0 and log.verify().entries == 8


def test_a_disk_that_takes_a_part_of_an_entry_leaves_none_of_it(log, monkeypatch):
    size = log.path.stat().st_size
    originals = os.write

    def nearly_full(handle, data):
        if len(data) > 20:
            return originals(handle, bytes(data)[:20])
        raise OSError(errno.ENOSPC, "made up")

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(CustodyError) as refusal:
        entries(log, 1)
    monkeypatch.undo()
    assert refusal.value.code == "custody.disk_full"
    assert log.path.stat().st_size == size
    entries(log, 1)
    assert log.verify().entries == 7


@pytest.mark.slow
def test_a_writer_killed_among_others_does_not_break_the_chain(tmp_path):
    path = tmp_path / "key_use.jsonl"
    KeyLog(path, SECRET).begin("p")
    with writing(path) as writers:
        while path.read_bytes().count(b"\n") < 15:
            time.sleep(0.005)
        writers[0].kill()
    log = KeyLog(path, SECRET)
    entries(log, 1)
    verdict = log.verify()
    assert verdict.sound and 82 <= verdict.entries <= 122


def test_a_log_with_entries_is_not_begun_anew(log):
    with pytest.raises(CustodyError):
        log.begin("p")
    assert log.verify().entries == 6


def test_a_word_added_to_an_entry_is_found_by_verification_and_by_readers(log):
    def adding(lines):
        entry = json.loads(lines[2])
        text = json.dumps({**entry, "note": "approved"}, ensure_ascii=False, separators=(",", ":"))
        return [*lines[:2], text + "\n", *lines[3:]]

    rewrite(log, adding)
    verdict = log.verify()
    assert (verdict.fault, verdict.line) == ("an entry was edited or forged", 3)
    with pytest.raises(CustodyError):
        KeyLog(log.path, SECRET).committed("x")


def test_a_space_in_an_entry_is_found(log):
    rewrite(log, lambda lines: [*lines[:2], lines[2].replace(",", ", ", 1), *lines[3:]])
    assert not log.verify().sound


def test_a_reader_that_met_a_damaged_log_reads_on_when_it_is_whole_again(log):
    reader = KeyLog(log.path, SECRET)
    whole = log.path.read_bytes()
    rewrite(log, lambda lines: [*lines[:3], lines[3].replace('"p"', '"q"'), *lines[4:]])
    with pytest.raises(CustodyError):
        reader.committed("x")
    log.path.write_bytes(whole)
    assert reader.committed("x") == 0 and reader.created("data/x#1")


@pytest.mark.parametrize("number", [0, -1])
def test_an_anchor_that_no_entry_can_have_is_not_passed_over(log, number):
    assert not log.verify((number, "0" * 64)).sound


def uses(*objects: str) -> list[dict[str, str]]:
    told = {"principal": "platform", "action": "unwrap", "purpose": "data/lake/x", "key": "data/lake/x#1"}
    return [{**told, "object": object} for object in objects]


def test_several_uses_have_an_entry_each_and_are_synced_together(log, monkeypatch):
    synced = []
    sync = os.fsync
    entries(log, 1)
    before = log.verify().entries
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), sync(handle)))
    log.append_all(uses("a", "b", "c"))
    together = len(synced)
    synced.clear()
    log.append_all(uses("d"))
    verdict = log.verify()
    assert verdict.sound and verdict.entries == before + 4
    assert together == len(synced)
    assert [json.loads(line)["object"] for line in log.path.read_text("utf-8").splitlines()[-4:]] == list("abcd")
    log.append_all([])
    assert log.verify().entries == before + 4


def test_of_several_uses_none_stays_where_the_disk_refuses_one(log, monkeypatch):
    entries(log, 2)
    held = log.path.read_bytes()

    def full(path, data):
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(key_log, "write_private", full)
    with pytest.raises(CustodyError) as refusal:
        log.append_all(uses("a", "b"))
    monkeypatch.undo()
    assert refusal.value.code == "custody.disk_full"
    assert log.path.read_bytes() == held and log.verify().sound


def test_whole_entries_of_several_that_a_crash_left_unsigned_are_kept_and_the_torn_one_goes(log, monkeypatch):
    entries(log, 1)
    before = log.verify().entries
    signed = log.path.with_suffix(".head").read_bytes()
    log.append_all(uses("a", "b", "c"))
    log.path.with_suffix(".head").write_bytes(signed)
    log.path.write_bytes(log.path.read_bytes()[:-5])
    log.append_all(uses("d"))
    assert log.verify().sound and log.verify().entries == before + 3
