"""Keeps keys in AWS KMS: one KMS key for each version of a purpose; keys that wrap data never leave KMS.

A data key is wrapped by ``Encrypt`` with the file's identity as encryption context: KMS authenticates it, refuses to
decrypt under another, and CloudTrail records it. The installation's root secret, which signs ring, log and manifests,
and the pseudonym keys are data keys of one KMS key; they stand encrypted in the key store's folder. boto3 is imported
only here, and its credentials come from where boto3 looks for them (an instance role).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import storage_errors, write_private
from kobe_platform.custody.folder import check_store, new_folder
from kobe_platform.custody.keyring import KeyRecord
from kobe_platform.custody.service import KEY_BYTES, PSEUDONYM, RingKeyService, key_fault
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects

DELETION_DAYS = 7
"""KMS deletes a key after a waiting time of at least seven days; it is disabled at once."""
_REFUSED = {
    "InvalidCiphertextException": ("a wrapped key belongs to another file", "custody.swapped"),
    "IncorrectKeyException": ("a file's key is wrapped by another key", "custody.wrong_key"),
    "NotFoundException": ("a key is not in AWS KMS", "custody.wrong_key"),
    "DisabledException": ("a key was disabled in AWS KMS", "custody.revoked"),
    "KMSInvalidStateException": ("a key was disabled in AWS KMS", "custody.revoked"),
    "AccessDeniedException": ("AWS KMS does not let the platform use a key", "custody.denied"),
}


class AwsKeyService(RingKeyService):
    """Keys of one installation in AWS KMS.

    Args:
        client: a boto3 client of KMS (boto3 makes its methods while it runs, so they have no types).
        root_key: id of the KMS key that protects the installation's own secrets.
        municipality: part of every encryption context.
    """

    def __init__(
        self,
        path: Path,
        root: bytes,
        client: Any,
        root_key: str,
        municipality: str,
        *,
        principal: str,
        log: Path,
        shared: Objects | None = None,
    ) -> None:
        super().__init__(path, root, principal=principal, log=log, shared=shared)
        self._client = client
        self._root_key = root_key
        self._municipality = municipality

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        municipality: str,
        region: str,
        endpoint: str = "",
        log: Path,
        principal: str = "platform",
        shared: Objects | None = None,
    ) -> AwsKeyService:
        """Make the installation's root key in KMS and a new ring at ``path``; ``root.json`` is written last.

        Raises:
            CustodyError: there is one already (``custody.exists``), or KMS refuses or does not answer.
        """
        client = _client(region, endpoint)
        with storage_errors(path.name), kms_errors("root"):
            new_folder(path)
            key = _new_key(client, municipality, "root")
            context = _context(municipality, "root")
            made = client.generate_data_key(KeyId=key, NumberOfBytes=KEY_BYTES, EncryptionContext=context)
            service = cls(
                path, made["Plaintext"], client, key, municipality, principal=principal, log=log, shared=shared
            )
            service._begin()
            record = {"kind": "aws-kms", "key": key, "wrapped": made["CiphertextBlob"].hex()}
            write_private(path / "root.json", json.dumps(record).encode())
        return service

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        municipality: str,
        region: str,
        endpoint: str = "",
        log: Path,
        principal: str = "platform",
        shared: Objects | None = None,
    ) -> AwsKeyService:
        """Open the ring at ``path`` with the root key in KMS.

        Raises:
            CustodyError: the store is absent, loose or damaged (see :func:`~.service.check_store`), KMS refuses
                (``custody.denied``, ``custody.revoked`` …) or does not answer (``custody.unreachable``).
        """
        check_store(path)
        client = _client(region, endpoint)
        with storage_errors(path.name):
            key, wrapped = _root_record(path)
        with kms_errors("root"):
            context = _context(municipality, "root")
            root = client.decrypt(KeyId=key, CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"]
        service = cls(path, root, client, key, municipality, principal=principal, log=log, shared=shared)
        service.versions()
        return service

    def _make(self, purpose: str) -> str:
        with kms_errors(purpose):
            if not purpose.startswith(PSEUDONYM):
                return _new_key(self._client, self._municipality, purpose)
            made = self._client.generate_data_key_without_plaintext(
                KeyId=self._root_key, NumberOfBytes=KEY_BYTES, EncryptionContext=_context(self._municipality, purpose)
            )
            return bytes(made["CiphertextBlob"]).hex()

    def _seal(self, record: KeyRecord, key: bytes, identity: str) -> bytes:
        with kms_errors(identity):
            context = _context(self._municipality, record.purpose, identity)
            done = self._client.encrypt(KeyId=record.wrapped, Plaintext=key, EncryptionContext=context)
        return bytes(done["CiphertextBlob"])

    def _unseal(self, record: KeyRecord, sealed: bytes, identity: str) -> bytes:
        with kms_errors(identity):
            context = _context(self._municipality, record.purpose, identity)
            done = self._client.decrypt(KeyId=record.wrapped, CiphertextBlob=sealed, EncryptionContext=context)
        return bytes(done["Plaintext"])

    def _material(self, record: KeyRecord) -> bytes:
        if record.wrapped is None:
            raise key_fault("a key was revoked", "custody.revoked", record.key_id)
        with kms_errors(record.key_id):
            sealed, context = bytes.fromhex(record.wrapped), _context(self._municipality, record.purpose)
            done = self._client.decrypt(KeyId=self._root_key, CiphertextBlob=sealed, EncryptionContext=context)
        return bytes(done["Plaintext"])

    def _destroy(self, record: KeyRecord) -> None:
        if record.purpose.startswith(PSEUDONYM):
            return
        with kms_errors(record.key_id):
            try:
                state = self._client.describe_key(KeyId=record.wrapped)["KeyMetadata"]["KeyState"]
            except self._client.exceptions.NotFoundException:
                return  # KMS deleted it already: only the ring still names it
            if state != "PendingDeletion":
                self._client.disable_key(KeyId=record.wrapped)
                self._client.schedule_key_deletion(KeyId=record.wrapped, PendingWindowInDays=DELETION_DAYS)


@contextmanager
def kms_errors(object: str) -> Iterator[None]:
    """Turn what boto3 raises into the house's errors; its messages (they name accounts) are left out."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        name = error.response.get("Error", {}).get("Code", "")
        message, code = _REFUSED.get(name, ("AWS KMS refused a request", "custody.kms"))
    except BotoCoreError:
        message, code = "AWS KMS does not answer", "custody.unreachable"
    else:
        return
    raise CustodyError(
        message,
        code=code,
        at={"object": object},
        remedy="check the key's policy and state, the platform's role, KOBE_KMS_REGION and KOBE_KMS_ENDPOINT",
        ja="AWS KMSで鍵を使えません",
    ) from None


def _client(region: str, endpoint: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise CustodyError(
            "boto3 is not installed",
            code="custody.no_boto3",
            remedy="install the extra `aws`",
            ja="boto3がインストールされていません",
        ) from None
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 4})
    with kms_errors("client"):
        return boto3.client("kms", region_name=region or None, endpoint_url=endpoint or None, config=config)


def _new_key(client: Any, municipality: str, purpose: str) -> str:
    tags = [{"TagKey": "kobe-municipality", "TagValue": municipality}, {"TagKey": "kobe-purpose", "TagValue": purpose}]
    made = client.create_key(
        Description=f"kobe-platform {municipality} {purpose}", KeyUsage="ENCRYPT_DECRYPT", Tags=tags
    )
    return str(made["KeyMetadata"]["KeyId"])


def _context(municipality: str, purpose: str, identity: str = "") -> dict[str, str]:
    context = {"kobe-municipality": municipality, "kobe-purpose": purpose}
    return {**context, "kobe-object": identity} if identity else context


def _root_record(path: Path) -> tuple[str, bytes]:
    try:
        record = json.loads((path / "root.json").read_bytes())
        if record["kind"] == "aws-kms":
            return record["key"], bytes.fromhex(record["wrapped"])
    except (ValueError, KeyError, TypeError):
        pass
    raise CustodyError(
        "the key store is not one of AWS KMS, or it is damaged",
        code="custody.store_damaged",
        at={"file": "root.json"},
        remedy="restore the key store from its backup; see KOBE_KEY_SERVICE",
        ja="鍵ストアを読み取れません",
    )
