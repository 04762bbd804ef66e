"""Any edit, deletion, reordering or cut of the log of key use is found; a crash or a rival writer is not a fault."""

import json
import multiprocessing

import pytest

from kobe_platform.custody.key_log import KeyLog
from kobe_platform.errors import CustodyError

SECRET = b"s" * 32


def entries(log, count, action="unwrap"):
    for number in range(count):
        log.append(principal="p", action=action, purpose="data/x", key="data/x#1", object=f"o/{number}")


@pytest.fixture
def log(tmp_path):
    log = KeyLog(tmp_path / "key_use.jsonl", SECRET)
    entries(log, 6)
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


def test_a_torn_last_line_is_dropped_by_the_next_entry(log):
    with log.path.open("ab") as file:
        file.write(b'{"seq": 7, "ti')
    entries(log, 1)
    verdict = log.verify()
    assert verdict.sound
    assert verdict.entries == 7


def _write(path):
    entries(KeyLog(path, SECRET), 40)


def test_concurrent_writers_do_not_fork_the_chain(tmp_path):
    path = tmp_path / "key_use.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    verdict = KeyLog(path, SECRET).verify()
    assert verdict.sound
    assert verdict.entries == 120


def test_commits_are_known_also_when_another_process_wrote_them(log):
    other = KeyLog(log.path, SECRET)
    assert log.committed("28100/lake/x/2025-07") == 0
    other.append(principal="p", action="commit", purpose="data/x", key="", object="28100/lake/x/2025-07/3")
    assert log.committed("28100/lake/x/2025-07") == 3
