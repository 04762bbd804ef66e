"""Keys open what they should, and nothing else; a store that others may read is refused."""

import errno
import os
import stat
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore, WrappedKey
from kobe_platform.custody.opening import KeyPlace, create_key_service, open_key_service, passphrase_of
from kobe_platform.custody.pseudonyms import pseudonyms
from kobe_platform.errors import CustodyError

KEY = bytes(range(32))
IDENTITY = "28100/lake/resident_register/2025-07/1"


@pytest.fixture
def store(tmp_path):
    return LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "key_use.jsonl")


def refused(call) -> str:
    with pytest.raises(CustodyError) as refusal:
        call()
    assert refusal.value.__cause__ is None
    return refusal.value.code


def reopened(store, **options):
    return LocalKeyStore.open(store.path, log=store.log.path, **options)


def test_a_wrapped_key_opens_again_in_another_process(store):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    assert reopened(store).unwrap("data/lake/x", wrapped, IDENTITY) == KEY


def test_a_wrapped_key_does_not_open_under_another_files_name(store):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    with pytest.raises(CustodyError) as refusal:
        store.unwrap("data/lake/x", wrapped, IDENTITY.replace("07", "08"))
    assert refusal.value.code == "custody.swapped"


def test_a_key_of_another_installation_is_named_as_such(store, tmp_path):
    other = LocalKeyStore.create(tmp_path / "other", log=tmp_path / "other.jsonl")
    with pytest.raises(CustodyError) as refusal:
        other.unwrap("data/lake/x", store.wrap("data/lake/x", KEY, IDENTITY), IDENTITY)
    assert refusal.value.code == "custody.wrong_key"


def test_after_rotation_new_keys_wrap_and_old_ones_still_open(store):
    old = store.wrap("data/lake/x", KEY, IDENTITY)
    store.begin_rotation(["data/lake/x"])
    new = store.wrap("data/lake/x", KEY, IDENTITY)
    assert (old.key_id, new.key_id) == ("data/lake/x#1", "data/lake/x#2")
    assert store.unwrap("data/lake/x", old, IDENTITY) == store.unwrap("data/lake/x", new, IDENTITY) == KEY


def test_a_revoked_key_opens_nothing_and_leaves_no_material(store):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    material = next(record.wrapped for record in store.versions() if record.key_id == wrapped.key_id)
    store.revoke(wrapped.key_id)
    with pytest.raises(CustodyError) as refusal:
        store.unwrap("data/lake/x", wrapped, IDENTITY)
    assert refusal.value.code == "custody.revoked"
    assert material not in (store.path / "keyring.json").read_text()


def test_pseudonym_keys_differ_by_purpose_stay_and_are_never_rotated(store):
    first = store.pseudonym_key("resident")
    assert reopened(store).pseudonym_key("resident") == first != store.pseudonym_key("household")
    with pytest.raises(CustodyError):
        store.begin_rotation(["pseudonym/resident"])


PRIVATE = ["root.key", "root.json", "keyring.json", "."]


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("mode", [0o040, 0o004, 0o002, 0o777])
def test_a_store_that_others_may_use_is_refused(store, name, mode):
    path = store.path / name
    os.chmod(path, stat.S_IMODE(path.stat().st_mode) | mode)
    assert refused(lambda: reopened(store)) == "custody.permissions"


@pytest.mark.parametrize("name", ["root.key", "root.json", "keyring.json"])
def test_a_store_whose_file_only_points_elsewhere_is_refused(store, tmp_path, name):
    (store.path / name).rename(tmp_path / name)
    (store.path / name).symlink_to(tmp_path / name)
    assert refused(lambda: reopened(store)) == "custody.symlink"


def test_a_store_that_only_points_elsewhere_is_refused(store, tmp_path):
    (tmp_path / "link").symlink_to(store.path)
    assert refused(lambda: LocalKeyStore.open(tmp_path / "link", log=store.log.path)) == "custody.symlink"


@pytest.mark.parametrize("name", PRIVATE)
def test_a_store_of_another_owner_is_refused(store, monkeypatch, name):
    found = (store.path / name).lstat()

    def foreign(self, original=Path.lstat):
        result = original(self)
        theirs = [*result][:10]
        theirs[stat.ST_UID] += result.st_ino == found.st_ino
        return os.stat_result(theirs)

    monkeypatch.setattr(Path, "lstat", foreign)
    assert refused(lambda: reopened(store)) == "custody.owner"


def test_everything_that_is_written_is_private(store):
    store.wrap("data/lake/x", KEY, IDENTITY)
    for path in (store.path, *store.path.rglob("*"), store.log.path, store.log.path.with_suffix(".head")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name


@pytest.mark.parametrize("damage", ["", "{}", "null", '{"kind": "passphrase"}', '{"kind": "key file"'])
def test_a_damaged_store_is_named_as_such(store, damage):
    (store.path / "root.json").write_text(damage)
    assert refused(lambda: reopened(store)) == "custody.store_damaged"


def test_a_missing_and_an_unreadable_key_ring_are_not_taken_for_tampering(store, monkeypatch):
    def denied(self, original=Path.read_bytes):
        if self.name == "keyring.json":
            raise PermissionError(errno.EACCES, "made up")
        return original(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", denied)
        assert refused(store.versions) == "custody.permission"
    (store.path / "keyring.json").unlink()
    assert refused(store.versions) == "custody.absent"


def test_an_edited_key_ring_is_refused(store):
    store.pseudonym_key("resident")
    path = store.path / "keyring.json"
    path.write_text(path.read_text().replace('"active"', '"retired"'))
    with pytest.raises(CustodyError) as refusal:
        store.pseudonym_key("resident")
    assert refusal.value.code == "custody.keyring"


def test_a_passphrase_opens_its_store_and_another_does_not(tmp_path):
    log = tmp_path / "log.jsonl"
    store = LocalKeyStore.create(tmp_path / "keys", "正しい合言葉を使うこと三宮", log=log)
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    assert not (store.path / "root.key").exists()
    assert (
        LocalKeyStore.open(store.path, "正しい合言葉を使うこと三宮", log=log).unwrap("data/lake/x", wrapped, IDENTITY)
        == KEY
    )
    for wrong in ("誤った合言葉を使うこと三宮", None):
        with pytest.raises(CustodyError) as refusal:
            LocalKeyStore.open(store.path, wrong, log=log)
        assert refusal.value.code == "custody.passphrase"


def test_a_second_store_never_replaces_the_first(store):
    with pytest.raises(CustodyError) as refusal:
        LocalKeyStore.create(store.path, log=store.log.path)
    assert refusal.value.code == "custody.exists"


def test_every_use_is_logged_with_who_what_and_which_object(store):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    store.unwrap("data/lake/x", WrappedKey(wrapped.key_id, wrapped.wrapped), IDENTITY)
    lines = store.log.path.read_text().splitlines()
    assert [action in lines[-2 + place] for place, action in enumerate(('"wrap"', '"unwrap"'))] == [True, True]
    assert all('"principal":"platform"' in line and IDENTITY in line for line in lines[-2:])
    assert KEY.hex() not in store.log.path.read_text()


def test_a_short_passphrase_is_refused(tmp_path):
    assert refused(lambda: LocalKeyStore.create(tmp_path / "keys", "short", log=tmp_path / "log.jsonl")) == (
        "custody.weak_passphrase"
    )
    assert not (tmp_path / "keys").exists()


def test_the_passphrase_comes_from_a_private_file(tmp_path):
    file = tmp_path / "passphrase"
    file.write_text("十二文字以上の合言葉ですよ\nsecond line\n", encoding="utf-8")
    file.chmod(0o600)
    place = KeyPlace(tmp_path / "keys", tmp_path / "log.jsonl", "28100", passphrase_file=file)
    create_key_service(place, passphrase_of(file))
    assert open_key_service(place).versions() == []
    file.chmod(0o640)
    assert refused(lambda: open_key_service(place)) == "custody.permissions"
    file.chmod(0o600)
    file.write_text("")
    assert refused(lambda: open_key_service(place)) == "custody.passphrase"
    file.unlink()
    assert refused(lambda: open_key_service(place)) == "custody.absent"


def test_no_secret_lies_in_clear_in_a_store_with_a_passphrase(tmp_path):
    """Canary: root key, passphrase, pseudonym key and data key, as bytes and in hex."""
    store = LocalKeyStore.create(tmp_path / "keys", "十二文字以上の合言葉ですよ", log=tmp_path / "keys" / "log.jsonl")
    secrets = {store._root, "十二文字以上の合言葉ですよ".encode(), store.pseudonym_key("resident"), KEY}
    store.wrap("data/lake/x", KEY, IDENTITY)
    for path in store.path.rglob("*"):
        data = path.read_bytes()
        for secret in secrets:
            assert secret not in data and secret.hex().encode() not in data.lower(), path.name


def test_each_stage_and_source_has_a_key_of_its_own(store):
    purposes = ["data/lake/x", "data/raw/x", "data/lake/y"]
    wrapped = {purpose: store.wrap(purpose, KEY, IDENTITY) for purpose in purposes}
    materials = {store._material(record) for record in store.versions()}
    assert len(materials) == len(purposes)
    for purpose in purposes:
        for other in purposes:
            if other != purpose:
                assert refused(lambda a=purpose, b=other: store.unwrap(a, wrapped[b], IDENTITY)) == "custody.wrong_key"
                forged = WrappedKey(wrapped[purpose].key_id, wrapped[other].wrapped)
                assert refused(lambda a=purpose, f=forged: store.unwrap(a, f, IDENTITY)) == "custody.swapped"


def test_pseudonyms_of_two_purposes_cannot_be_joined(store):
    ids = pl.Series("id", [f"{number:015d}" for number in range(5000)])
    resident, household = (pseudonyms(ids, store.pseudonym_key(name)) for name in ("resident", "household"))
    joined = resident.to_frame("p").join(household.to_frame("p"), on="p")
    assert joined.height == 0 and resident.n_unique() == household.n_unique() == 5000


def test_a_revoked_pseudonym_key_is_not_replaced_unnoticed(store):
    store.pseudonym_key("resident")
    store.revoke("pseudonym/resident#1")
    assert refused(lambda: store.pseudonym_key("resident")) == "custody.revoked"


def test_a_key_ring_put_back_to_before_a_key_was_made_does_not_get_another_of_its_name(store):
    ring = store.path / "keyring.json"
    former = ring.read_bytes()
    store.pseudonym_key("resident")
    ring.write_bytes(former)
    assert refused(lambda: store.pseudonym_key("resident")) == "custody.keyring_rolled_back"


def test_no_key_is_handed_out_when_its_use_cannot_be_logged(store):
    """Canary: break the log, and nothing opens any more."""
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    store.pseudonym_key("resident")
    store.log.path.write_bytes(store.log.path.read_bytes()[:-30])
    for use in (
        lambda: store.unwrap("data/lake/x", wrapped, IDENTITY),
        lambda: store.wrap("data/lake/x", KEY, IDENTITY),
        lambda: store.pseudonym_key("resident"),
        lambda: store.revoke(wrapped.key_id),
    ):
        assert refused(use) == "custody.log_broken"
    assert {record.state for record in store.versions()} == {"active"}


# -- an older ring ---------------------------------------------------------------------------------------------------


def test_a_former_ring_brings_no_revoked_key_back(store):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    former = (store.path / "keyring.json").read_bytes()
    store.revoke("data/lake/x#1")
    (store.path / "keyring.json").write_bytes(former)
    for present in (store, reopened(store)):
        assert refused(lambda s=present: s.unwrap("data/lake/x", wrapped, IDENTITY)) == "custody.keyring_rolled_back"
        assert refused(lambda s=present: s.wrap("data/lake/x", KEY, IDENTITY)) == "custody.keyring_rolled_back"


def test_a_former_ring_wraps_with_no_retired_key(store):
    store.wrap("data/lake/x", KEY, IDENTITY)
    former = (store.path / "keyring.json").read_bytes()
    store.begin_rotation(["data/lake/x"])
    (store.path / "keyring.json").write_bytes(former)
    assert refused(lambda: store.wrap("data/lake/x", KEY, IDENTITY)) == "custody.keyring_rolled_back"


def test_a_revoked_pseudonym_key_does_not_come_back_with_a_former_ring(store):
    store.pseudonym_key("resident")
    former = (store.path / "keyring.json").read_bytes()
    store.revoke("pseudonym/resident#1")
    (store.path / "keyring.json").write_bytes(former)
    assert refused(lambda: store.pseudonym_key("resident")) == "custody.keyring_rolled_back"


def test_a_revocation_that_was_interrupted_is_done_again(store, monkeypatch):
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)

    def interrupted(state):
        raise KeyboardInterrupt

    monkeypatch.setattr(store._ring, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.revoke("data/lake/x#1")
    monkeypatch.undo()
    assert reopened(store).unwrap("data/lake/x", wrapped, IDENTITY) == KEY, "not done yet"
    reopened(store).revoke("data/lake/x#1")
    assert refused(lambda: reopened(store).unwrap("data/lake/x", wrapped, IDENTITY)) == "custody.revoked"


def test_a_key_whose_making_was_not_recorded_is_known_by_its_use(store, monkeypatch):
    empty = (store.path / "keyring.json").read_bytes()
    use = store._use

    def unrecorded(action, *told):
        if action == "create":
            raise KeyboardInterrupt
        use(action, *told)

    monkeypatch.setattr(store, "_use", unrecorded)
    with pytest.raises(KeyboardInterrupt):
        store.wrap("data/lake/x", KEY, IDENTITY)
    monkeypatch.undo()
    store.wrap("data/lake/x", KEY, IDENTITY)
    (store.path / "keyring.json").write_bytes(empty)
    assert refused(lambda: store.wrap("data/lake/x", KEY, IDENTITY)) == "custody.keyring_rolled_back"


# -- files that are not what they should be --------------------------------------------------------------------------


def test_a_passphrase_that_is_no_text_is_refused_without_showing_it(tmp_path):
    file = tmp_path / "passphrase"
    file.write_bytes(b"sea-and-\xff-mountains")
    file.chmod(0o600)
    assert refused(lambda: passphrase_of(file)) == "custody.passphrase"
    link = tmp_path / "link"
    link.symlink_to(file)
    assert refused(lambda: passphrase_of(link)) == "custody.symlink"


@pytest.mark.parametrize("text", ["", "00", "00" * 33])
def test_a_root_key_of_another_length_is_a_damaged_store(store, text):
    (store.path / "root.key").write_text(text)
    assert refused(lambda: reopened(store)) == "custody.store_damaged"


def test_pseudonym_keys_wrap_no_data_key(store):
    store.pseudonym_key("resident")
    assert refused(lambda: store.wrap("pseudonym/resident", KEY, IDENTITY)) == "custody.pseudonym"
    forged = WrappedKey("pseudonym/resident#1", "00" * 40)
    assert refused(lambda: store.unwrap("pseudonym/resident", forged, IDENTITY)) == "custody.pseudonym"
