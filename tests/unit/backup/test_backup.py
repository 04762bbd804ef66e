"""A home that is restored is the home that was backed up, though the platform worked meanwhile; else there is none."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from kobe_platform.backup import capture, restoring
from kobe_platform.backup import vault as vaults
from kobe_platform.backup.commands import backup_app
from kobe_platform.backup.restoring import back_up, faults, restore
from kobe_platform.backup.sealing import Seal
from kobe_platform.backup.vault import Bucket, Folder, Vault
from kobe_platform.cli.main import COMMANDS, invoke
from kobe_platform.custody.durable import locked
from kobe_platform.errors import CustodyError
from kobe_platform.lake.maintenance import destroy
from kobe_platform.lounge.release import current, verify
from kobe_platform.settings import Settings
from kobe_platform.upkeep.doctor import examine
from tests.unit.backup.conftest import CANARY, PARTITION, ROWS, silent, store_of, tree


def restored(vault: Vault, home: Path) -> Settings:
    restore(vault, vault.snapshot(), home, progress=silent)
    return Settings(home=home)


def test_a_restored_home_is_the_one_that_was_backed_up(settings, vault, tmp_path):
    before = tree(settings.root)
    snapshot = back_up(settings, vault, keys=True, progress=silent)
    again = restored(vault, tmp_path / "again")
    assert tree(again.root) == before
    assert not (again.root / "dagster").exists() and not (again.root / "staging").exists()
    store = store_of(again)
    assert store.read(PARTITION).equals(ROWS) and not store.verify().faults
    sequence, _, last = snapshot.anchor.partition(":")
    assert store.keys.log.verify((int(sequence), last)).sound
    assert verify(current(again.releases)) == verify(current(settings.releases))
    with closing(sqlite3.connect(again.root / "governance.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 3
    modes = {
        stat.S_IMODE(path.lstat().st_mode) for path in again.root.rglob("*") if path.is_dir() and not path.is_symlink()
    }
    assert modes == {0o700}
    assert stat.S_IMODE((again.keys / "root.json").stat().st_mode) == 0o600


def test_a_second_backup_reads_only_what_changed(settings, vault, monkeypatch, tmp_path):
    back_up(settings, vault, keys=True, progress=silent)
    read = []
    original = vaults._digest_of
    monkeypatch.setattr(vaults, "_digest_of", lambda path: read.append(path.name) or original(path))
    store_of(settings).write(replace(PARTITION, month="2025-08"), ROWS)
    back_up(settings, vault, keys=True, progress=silent)
    changed = {"governance.sqlite", "key_use.jsonl", "key_use.head", "head.json", "manifest.json", "data.parquet"}
    assert sorted(set(read)) == sorted(changed) and read.count("data.parquet") == 1
    assert len(vault.ids()) == 2 and restored(vault, tmp_path / "again")


def test_every_snapshot_stands_though_partitions_are_committed_and_destroyed_meanwhile(settings, vault, tmp_path):
    stop, failed = Event(), []

    def work():
        store = store_of(settings)
        try:
            for turn in itertools.count():
                if stop.is_set():
                    return
                id = replace(PARTITION, month=f"2025-{turn % 12 + 1:02d}")
                partition = store.write(id, ROWS)
                if turn % 5 == 0:
                    destroy(store, partition)
        except Exception as error:
            failed.append(error)

    worker = Thread(target=work)
    worker.start()
    try:
        for _ in range(4):
            back_up(settings, vault, keys=True, progress=silent)
    finally:
        stop.set()
        worker.join()
    assert not failed
    for number, id in enumerate(vault.ids()):
        home = tmp_path / f"again{number}"
        restore(vault, vault.snapshot(id), home, progress=silent)
        store = store_of(Settings(home=home))
        assert store.keys.log.verify().sound
        report = store.verify()
        assert report.partitions and not report.faults
        store.write(PARTITION, ROWS)  # and it goes on


def test_a_commit_between_the_partition_and_the_log_is_taken_too(settings, vault, tmp_path, monkeypatch):
    """The fault that the rounds are there for: without them the store would be older than its log."""
    original, late = capture._capture_log, [replace(PARTITION, month="2025-09")]

    def commit_first(*arguments):
        while late:
            store_of(settings).write(late.pop(), ROWS)
            store_of(settings).write(PARTITION, ROWS.head(3))
        return original(*arguments)

    monkeypatch.setattr(capture, "_capture_log", commit_first)
    back_up(settings, vault, keys=True, progress=silent)
    store = store_of(restored(vault, tmp_path / "again"))
    assert not store.verify().faults and store.read(PARTITION).height == 3
    assert store.read(replace(PARTITION, month="2025-09")).equals(ROWS)


def test_a_platform_that_never_rests_is_told(settings, vault, monkeypatch):
    original = capture._capture_log

    def commit_always(*arguments):
        store_of(settings).write(PARTITION, ROWS)
        return original(*arguments)

    monkeypatch.setattr(capture, "_capture_log", commit_always)
    monkeypatch.setattr(capture, "ROUNDS", 3)
    with pytest.raises(CustodyError) as refused:
        back_up(settings, vault, keys=True, progress=silent)
    assert refused.value.code == "backup.busy" and vault.ids() == []


def test_no_backup_while_keys_are_rotated(settings, vault):
    with locked(settings.keys / ".rotation.lock"), pytest.raises(CustodyError) as refused:
        back_up(settings, vault, keys=True, progress=silent)
    assert refused.value.code == "custody.rotation_under_way"


def test_a_killed_backup_leaves_no_snapshot_and_the_next_one_takes_its_remains_away(settings, vault, monkeypatch):
    def kill(number, of):
        if number == of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(settings, vault, keys=True, progress=kill)
    assert vault.ids() == [] and list((settings.root / "work").glob("backup-*")) == []
    (settings.root / "work" / "backup-999999999").mkdir()  # as a kill -9 leaves it
    back_up(settings, vault, keys=True, progress=silent)
    assert list((settings.root / "work").glob("backup-*")) == []
    assert faults(vault, vault.snapshot(), progress=silent) == []


def test_nothing_of_the_home_can_be_read_in_a_sealed_vault(settings, vault):
    (settings.root / "alerts.toml").write_text(CANARY)
    back_up(settings, vault, keys=True, progress=silent)
    secret = json.loads((settings.keys / "root.json").read_text())
    words = [CANARY, "resident_register", "keyring", "accepted", "2025-07", *map(str, secret.values())]
    for path in Folder(vault.place.root).root.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for word in words:
            assert len(word) < 4 or (word.encode() not in data and word not in path.name), path.name


def test_keys_never_go_where_they_can_be_read(settings, tmp_path):
    plain = Vault(Folder(tmp_path / "plain"), None, create=True)
    with pytest.raises(CustodyError) as refused:
        back_up(settings, plain, keys=True, progress=silent)
    assert refused.value.code == "backup.keys_in_the_clear"
    snapshot = back_up(settings, plain, keys=False, progress=silent)
    assert not any(file.path.startswith("keys") for file in snapshot.files)
    assert not snapshot.has_keys and (restored(plain, tmp_path / "again").root / "store").is_dir()


@pytest.mark.parametrize("harm", ["flipped", "cut", "exchanged", "gone", "extended"])
def test_a_damaged_object_is_found_and_no_home_is_made_of_it(settings, vault, tmp_path, harm):
    snapshot = back_up(settings, vault, keys=True, progress=silent)
    data = next(file for file in snapshot.files if file.path.endswith("data.parquet"))
    object = vault.place.root / data.object
    other = vault.place.root / next(file for file in snapshot.files if file.object != data.object).object
    content = object.read_bytes()
    changed = {
        "flipped": content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        "cut": content[:-1],
        "exchanged": other.read_bytes(),
        "gone": None,
        "extended": content + b"\0",
    }[harm]
    object.unlink() if changed is None else object.write_bytes(changed)
    assert faults(vault, snapshot, progress=silent) == [data.path]
    with pytest.raises(CustodyError) as refused:
        restore(vault, snapshot, tmp_path / "again", progress=silent)
    assert refused.value.code == "backup.damaged"
    assert not (tmp_path / "again").exists() and not (tmp_path / ".again.restoring").exists()


def test_a_chunk_that_is_left_out_or_exchanged_is_found():
    seal = Seal(bytes(32))
    pieces = [bytes([number]) * 1024 * 1024 for number in range(3)]
    whole = b"".join(seal.sealed("name", pieces))
    assert b"".join(seal.opened("name", [whole])) == b"".join(pieces)
    head, size = whole[:24], 1024 * 1024 + 16
    chunks = [whole[24 + number * size : 24 + (number + 1) * size] for number in range(3)]
    for wrong in ([0, 1], [0, 2], [1, 0, 2], [0, 1, 1], [0, 1, 2, 2], []):
        with pytest.raises(CustodyError):
            list(seal.opened("name", [head, *(chunks[number] for number in wrong)]))
    with pytest.raises(CustodyError):
        list(seal.opened("another", [whole]))
    assert b"".join(seal.opened("empty", seal.sealed("empty", []))) == b""


def test_a_snapshot_that_leads_out_of_the_home_is_refused(settings, vault, tmp_path):
    snapshot = back_up(settings, vault, keys=True, progress=silent)
    for path in ("../outside", "/outside", "store/../../outside"):
        wrong = replace(snapshot, files=(replace(snapshot.files[0], path=path),))
        with pytest.raises(CustodyError):
            restore(vault, wrong, tmp_path / "again", progress=silent)
        with pytest.raises(CustodyError):
            restore(vault, replace(snapshot, links={path: "x"}), tmp_path / "again", progress=silent)
    assert not (tmp_path / "outside").exists()


def test_nothing_is_written_over(settings, vault):
    back_up(settings, vault, keys=True, progress=silent)
    with pytest.raises(CustodyError) as refused:
        restored(vault, settings.root)
    assert refused.value.code == "backup.home_not_empty"


def test_a_vault_opens_with_its_own_key_only(settings, vault, tmp_path):
    place = vault.place
    for wrong in (None, Seal(b"1" * 32)):
        with pytest.raises(CustodyError) as refused:
            Vault(place, wrong)
        assert refused.value.code == "backup.wrong_key"
    with pytest.raises(CustodyError) as refused:
        Vault(Folder(settings.root), Seal(bytes(32)), create=True)
    assert refused.value.code == "backup.no_vault", "a folder with other things in it does not become a backup"
    with pytest.raises(CustodyError):
        Vault(Folder(tmp_path / "none"), None)


def test_pruning_keeps_what_the_newest_snapshots_need(settings, vault, tmp_path):
    back_up(settings, vault, keys=True, progress=silent)
    for _ in range(3):  # two generations of a partition are kept
        store_of(settings).write(PARTITION, ROWS)
    back_up(settings, vault, keys=True, progress=silent)
    assert vault.prune(1, timedelta(days=1))[1] == 0, "a backup under way may need them"
    assert vault.prune(1, timedelta(0))[1] > 0
    assert len(vault.ids()) == 1 and faults(vault, vault.snapshot(), progress=silent) == []


def test_a_bucket_holds_a_backup_as_a_folder_does(settings, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = (
            f"s3://backups/kobe?scheme=http&endpoint_override={host}:{port}&region=us-east-1&allow_bucket_creation=true"
        )
        files, prefix = __import__("pyarrow.fs").fs.FileSystem.from_uri(url)
        files.create_dir(prefix.split("/")[0])
        vault = Vault(Bucket(url), Seal(bytes(32)), create=True)
        back_up(settings, vault, keys=True, progress=silent)
        vault = Vault(Bucket(url), Seal(bytes(32)))
        again = restored(vault, tmp_path / "again")
        assert tree(again.root) == tree(settings.root)
        object = vault.snapshot().files[0].object
        vault.place.remove(object)
        assert len(faults(vault, vault.snapshot(), progress=silent)) == 1
    finally:
        server.stop()


def test_the_commands_say_what_was_kept_and_what_not(settings, tmp_path, monkeypatch):
    def run(*arguments):
        return CliRunner().invoke(backup_app, [str(argument) for argument in arguments])

    monkeypatch.setenv("KOBE_HOME", str(settings.root))
    place, key = tmp_path / "vault", tmp_path / "backup.key"
    assert run("key", key).exit_code == 0 and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("key", key).exit_code == 1
    assert run("--to", place).exit_code == 2, "neither a key nor --without-keys"
    assert run("--to", settings.root / "inside", "--key", key).exit_code == 2
    made = run("--to", place, "--key", key)
    assert made.exit_code == 0 and "anchor" in made.stdout
    listed = json.loads(run("list", "--from", place, "--key", key, "--json").stdout)
    assert len(listed) == 1 and listed[0]["not_included"] == []
    assert run("verify", "--from", place, "--key", key).exit_code == 0
    monkeypatch.setenv("KOBE_DATABASE_URL", "postgresql://db/kobe")
    told = run("--to", place, "--key", key, "--without-keys").stdout
    assert "governance database" in told and "key store" in told
    for path in (place / "objects").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    assert run("verify", "--from", place, "--key", key).exit_code == 1
    assert restoring.sizes([]) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_remains_of_another_users_backup_do_not_stop_the_next_one(settings, vault):
    left = settings.root / "work" / "backup-0123456789abcdef"
    left.mkdir()
    os.chown(left, 65534, 65534)
    back_up(settings, vault, keys=True, progress=silent)
    assert left.is_dir() and len(vault.ids()) == 1
    (found,) = (one for one in examine(settings) if "ほかの利用者" in one.told)
    assert found.state == "fail" and "chown" in found.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_nobody_works_on_another_users_home(settings, capsys, monkeypatch):
    monkeypatch.setenv("KOBE_HOME", str(settings.root))
    os.chown(settings.root, 65534, 65534)
    before = tree(settings.root)
    for command in ("backup", "run", "status", "people"):
        (mounted,) = (one for one in COMMANDS if one.name == command)
        assert invoke(mounted, ["list"]) == 1 and "[custody.owner]" in capsys.readouterr().err, command
    assert tree(settings.root) == before


def test_without_an_installation_there_is_nothing_to_back_up(vault, tmp_path):
    with pytest.raises(CustodyError) as refused:
        back_up(Settings(home=tmp_path / "nowhere"), vault, keys=True, progress=silent)
    assert refused.value.code == "backup.no_home"
    assert not (tmp_path / "nowhere").exists()
