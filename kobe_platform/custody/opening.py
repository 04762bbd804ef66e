"""Opens the key service of an installation: the local store or AWS KMS (``KOBE_KEY_SERVICE``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import check_private, storage_errors
from kobe_platform.custody.service import RingKeyService
from kobe_platform.errors import CustodyError
from kobe_platform.objects import Objects, open_objects
from kobe_platform.settings import Settings


@dataclass(frozen=True)
class KeyPlace:
    """Where an installation's keys are, and who uses them.

    Attributes:
        path: the key store's folder.
        log: the log of key use.
        municipality: five-digit code; part of every encryption context of AWS KMS.
        passphrase_file: file whose first line opens a local store; None for a key file.
        service: ``local`` or ``aws-kms``; with ``region`` and ``endpoint`` of AWS KMS, empty for boto3's own.
        store: address of the place that machines share (``KOBE_STORE_URL``); empty for a machine alone.
    """

    path: Path
    log: Path
    municipality: str
    principal: str = "platform"
    passphrase_file: Path | None = None
    service: str = "local"
    region: str = ""
    endpoint: str = ""
    store: str = ""

    @property
    def shared(self) -> Objects | None:
        """Where machines share ring and log."""
        return open_objects(self.store) if self.store else None

    @classmethod
    def of(cls, settings: Settings) -> KeyPlace:
        """As the settings say."""
        return cls(
            settings.keys,
            settings.key_log,
            settings.municipality,
            settings.principal,
            settings.passphrase_file,
            settings.key_service,
            settings.kms_region,
            settings.kms_endpoint,
            settings.store_url,
        )


def open_key_service(place: KeyPlace) -> RingKeyService:
    """The key service of an installation.

    Raises:
        CustodyError: see :meth:`LocalKeyStore.open`, :meth:`AwsKeyService.open` and :func:`passphrase_of`.
    """
    if place.service == "aws-kms":
        from kobe_platform.custody.aws import AwsKeyService

        return AwsKeyService.open(place.path, **_kms(place))
    from kobe_platform.custody.keys import LocalKeyStore

    passphrase = passphrase_of(place.passphrase_file)
    return LocalKeyStore.open(place.path, passphrase, log=place.log, principal=place.principal, shared=place.shared)


def create_key_service(place: KeyPlace, passphrase: str | None = None) -> RingKeyService:
    """Make the key service of a new installation; ``passphrase`` is for the local store only.

    Raises:
        CustodyError: there is one already (``custody.exists``), or see the back ends' ``create``.
    """
    if place.service == "aws-kms":
        from kobe_platform.custody.aws import AwsKeyService

        return AwsKeyService.create(place.path, **_kms(place))
    from kobe_platform.custody.keys import LocalKeyStore

    return LocalKeyStore.create(place.path, passphrase, log=place.log, principal=place.principal, shared=place.shared)


def passphrase_of(file: Path | None) -> str | None:
    """The first line of a file that only its owner may read; None without one.

    Raises:
        CustodyError: ``custody.permissions``, ``custody.owner`` or ``custody.symlink`` where others may have a hand in
            it, ``custody.absent`` …, or ``custody.passphrase`` where it is empty or no text.
    """
    if file is None:
        return None
    with storage_errors(file.name):
        check_private(file)
        data = file.read_bytes()
    try:
        first = data.decode("utf-8").splitlines()[0]
    except (UnicodeDecodeError, IndexError):
        first = ""
    if not first:
        raise CustodyError(
            "the file of the passphrase is empty, or not UTF-8",
            code="custody.passphrase",
            at={"file": file.name},
            remedy="put the passphrase on its first line and chmod it 600",
            ja="パスフレーズのファイルを使えません",
        )
    return first


def _kms(place: KeyPlace) -> dict[str, Any]:
    common = {"log": place.log, "principal": place.principal, "municipality": place.municipality}
    return {**common, "shared": place.shared, "region": place.region, "endpoint": place.endpoint}
