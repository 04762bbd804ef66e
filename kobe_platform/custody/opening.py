"""Which key service an installation has: the local store, or AWS KMS (``KOBE_KEY_SERVICE``)."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from kobe_platform.custody.durable import storage_errors
from kobe_platform.custody.service import RingKeyService
from kobe_platform.errors import CustodyError
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
    """

    path: Path
    log: Path
    municipality: str
    principal: str = "platform"
    passphrase_file: Path | None = None
    service: str = "local"
    region: str = ""
    endpoint: str = ""

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
    return LocalKeyStore.open(place.path, passphrase, log=place.log, principal=place.principal)


def create_key_service(place: KeyPlace, passphrase: str | None = None) -> RingKeyService:
    """Make the key service of a new installation; ``passphrase`` is for the local store only.

    Raises:
        CustodyError: there is one already (``custody.exists``), or see the back ends' ``create``.
    """
    if place.service == "aws-kms":
        from kobe_platform.custody.aws import AwsKeyService

        return AwsKeyService.create(place.path, **_kms(place))
    from kobe_platform.custody.keys import LocalKeyStore

    return LocalKeyStore.create(place.path, passphrase, log=place.log, principal=place.principal)


def passphrase_of(file: Path | None) -> str | None:
    """The first line of a file that only its owner may read; None without one.

    Raises:
        CustodyError: ``custody.permissions`` where others may read it, ``custody.absent`` …, or ``custody.passphrase``
            where it is empty.
    """
    if file is None:
        return None
    with storage_errors(file.name):
        loose = stat.S_IMODE(file.stat().st_mode) & 0o077
        lines = file.read_text(encoding="utf-8").splitlines()
    if loose:
        code, message = "custody.permissions", "others than the owner may read the file of the passphrase"
    elif not lines or not lines[0]:
        code, message = "custody.passphrase", "the file of the passphrase is empty"
    else:
        return lines[0]
    raise CustodyError(
        message,
        code=code,
        at={"file": file.name},
        remedy="put the passphrase on its first line and chmod it 600; if others could read it, rotate the keys",
        ja="パスフレーズのファイルを使えません",
    )


def _kms(place: KeyPlace) -> dict:
    common = {"log": place.log, "principal": place.principal, "municipality": place.municipality}
    return {**common, "region": place.region, "endpoint": place.endpoint}
