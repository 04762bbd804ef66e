"""What the commands of keys, partitions and the log promise: what they say, what they change, how they end."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.custody.commands import keys_app, lake_app, log_app, open_keys, open_store
from kobe_platform.errors import CustodyError, LakeError
from kobe_platform.lake import PartitionId

SOURCE = "resident_register"
LAKE, RAW = (PartitionId(stage, SOURCE, "2025-07") for stage in ("lake", "raw"))
ROWS = pl.DataFrame({"person": [4711, 4712]})
PHRASE = "a phrase of several words"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation without keys."""
    for name in ("KOBE_PASSPHRASE_FILE", "KOBE_KEY_SERVICE", "KOBE_RAW_DAYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def store(home):
    """The partition store of an installation whose keys are made."""
    assert call(keys_app, "init").exit_code == 0
    return open_store()


def call(app, *words, **options):
    return CliRunner().invoke(app, [*words], **options)


def report(app, *words, code=0):
    done = call(app, *words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.output)


def damage(store, id):
    """Change one byte in the middle of a partition's data file."""
    path = store.data_file(store.current(id))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_keys_are_made_once_and_a_second_call_changes_nothing(home):
    assert report(keys_app, "init") == {"made": True, "folder": "keys"}
    before = {path: path.read_bytes() for path in (home / "keys").iterdir() if path.is_file()}
    assert report(keys_app, "init") == {"made": False, "folder": "keys"}
    assert call(keys_app, "init").output == "there is a key store\n"
    assert {path: path.read_bytes() for path in before} == before


def test_a_key_store_that_does_not_open_is_not_said_to_be_there(store, home):
    (home / "keys" / "root.json").write_text("{}", encoding="utf-8")
    assert isinstance(call(keys_app, "init").exception, CustodyError)


def test_a_passphrase_is_asked_for_twice_and_neither_shown_nor_kept(home, monkeypatch):
    other = call(keys_app, "init", "--passphrase", input=f"{PHRASE}\nanother\n")
    assert other.exit_code == 1 and not (home / "keys" / "root.json").exists()
    made = call(keys_app, "init", "--passphrase", input=f"{PHRASE}\n{PHRASE}\n")
    assert made.exit_code == 0 and PHRASE not in made.output
    assert not [path for path in home.rglob("*") if path.is_file() and PHRASE.encode() in path.read_bytes()]
    with pytest.raises(CustodyError):
        open_keys()
    (home / "phrase").write_text(f"{PHRASE}\n", encoding="utf-8")
    (home / "phrase").chmod(0o600)
    monkeypatch.setenv("KOBE_PASSPHRASE_FILE", str(home / "phrase"))
    assert open_keys().versions() == []


def test_the_list_names_every_version_with_its_state_and_no_key_material(store):
    store.write(LAKE, ROWS)
    assert call(keys_app, "rotate").exit_code == 0
    rows = report(keys_app, "list")
    assert [(row["key"], row["state"]) for row in rows] == [
        (f"{LAKE.purpose}#1", "retired"), (f"{LAKE.purpose}#2", "active"),
    ]  # fmt: skip
    assert all(set(row) == {"key", "state", "created_at"} for row in rows)
    said = call(keys_app, "list").output.splitlines()
    assert [line.split() for line in said] == [[row["state"], row["created_at"], row["key"]] for row in rows]


def test_rotation_of_an_unknown_purpose_is_bad_usage_and_begins_none(store):
    store.write(LAKE, ROWS)
    assert call(keys_app, "rotate", "data/lake/nothing").exit_code == 2
    assert store.keys.pending() == () and len(report(keys_app, "list")) == 1


def test_rotation_of_one_purpose_leaves_the_keys_of_others(store):
    store.write(LAKE, ROWS)
    store.write(RAW, ROWS)
    assert report(keys_app, "rotate", RAW.purpose) == {"purposes": 1, "manifests": 1, "resumed": False}
    assert [row["key"] for row in report(keys_app, "list") if row["state"] == "active"] == [
        f"{LAKE.purpose}#1", f"{RAW.purpose}#2",
    ]  # fmt: skip


def test_an_interrupted_rotation_is_said_to_be_finished(store):
    store.write(LAKE, ROWS)
    store.keys.begin_rotation([LAKE.purpose])
    assert "an interrupted rotation was finished" in call(keys_app, "rotate").output
    assert store.keys.pending() == () and store.read(LAKE).equals(ROWS)


def test_revocation_says_that_months_can_no_longer_be_linked_or_that_nothing_is_lost(store):
    store.keys.pseudonym_key("resident")
    said = call(keys_app, "revoke", "pseudonym/resident#1")
    assert said.exit_code == 1 and "new months can no longer be linked" in said.output
    store.write(LAKE, ROWS)
    assert call(keys_app, "rotate").exit_code == 0
    done = call(keys_app, "revoke", f"{LAKE.purpose}#1", "--yes")
    assert done.exit_code == 0
    assert done.output == f"nothing in the store depends on it\n{LAKE.purpose}#1 is revoked\n"
    assert store.read(LAKE).equals(ROWS)


def test_verification_names_the_damaged_partition_and_its_fault_and_no_row(store):
    store.write(LAKE, ROWS)
    store.write(RAW, ROWS)
    assert report(lake_app, "verify") == {"partitions": 2, "faults": []}
    damage(store, RAW)
    found = report(lake_app, "verify", code=1)
    assert found["partitions"] == 2 and [fault["partition"] for fault in found["faults"]] == [str(RAW)]
    said = call(lake_app, "verify")
    assert said.exit_code == 1 and f"\n  {RAW}: {found['faults'][0]['code']}" in said.output
    assert "4711" not in said.output


def test_what_is_past_its_days_or_its_retention_is_destroyed_and_what_is_not_stays(store, monkeypatch):
    now = datetime.now(UTC).strftime("%Y-%m")
    raw, lake, old = PartitionId("raw", SOURCE, now), PartitionId("lake", SOURCE, now), replace(LAKE, month="1990-01")
    for id in (raw, lake, old):
        store.write(id, ROWS)
    assert report(lake_app, "destroy-due") == {"destroyed": [str(old)], "faults": []}
    monkeypatch.setenv("KOBE_RAW_DAYS", "0")
    assert report(lake_app, "destroy-due") == {"destroyed": [str(raw)], "faults": []}
    assert store.read(lake).equals(ROWS)
    for id in (raw, old):
        with pytest.raises(LakeError) as refusal:
            store.read(id)
        assert refusal.value.code == "lake.destroyed"
    assert call(lake_app, "destroy-due").output == "0 partitions destroyed\n"


def test_a_damaged_partition_that_is_due_is_named_and_the_others_are_destroyed(store, monkeypatch):
    other = PartitionId("raw", SOURCE, "2025-06")
    store.write(RAW, ROWS)
    store.write(other, ROWS)
    (store.manifests.folder(RAW) / "head.json").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("KOBE_RAW_DAYS", "0")
    said = report(lake_app, "destroy-due", code=1)
    assert said["destroyed"] == [str(other)] and [fault["partition"] for fault in said["faults"]] == [str(RAW)]


def test_a_log_that_was_changed_is_named_by_line_and_fault(store):
    store.write(LAKE, ROWS)
    sound = report(log_app, "verify")
    assert sound["fault"] is None and sound["anchor"].startswith(f"{sound['entries']}:")
    lines = store.keys.log.path.read_text("utf-8").splitlines(keepends=True)
    lines[1] = lines[1].replace('"platform"', '"somebody"')
    store.keys.log.path.write_text("".join(lines), "utf-8")
    found = report(log_app, "verify", code=1)
    assert found["line"] == 2 and found["fault"] and "anchor" not in found
    assert call(log_app, "verify").output == f"line 2: {found['fault']}\n"


@pytest.mark.parametrize("anchor", ["nonsense", "0:" + "a" * 64, "1:" + "a" * 63, "x:" + "a" * 64])
def test_an_anchor_of_another_form_is_bad_usage(store, anchor):
    assert call(log_app, "verify", "--anchor", anchor).exit_code == 2
