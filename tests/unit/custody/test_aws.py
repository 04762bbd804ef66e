"""AWS KMS as the key service, over HTTP against a server that these tests start; boto3 as it is used in production."""

import json
import socket

import polars as pl
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from kobe_platform.custody.aws import AwsKeyService, kms_errors
from kobe_platform.custody.opening import KeyPlace, create_key_service, open_key_service
from kobe_platform.errors import CustodyError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.maintenance import destroy
from kobe_platform.settings import Settings

KEY = bytes(range(32))
IDENTITY = "28100/lake/register/2025-07/1"
ID = PartitionId("lake", "register", "2025-07")
PURPOSE = "data/lake/register"


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def place(tmp_path, endpoint) -> KeyPlace:
    settings = Settings(home=tmp_path, key_service="aws-kms", kms_region="ap-northeast-1", kms_endpoint=endpoint)
    return KeyPlace.of(settings)


@pytest.fixture
def service(place) -> AwsKeyService:
    return create_key_service(place)


def kms(service):
    return service._client


def refused(call) -> str:
    with pytest.raises(CustodyError) as refusal:
        call()
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    return refusal.value.code


def test_a_wrapped_key_opens_again_in_another_process(service, place):
    wrapped = service.wrap(PURPOSE, KEY, IDENTITY)
    assert open_key_service(place).unwrap(PURPOSE, wrapped, IDENTITY) == KEY


def test_the_files_identity_is_the_encryption_context(service):
    wrapped = service.wrap(PURPOSE, KEY, IDENTITY)
    sealed = bytes.fromhex(wrapped.wrapped)
    context = {"kobe-municipality": "28100", "kobe-purpose": PURPOSE, "kobe-object": IDENTITY}
    assert kms(service).decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == KEY
    assert refused(lambda: service.unwrap(PURPOSE, wrapped, IDENTITY.replace("07", "08"))) == "custody.swapped"


def test_each_purpose_has_a_key_of_its_own_in_kms(service):
    service.wrap(PURPOSE, KEY, IDENTITY)
    service.wrap("data/raw/register", KEY, IDENTITY)
    names = {record.purpose: record.wrapped for record in service.versions()}
    assert len(set(names.values())) == 2
    for purpose, name in names.items():
        tags = kms(service).list_resource_tags(KeyId=name)["Tags"]
        assert {"TagKey": "kobe-purpose", "TagValue": purpose} in tags


def test_no_key_that_opens_anything_lies_in_the_folder(service, place):
    """Canary: root secret, pseudonym key and data key, in every form that a file could keep them in."""
    secret = {service._root, service.pseudonym_key("resident"), KEY}
    service.wrap(PURPOSE, KEY, IDENTITY)
    for path in place.path.parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for key in secret:
                assert key not in data and key.hex().encode() not in data.lower(), path.name
    assert not (place.path / "root.key").exists()


def test_pseudonym_keys_stay_and_differ_by_purpose(service, place):
    first = service.pseudonym_key("resident")
    assert open_key_service(place).pseudonym_key("resident") == first != service.pseudonym_key("household")


def test_partitions_are_written_rotated_read_and_destroyed_as_with_the_local_store(service, tmp_path):
    store = PartitionStore(tmp_path / "store", service, municipality="28100")
    rows = pl.DataFrame({"person": range(100)})
    store.write(ID, rows)
    assert service.begin_rotation([PURPOSE]) == (PURPOSE,)
    assert store.rewrap(PURPOSE) == 1
    service.rewrapped(PURPOSE)
    service.revoke(f"{PURPOSE}#1")
    assert store.read(ID).equals(rows)
    assert store.verify().faults == () and service.log.verify().sound
    destroy(store, store.current(ID))
    assert store.verify().faults == ()


def test_a_revoked_key_is_disabled_and_waits_for_deletion_in_kms(service):
    wrapped = service.wrap(PURPOSE, KEY, IDENTITY)
    name = next(record.wrapped for record in service.versions() if record.key_id == wrapped.key_id)
    service.revoke(wrapped.key_id)
    assert refused(lambda: service.unwrap(PURPOSE, wrapped, IDENTITY)) == "custody.revoked"
    assert kms(service).describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    service.revoke(wrapped.key_id)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("DisabledException", "custody.revoked"),
        ("KMSInvalidStateException", "custody.revoked"),
        ("NotFoundException", "custody.wrong_key"),
        ("IncorrectKeyException", "custody.wrong_key"),
        ("InvalidCiphertextException", "custody.swapped"),
        ("AccessDeniedException", "custody.denied"),
        ("LimitExceededException", "custody.kms"),
    ],
)
def test_what_kms_refuses_is_named_without_its_message(name, code):
    """The test server does not refuse disabled keys: boto3's own errors, as the service's model names them."""
    told = {"Error": {"Code": name, "Message": "arn:aws:kms:ap-northeast-1:123456789012:key/secret"}}
    with pytest.raises(CustodyError) as refusal, kms_errors(IDENTITY):
        raise ClientError(told, "Decrypt")
    assert refusal.value.code == code
    assert "123456789012" not in str(refusal.value) and refusal.value.__cause__ is None


def test_another_municipality_does_not_open_the_store(service, place):
    from dataclasses import replace

    assert refused(lambda: open_key_service(replace(place, municipality="27100"))) == "custody.swapped"


def test_a_kms_that_does_not_answer_is_named_without_account_or_address(service, place, monkeypatch):
    from dataclasses import replace

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = replace(place, endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(CustodyError) as refusal:
            open_key_service(nobody)
    assert refusal.value.code == "custody.unreachable"
    assert "127.0.0.1" not in str(refusal.value) and refusal.value.__cause__ is None


def test_a_local_store_is_not_taken_for_one_of_kms_nor_the_other_way_round(service, place, tmp_path):
    from dataclasses import replace

    assert refused(lambda: open_key_service(replace(place, service="local"))) == "custody.store_damaged"
    local = replace(place, service="local", path=tmp_path / "local", log=tmp_path / "local.jsonl")
    create_key_service(local)
    assert refused(lambda: open_key_service(replace(local, service="aws-kms"))) == "custody.store_damaged"


def test_every_use_is_logged(service):
    service.unwrap(PURPOSE, service.wrap(PURPOSE, KEY, IDENTITY), IDENTITY)
    told = [json.loads(line) for line in service.log.path.read_text().splitlines()]
    assert [entry["action"] for entry in told] == ["begin", "create", "wrap", "unwrap"]
    assert told[-1]["object"] == IDENTITY


def test_a_key_that_kms_has_deleted_already_is_revoked_all_the_same(service):
    from moto.kms.models import kms_backends

    name = service.wrap(PURPOSE, KEY, IDENTITY) and service.versions()[0].wrapped
    for regions in kms_backends.values():
        regions["ap-northeast-1"].keys.pop(name, None)
    assert service.revoke(f"{PURPOSE}#1").state == "revoked"
    assert '"revoked"' in service.log.path.read_text()


def test_a_revoked_pseudonym_key_is_not_replaced_and_wraps_nothing(service):
    service.pseudonym_key("resident")
    assert refused(lambda: service.wrap("pseudonym/resident", KEY, IDENTITY)) == "custody.pseudonym"
    service.revoke("pseudonym/resident#1")
    assert refused(lambda: service.pseudonym_key("resident")) == "custody.revoked"
