"""Keys open what they should, and nothing else; a store that others may read is refused."""

import os

import pytest

from kobe_platform.custody.keys import LocalKeyStore, WrappedKey
from kobe_platform.errors import CustodyError

KEY = bytes(range(32))
IDENTITY = "28100/lake/resident_register/2025-07/1"


@pytest.fixture
def store(tmp_path):
    return LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "key_use.jsonl")


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
    store.rotate("data/lake/x")
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
        store.rotate("pseudonym/resident")


def test_a_store_that_others_may_read_is_refused(store):
    os.chmod(store.path / "root.key", 0o644)
    with pytest.raises(CustodyError) as refusal:
        reopened(store)
    assert refusal.value.code == "custody.permissions"


def test_an_edited_key_ring_is_refused(store):
    store.pseudonym_key("resident")
    path = store.path / "keyring.json"
    path.write_text(path.read_text().replace('"active"', '"retired"'))
    with pytest.raises(CustodyError) as refusal:
        store.pseudonym_key("resident")
    assert refusal.value.code == "custody.keyring"


def test_a_passphrase_opens_its_store_and_another_does_not(tmp_path):
    log = tmp_path / "log.jsonl"
    store = LocalKeyStore.create(tmp_path / "keys", "正しい合言葉", log=log)
    wrapped = store.wrap("data/lake/x", KEY, IDENTITY)
    assert not (store.path / "root.key").exists()
    assert LocalKeyStore.open(store.path, "正しい合言葉", log=log).unwrap("data/lake/x", wrapped, IDENTITY) == KEY
    for wrong in ("誤った合言葉", None):
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
