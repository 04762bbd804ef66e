"""The inbox on a share that others write to: broken manifests, a share that goes away, receipts after a power cut."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import threading
import time

import pytest
from typer.testing import CliRunner

from kobe_platform.contracts import Contract
from kobe_platform.errors import ConfigurationError, CustodyError, DeliveryRejected
from kobe_platform.intake import deliveries, receipts
from kobe_platform.intake.manifest import LARGEST_MANIFEST
from kobe_platform.planning.showing import reason
from kobe_platform.reception.commands import deliveries_app
from kobe_platform.reception.outcomes import receipt_status
from kobe_platform.vocabulary.rules import hold, rejection

from .conftest import MOVEMENTS, REGISTER
from .handmade import deliver, person

CITY, MONTH = "28100", "2025-07"


@pytest.fixture
def register(contracts) -> Contract:
    return contracts[REGISTER]


@pytest.fixture
def inbox(tmp_path, register):
    """Two sound deliveries, on either side of the month that the tests break."""
    for month in ("2025-06", "2025-08"):
        deliver(tmp_path / "inbox", register, [person(1)], month)
    return tmp_path / "inbox"


def manifest_of(inbox, month=MONTH):
    path = inbox / CITY / REGISTER / month / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def listed(inbox, register):
    return {d.month: d for d in deliveries.find(inbox, {REGISTER: register}, CITY)}


def sound(inbox):
    return json.loads(manifest_of(inbox, "2025-06").read_text("utf-8")) | {"month": MONTH}


# ── broken manifests ─────────────────────────────────────────────────────────────────────────────────────────────


def _text(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def _with_sequence(said, number):
    return json.dumps(said).replace('"sequence": 1', f'"sequence": {number}')


def _files(path, said, **changed):
    _text(path, json.dumps(said | {"files": [said["files"][0] | changed]}))


BROKEN = {
    "nested without end": lambda path, said: _text(path, "[" * 200_000),
    "objects nested without end": lambda path, said: _text(path, '{"a":' * 200_000),
    "an ignored part nested without end": lambda path, said: _text(
        path, json.dumps(said)[:-1] + ', "x": ' + "[" * 200_000 + "]" * 200_000 + "}"
    ),
    "empty": lambda path, said: _text(path, ""),
    "zero bytes in its place": lambda path, said: _text(path, b"\0" * 4096),
    "not UTF-8": lambda path, said: _text(path, json.dumps(said).encode().replace(b"2025-08", "神戸".encode("cp932"))),
    "half a character": lambda path, said: _text(path, json.dumps(said | {"created_at": "@"}).replace("@", "\\ud83d")),
    "no number": lambda path, said: _text(path, json.dumps(said | {"sequence": float("nan")})),
    "an endless number": lambda path, said: _text(path, json.dumps(said | {"sequence": float("inf")})),
    "a number of 5,000 digits": lambda path, said: _text(path, _with_sequence(said, "9" * 5000)),
    "a number of 4,000 digits": lambda path, said: _text(path, _with_sequence(said, "9" * 4000)),
    "a fraction of 5,000 digits": lambda path, said: _text(path, _with_sequence(said, "1." + "3" * 5000)),
    "larger than any manifest": lambda path, said: _text(path, json.dumps(said) + " " * LARGEST_MANIFEST),
    "as large as a disk": lambda path, said: (_text(path, "{"), os.truncate(path, 1 << 40)),
    "a folder": lambda path, said: path.mkdir(),
    "a pipe that nobody writes to": lambda path, said: os.mkfifo(path),
    "a link to itself": lambda path, said: path.symlink_to(path),
    "a link out of the share": lambda path, said: path.symlink_to("/etc/passwd"),
    "a file that is listed twice": lambda path, said: _text(path, json.dumps(said | {"files": said["files"] * 2})),
    "a file that is listed in two spellings": lambda path, said: _text(
        path, json.dumps(said | {"files": [said["files"][0] | {"name": name} for name in ("が.csv", "が.csv")]})
    ),
    "rows as a text": lambda path, said: _files(path, said, rows="71"),
    "rows that are half": lambda path, said: _files(path, said, rows=1.5),
    "rows that are true": lambda path, said: _files(path, said, rows=True),
    "a name with half a character": lambda path, said: _text(
        path, json.dumps(said).replace(f"{REGISTER}.csv", "\\ud800.csv")
    ),
    "a name that would clear the screen": lambda path, said: _files(path, said, name="\x1b[2J.csv"),
    "a name that no disk takes": lambda path, said: _files(path, said, name="あ" * 90 + ".csv"),
    "a name in another folder": lambda path, said: _files(path, said, name="../2025-06/x.csv"),
    "more files than anybody sends": lambda path, said: _text(
        path, json.dumps(said | {"files": [said["files"][0] | {"name": f"{n}.csv"} for n in range(1001)]})
    ),
    "a month in other digits": lambda path, said: _text(path, json.dumps(said | {"month": "２０２５-07"})),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_one_broken_manifest_is_rejected_and_stops_no_other_delivery(broken, inbox, tmp_path, register):
    BROKEN[broken](manifest_of(inbox), sound(inbox))
    found = listed(inbox, register)
    assert [month for month, d in found.items() if d.manifest] == ["2025-06", "2025-08"]
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(found[MONTH], register)
    assert caught.value.code == "manifest.unreadable"
    assert deliveries.find_one(inbox, CITY, REGISTER, MONTH) == listed(inbox, register)[MONTH] == found[MONTH]
    receipts.write_receipt(tmp_path / "home", found[MONTH], "rejected", caught.value)
    assert receipt_status(tmp_path / "home", listed(inbox, register)[MONTH]) == "rejected"
    shutil.rmtree(manifest_of(inbox)) if manifest_of(inbox).is_dir() else manifest_of(inbox).unlink()
    _text(manifest_of(inbox), json.dumps(sound(inbox)))
    assert receipt_status(tmp_path / "home", listed(inbox, register)[MONTH]) == "none"


def test_a_manifest_that_the_platform_may_not_read_is_rejected(inbox, register, monkeypatch):
    real = os.open

    def refused(path, *arguments, **named):
        if str(path) == str(manifest_of(inbox)):
            raise PermissionError(errno.EACCES, "no", path)
        return real(path, *arguments, **named)

    _text(manifest_of(inbox), json.dumps(sound(inbox)))
    monkeypatch.setattr(os, "open", refused)  # the tests may run as root, whom no mode keeps out
    assert listed(inbox, register)[MONTH].manifest is None and len(listed(inbox, register)) == 3


def test_a_manifest_at_the_limit_is_read(inbox, register):
    text = json.dumps(sound(inbox))
    _text(manifest_of(inbox), "\ufeff" + text + " " * (LARGEST_MANIFEST - len(text) - 3))
    assert listed(inbox, register)[MONTH].manifest is not None


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EIO, errno.EHOSTDOWN])
def test_a_manifest_that_goes_away_while_it_is_read_is_not_taken_for_broken(number, inbox, register, monkeypatch):
    real = os.open

    def gone(path, *arguments, **named):
        if str(path) == str(manifest_of(inbox)):
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **named)

    _text(manifest_of(inbox), json.dumps(sound(inbox)))
    monkeypatch.setattr(os, "open", gone)
    assert list(listed(inbox, register)) == ["2025-06", "2025-08"]
    assert deliveries.find_one(inbox, CITY, REGISTER, MONTH) is None


def test_a_folder_without_a_manifest_waits(inbox, register):
    manifest_of(inbox)
    (inbox / CITY / REGISTER / "2025-10").write_text("a file")
    assert list(listed(inbox, register)) == ["2025-06", "2025-08"]
    for month in (MONTH, "2025-09", "2025-10"):
        assert deliveries.find_one(inbox, CITY, REGISTER, month) is None


def test_a_month_is_written_in_ascii_digits(inbox, register):
    shutil.copytree(inbox / CITY / REGISTER / "2025-06", inbox / CITY / REGISTER / "２０２５-07")
    assert list(listed(inbox, register)) == ["2025-06", "2025-08"]


def test_a_source_that_cannot_be_listed_is_told_by_name_and_error(inbox, register, monkeypatch):
    def refused(path):
        raise PermissionError(errno.EACCES, "no", path)

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(ConfigurationError) as caught:
        listed(inbox, register)
    assert caught.value.at == {"source": REGISTER, "errno": "EACCES"} and str(inbox) not in str(caught.value)


# ── the operator's commands ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def kobe(tmp_path, inbox, monkeypatch):
    """``kobe("list")``: a command of ``kobe deliveries`` on the inbox of the tests."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_INBOX", str(inbox))
    return lambda *words: CliRunner().invoke(deliveries_app, words)


def test_the_list_tells_each_delivery_its_outcome_and_the_reason_on_one_line(kobe, tmp_path, inbox, register):
    manifest_of(inbox).write_text("{")
    found, home = listed(inbox, register), tmp_path / "home"
    receipts.write_receipt(home, found["2025-06"], "accepted", {"rows": 1})  # but its rows are not in the lake
    receipts.write_receipt(home, found[MONTH], "rejected", rejection("manifest.unreadable", line=3))
    lines = kobe("list").output.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [month, REGISTER, outcome] for month, outcome in (("2025-06", "due"), (MONTH, "rejected"), ("2025-08", "due"))
    ]
    assert "[manifest.unreadable]" in lines[1] and lines[1].endswith("（3行目）")
    told = json.loads(kobe("list", "--json").output)
    assert [row["outcome"] for row in told] == ["due", "rejected", "due"] and told[1]["reason"] in lines[1]


def test_a_rejected_delivery_is_tried_again_on_an_operators_word_and_its_receipt_is_kept(
    kobe, tmp_path, inbox, register
):
    delivery = listed(inbox, register)["2025-06"]
    path = receipts.write_receipt(tmp_path / "home", delivery, "rejected", RESULTS["rejected"])
    assert kobe("retry", REGISTER, "2025-06").exit_code == 0
    assert receipt_status(tmp_path / "home", delivery) == "none" and path.with_suffix(".former").exists()
    for source, month in ((REGISTER, "2025-06"), (REGISTER, "2025-08"), (REGISTER, "2025-01"), ("..", "..")):
        assert kobe("retry", source, month).exit_code == 2


def test_only_a_held_delivery_is_approved(kobe, tmp_path, inbox, register):
    delivery = listed(inbox, register)["2025-06"]
    assert kobe("approve", REGISTER, "2025-06").exit_code == 2
    receipts.write_receipt(tmp_path / "home", delivery, "held", RESULTS["held"])
    assert kobe("approve", REGISTER, "2025-06").exit_code == 0
    assert receipts.is_approved(tmp_path / "home", delivery)


# ── found once, and found again ──────────────────────────────────────────────────────────────────────────────────


def test_one_delivery_is_found_without_a_look_at_any_other(inbox, register, monkeypatch):
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **named: opened.append(str(path)) or real(path, *rest, **named))
    monkeypatch.setattr(os, "listdir", None)
    found = deliveries.find_one(inbox, CITY, REGISTER, "2025-06")
    assert opened == [str(manifest_of(inbox, "2025-06"))] and found.manifest.month == "2025-06"
    assert deliveries.find_one(inbox, CITY, MOVEMENTS, "2025-06") is None


def test_a_step_looks_at_its_own_delivery_only(inbox, register, tmp_path, monkeypatch):
    from resources.inbox import Inbox

    share = Inbox(
        path=str(inbox), municipality=CITY, contracts_path=str(tmp_path / "none"), home=str(tmp_path / "home")
    )
    expected = listed(inbox, register)["2025-06"]
    monkeypatch.setattr(os, "listdir", None)
    assert share.delivery(REGISTER, "2025-06") == expected and share.delivery(REGISTER, MONTH) is None


@pytest.mark.parametrize(
    ("source", "month"),
    [("..", MONTH), ("../28100/resident_register", "2025-06"), (REGISTER, ".."), (REGISTER, "2025-06/../2025-06"),
     ("", ""), (REGISTER, "2025-13"), (f"{REGISTER}\n", "2025-06"), (REGISTER, "2025-06\n")],
)  # fmt: skip
def test_only_a_source_and_a_month_name_a_delivery(source, month, inbox):
    assert deliveries.find_one(inbox, CITY, source, month) is None


def test_manifests_that_did_not_change_are_not_read_again(inbox, register, monkeypatch):
    monkeypatch.setattr(deliveries, "_SETTLED", -1)
    first = listed(inbox, register)
    monkeypatch.setattr(os, "open", None)
    assert listed(inbox, register) == first


CHANGES = {
    "rewritten in place": lambda path, text: path.write_text(text, "utf-8"),
    "replaced": lambda path, text: _put_in_its_place(path, text),
    "rewritten in place with its former time": lambda path, text: _with_former_time(path, text),
    "broken": lambda path, text: path.write_text("{", "utf-8"),
}  # fmt: skip


def _put_in_its_place(path, text):
    path.with_name("new").write_text(text, "utf-8")
    path.with_name("new").replace(path)


def _with_former_time(path, text):
    info = path.stat()
    path.write_text(text, "utf-8")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("settled", [True, False])
def test_a_manifest_that_changed_is_read_again_even_if_it_is_as_long_as_before(
    change, settled, inbox, register, monkeypatch
):
    path = manifest_of(inbox, "2025-06")
    if settled:
        monkeypatch.setattr(deliveries, "_SETTLED", -1)
        time.sleep(0.05)  # more than a tick of the clock that files are dated by
    before = listed(inbox, register)["2025-06"]
    CHANGES[change](path, path.read_text("utf-8").replace('"sequence": 1', '"sequence": 2'))
    after = listed(inbox, register)["2025-06"]
    assert after.content_hash != before.content_hash
    assert after == deliveries.find_one(inbox, CITY, REGISTER, "2025-06")


def test_a_delivery_that_is_taken_away_is_not_listed_any_more(inbox, register):
    assert list(listed(inbox, register)) == ["2025-06", "2025-08"]
    shutil.rmtree(inbox / CITY / REGISTER / "2025-06")
    assert list(listed(inbox, register)) == ["2025-08"]


# ── data files on a share that goes away ─────────────────────────────────────────────────────────────────────────


def _unmount(path):
    path.parent.rename(path.parents[1] / "elsewhere")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EHOSTDOWN, "unmounted"])
def test_a_share_that_goes_away_under_a_data_file_rejects_nothing(number, inbox, register, monkeypatch):
    delivery = listed(inbox, register)["2025-06"]
    if number == "unmounted":
        _unmount(delivery.path / "manifest.json")
    else:
        _fail(monkeypatch, delivery.path / f"{REGISTER}.csv", number)
    with pytest.raises(ConfigurationError) as caught:
        deliveries.verify(delivery, register)
    assert caught.value.code == "inbox.share" and str(inbox) not in str(caught.value)


def _fail(monkeypatch, victim, number):
    """Reading ``victim`` ends with an error of the system, as on a share that does not answer."""
    real = os.open

    def failing(path, *arguments, **named):
        if str(path) == str(victim):
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", failing)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(path.parent):
        listener.bind(path.name)


@pytest.mark.parametrize(
    ("put", "rule"),
    [
        (lambda path: None, "file.missing"),
        (lambda path: path.mkdir(), "file.plain"),
        (lambda path: os.mkfifo(path), "file.plain"),
        (lambda path: path.symlink_to(path), "file.plain"),
        (lambda path: path.symlink_to("/dev/zero"), "file.plain"),
        (lambda path: path.symlink_to("/etc/passwd"), "file.plain"),
        (_socket, "file.plain"),
        (lambda path: (path.touch(), os.truncate(path, 1 << 40)), "file.bytes"),
    ],
    ids=[
        "nothing",
        "a folder",
        "a pipe that nobody writes to",
        "a link to itself",
        "a link to a device",
        "a link out of the share",
        "a socket",
        "as large as a disk",
    ],
)
def test_what_is_no_data_file_of_the_told_size_is_rejected_unread(put, rule, inbox, register):
    delivery = listed(inbox, register)["2025-06"]
    (delivery.path / f"{REGISTER}.csv").unlink()
    put(delivery.path / f"{REGISTER}.csv")
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(delivery, register)
    assert caught.value.code == rule


def test_a_broken_manifest_says_which_key_and_not_what_it_holds(inbox, register):
    _files(manifest_of(inbox), sound(inbox), rows="71 residents")
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(listed(inbox, register)[MONTH], register)
    assert caught.value.at["fault"] == "files.0.rows int_type"
    assert "71" not in str(caught.value)


def test_a_folder_that_is_a_link_is_no_delivery(inbox, register, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(manifest_of(inbox, "2025-06").parent, elsewhere)
    _text(elsewhere / "manifest.json", json.dumps(sound(inbox)))
    (inbox / CITY / REGISTER / MONTH).symlink_to(elsewhere, target_is_directory=True)
    found = listed(inbox, register)[MONTH]
    assert (found.manifest, found.fault) == (None, "not_a_plain_file")


def test_files_that_are_larger_together_than_what_is_read_at_once_are_refused_unopened(inbox, register, monkeypatch):
    _files(manifest_of(inbox), sound(inbox), bytes=deliveries.LARGEST_DELIVERY + 1)
    monkeypatch.setattr(deliveries, "read_verified", None)
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(listed(inbox, register)[MONTH], register)
    assert caught.value.code == "manifest.bytes"


@pytest.mark.parametrize("first", ["nothing", "half of it", "other content"])
def test_a_manifest_that_came_before_its_data_is_looked_at_again_when_they_are_there(first, inbox, tmp_path, register):
    home, delivery = tmp_path / "home", listed(inbox, register)["2025-06"]
    path = delivery.path / f"{REGISTER}.csv"
    whole = path.read_bytes()
    path.unlink()
    if first != "nothing":
        path.write_bytes(whole[: len(whole) // 2] if first == "half of it" else whole[::-1])
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(delivery, register)
    receipts.write_receipt(home, delivery, "rejected", caught.value)
    assert receipt_status(home, delivery) == "rejected", "as long as nothing changes"
    path.write_bytes(whole)
    os.utime(path, ns=(1, 1))
    assert receipt_status(home, listed(inbox, register)["2025-06"]) == "none"
    deliveries.verify(delivery, register)


# ── receipts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def cut(path, share):
    os.truncate(path, int(path.stat().st_size * share))


LOST = {
    "nothing of it": lambda path: cut(path, 0),
    "zero bytes in its place": lambda path: path.write_bytes(b"\0" * path.stat().st_size),
    "the first half of it": lambda path: cut(path, 0.5),
    "another file's content": lambda path: path.write_text("[]"),
    "text that is no receipt": lambda path: path.write_text("{}"),
    "another delivery's receipt": lambda path: path.write_text(
        json.dumps(json.loads(path.read_text("utf-8")) | {"content_hash": "0" * 64})
    ),
    "bytes that are no text": lambda path: path.write_bytes(b"\xff\xfe{" * 9),
    "endless nesting": lambda path: path.write_text("[" * 200_000),
    "a number of 5,000 digits": lambda path: path.write_text('{"at": ' + "9" * 5000 + "}"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
RESULTS = {
    "accepted": {"rows": 1, "kept": 1},
    "rejected": rejection("file.hash", delivery="x"),
    "held": hold("delivery.row_change", delivery="x"),
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("status", RESULTS)
def test_a_receipt_that_a_power_cut_broke_is_not_there_and_is_written_again(
    status, lost, tmp_path, inbox, register, contracts
):
    home, delivery = tmp_path / "home", listed(inbox, register)["2025-06"]
    path = receipts.write_receipt(home, delivery, status, RESULTS[status])
    assert receipt_status(home, delivery) == status and receipts.read_receipt(path)["status"] == status
    LOST[lost](path)
    assert receipts.read_receipt(path) is None and receipt_status(home, delivery) == "none"
    assert reason(home, delivery, status) == ""
    assert receipts.previous_sequence(home, listed(inbox, register)["2025-08"]) is None
    if path.is_file():
        receipts.write_receipt(home, delivery, status, RESULTS[status])
        assert receipt_status(home, delivery) == status


@pytest.mark.parametrize("lost", LOST)
def test_an_approval_that_a_power_cut_broke_approves_nothing(lost, tmp_path, inbox, register):
    home, delivery = tmp_path / "home", listed(inbox, register)["2025-06"]
    receipts.write_receipt(home, delivery, "held", RESULTS["held"])
    path = receipts.approve(home, delivery, "operator")
    assert receipts.is_approved(home, delivery)
    LOST[lost](path)
    assert not receipts.is_approved(home, delivery) and receipt_status(home, delivery) == "held"


def test_a_broken_receipt_does_not_hide_the_others(tmp_path, inbox, register):
    home, delivery = tmp_path / "home", listed(inbox, register)["2025-06"]
    receipts.write_receipt(home, delivery, "accepted", {"rows": 1})
    (receipts.receipts(home, delivery) / "0123456789ab.accepted.json").touch()
    assert receipt_status(home, delivery) == "accepted"
    assert receipts.previous_sequence(home, listed(inbox, register)["2025-08"]) == 1


def test_the_report_of_the_demo_leaves_broken_receipts_out(tmp_path, inbox, register):
    from kobe_platform.cli.demo import receipts_of
    from kobe_platform.settings import Settings

    settings = Settings(home=tmp_path / "home", inbox=inbox)
    for number, delivery in enumerate(listed(inbox, register).values()):
        path = receipts.write_receipt(settings.root, delivery, "accepted", {"rows": number})
    cut(path, 0)
    assert [receipt["month"] for receipt in receipts_of(settings)] == ["2025-06"]


def test_a_receipt_is_on_the_disk_before_its_name_is(tmp_path, inbox, register, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    def replaced(source, target):
        done.append("renamed")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    path = receipts.write_receipt(tmp_path / "home", listed(inbox, register)["2025-06"], "accepted", {"rows": 1})
    at = done.index("renamed")
    assert done[at - 1].startswith(str(path.parent)) and done[at - 1] != str(path) and done[at + 1] == str(path.parent)
    assert {str(folder) for folder in list(path.parents)[1:5]} <= set(done[:at])


def test_writers_at_once_leave_one_whole_receipt(tmp_path, inbox, register):
    home, delivery = tmp_path / "home", listed(inbox, register)["2025-06"]
    failed = []

    def write(number):
        try:
            for _ in range(10):
                receipts.write_receipt(home, delivery, "accepted", {"rows": number, "long": "x" * number * 1000})
        except Exception as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    folder = receipts.receipts(home, delivery)
    assert not failed and len(list(folder.iterdir())) == 1
    assert receipt_status(home, delivery) == "accepted"


def test_a_disk_that_takes_no_receipt_is_told_without_a_path(tmp_path, inbox, register):
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(CustodyError) as caught:
        receipts.write_receipt(tmp_path / "home", listed(inbox, register)["2025-06"], "accepted", {"rows": 1})
    assert str(tmp_path) not in str(caught.value)
