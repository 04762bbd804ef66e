"""What the log of key use keeps beside it is a shortcut: nothing follows from it that the log does not say."""

from __future__ import annotations

import shutil
from threading import Thread

import pytest

from kobe_platform.custody import key_log
from kobe_platform.custody.key_log import KeyLog
from kobe_platform.errors import CustodyError

SECRET = b"s" * 32
CITY = "28100/published/population"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A log of thirty commits and some other entries, whose index is kept."""
    monkeypatch.setattr(key_log, "KEPT_EVERY", 10)
    log = KeyLog(tmp_path / "key_use.jsonl", SECRET)
    log.begin("p")
    commit(log, range(1, 31))
    for action, object in (("destroyed", f"{CITY}/2025-01/1"), ("revoked", "x")):
        log.append(principal="p", action=action, purpose="data/x", key="data/x#1", object=object)
    assert told(log)["commits"] == 30 and kept(log.path).exists()
    return log.path


def commit(log, numbers):
    for number in numbers:
        log.append(principal="p", action="commit", purpose="data/x", key="", object=f"{CITY}/2025-01/{number}")


def kept(path):
    return path.with_suffix(".index")


def told(log):
    """All that a reader learns of a log."""
    return {
        "committed": log.committed(f"{CITY}/2025-01"),
        "generations": log.generations(),
        "commits": log.commits(),
        "places": log.places(),
        "destroyed": log.destroyed(f"{CITY}/2025-01/1"),
        "created": log.created("data/x#1"),
        "revoked": log.revoked("data/x#1"),
    }


def whole(path):
    """What the log says, read from its beginning."""
    aside = path.parent / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name in (path.name, path.with_suffix(".head").name):
        shutil.copy(path.parent / name, aside)
    return told(KeyLog(aside / path.name, SECRET))


def lines_read(path, monkeypatch):
    """What a process that starts now learns, and how many entries it reads for it."""
    taken, take = [], KeyLog._take
    monkeypatch.setattr(KeyLog, "_take", lambda log, line: (taken.append(line), take(log, line)))
    return told(KeyLog(path, SECRET)), len(taken)


def test_a_process_that_starts_reads_only_what_was_added_since(path, monkeypatch):
    commit(KeyLog(path, SECRET), [31, 32, 33])
    expected = whole(path)
    assert lines_read(path, monkeypatch) == (expected, 3)


@pytest.mark.parametrize("place", [0, 30, 64, 70, -40, -1])
def test_a_kept_index_with_a_changed_byte_is_not_believed(path, monkeypatch, place):
    data = bytearray(kept(path).read_bytes())
    data[place] ^= 1
    kept(path).write_bytes(data)
    expected = whole(path)
    assert lines_read(path, monkeypatch) == (expected, 33)


def test_a_forged_number_is_not_believed(path):
    """It would say that an older generation is the one in force."""
    expected, data = whole(path), kept(path).read_bytes()
    kept(path).write_bytes(data.replace(f'"{CITY}/2025-01": 30'.encode(), f'"{CITY}/2025-01": 29'.encode()))
    assert kept(path).read_bytes() != data and told(KeyLog(path, SECRET)) == expected


@pytest.mark.parametrize("left", [b"", b"\n", b"{}", b"a" * 64 + b"\n{}"])
def test_a_torn_index_is_no_fault(path, left):
    expected = whole(path)
    kept(path).write_bytes(left)
    assert told(KeyLog(path, SECRET)) == expected


def test_neither_an_entry_nor_the_head_passes_for_an_index(path):
    """They are signed with the same key."""
    expected = whole(path)
    head = path.with_suffix(".head").read_bytes()
    for text in (head, path.read_bytes().splitlines()[0]):
        kept(path).write_bytes(KeyLog(path, SECRET)._mac({}).encode() + b"\n" + text)
        assert told(KeyLog(path, SECRET)) == expected


def test_an_index_of_another_installation_is_not_believed(path, tmp_path):
    other = KeyLog(tmp_path / "other" / path.name, b"t" * 32)
    other.begin("p")
    commit(other, range(1, 20))
    told(other)
    expected = whole(path)
    shutil.copy(kept(other.path), kept(path))
    assert told(KeyLog(path, SECRET)) == expected


def test_a_log_that_was_restored_and_went_another_way_is_read_from_its_beginning(path):
    """The index beside it then is of entries that this log never had, at a place that it reaches again."""
    before = {name: (path.parent / name).read_bytes() for name in (path.name, path.with_suffix(".head").name)}
    newer = KeyLog(path, SECRET)
    commit(newer, range(31, 51))
    told(newer)
    for name, data in before.items():
        (path.parent / name).write_bytes(data)
    assert told(KeyLog(path, SECRET)) == whole(path)
    commit(KeyLog(path, SECRET), range(31, 81))
    assert told(KeyLog(path, SECRET)) == whole(path)


def test_an_entry_before_the_index_that_was_edited_is_found_by_verification(path):
    """The index was signed before the edit, so it says what was true; `kobe log verify` walks every entry."""
    expected = whole(path)
    text = path.read_text()
    path.write_text(text.replace('"principal":"p"', '"principal":"q"', 1))
    assert told(KeyLog(path, SECRET)) == expected
    assert not KeyLog(path, SECRET).verify().sound


def test_an_entry_after_the_index_that_was_edited_is_met(path):
    commit(KeyLog(path, SECRET), [31])
    text, last = path.read_text(), path.read_text().splitlines()[-1]
    path.write_text(text.replace(last, last.replace('"principal":"p"', '"principal":"q"')))
    with pytest.raises(CustodyError) as error:
        KeyLog(path, SECRET).commits()
    assert error.value.code == "custody.log_broken"


def test_within_read_once_the_log_is_read_once_and_again_where_it_is_asked_anew(path, monkeypatch):
    log, other, looks = KeyLog(path, SECRET), KeyLog(path, SECRET), []
    read = KeyLog._stored_head
    monkeypatch.setattr(KeyLog, "_stored_head", lambda log: (looks.append(log), read(log))[1])
    with log.read_once():
        assert log.committed(f"{CITY}/2025-01") == 30
        commit(other, [31])
        before = looks.count(log)
        assert log.committed(f"{CITY}/2025-01") == 30 and log.destroyed(f"{CITY}/2025-01/1")
        assert looks.count(log) == before, "nothing was read for it"
        assert log.committed(f"{CITY}/2025-01", anew=True) == 31
        assert log.committed(f"{CITY}/2025-01") == 31, "what was read anew holds from then on"
        commit(other, [32])
    assert log.committed(f"{CITY}/2025-01") == 32, "outside of it each question reads on"


def test_another_thread_reads_on_while_one_reads_once(path):
    log, told = KeyLog(path, SECRET), []
    with log.read_once():
        log.committed(f"{CITY}/2025-01")
        commit(KeyLog(path, SECRET), [31])
        beside = Thread(target=lambda: told.append(log.committed(f"{CITY}/2025-01")))
        beside.start()
        beside.join()
    assert told == [31]


def test_what_was_read_once_stays_where_the_log_is_broken_meanwhile(path):
    """Else a destroyed partition that was put back would pass for one that is in force."""
    log = KeyLog(path, SECRET)
    log.append(principal="p", action="destroyed", purpose="data/x", key="data/x#1", object=f"{CITY}/2025-01/30")
    with log.read_once():
        assert log.destroyed(f"{CITY}/2025-01/30")
        head = path.with_suffix(".head")
        head.write_bytes(head.read_bytes().replace(b'"seq"', b'"sep"'))
        with pytest.raises(CustodyError):
            log.committed(f"{CITY}/2025-01", anew=True)
        assert log.destroyed(f"{CITY}/2025-01/30")
