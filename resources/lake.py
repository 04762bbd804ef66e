"""The encrypted partitions of every stage and the key service that opens them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg

from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.custody.service import KeyService
from kobe_platform.lake import PartitionStore


class Lake(dg.ConfigurableResource):
    """The partition store of one municipality.

    Attributes:
        root: directory of the partitions.
        keys_path: the local key store.
        municipality: five-digit code, part of every file's identity.
        principal: who is acting, as the log of key use records it.
        log_path: the log of key use.
        passphrase_file: file whose first line opens the key store; empty for a key file.
        service: who keeps the keys: ``local`` or ``aws-kms``; with ``kms_region`` and ``kms_endpoint``.
        raw_days: days after which the raw partition of a month that the lake holds is destroyed.
        history_months: months of former releases that take part in protection and audit.
    """

    root: str
    keys_path: str
    municipality: str
    principal: str
    log_path: str
    passphrase_file: str = ""
    service: str = "local"
    kms_region: str = ""
    kms_endpoint: str = ""
    raw_days: int = 30
    history_months: int = 24

    @property
    def key_service(self) -> KeyService:
        """The key service, opened once a process."""
        return _keys(
            KeyPlace(
                Path(self.keys_path),
                Path(self.log_path),
                self.municipality,
                self.principal,
                Path(self.passphrase_file) if self.passphrase_file else None,
                self.service,
                self.kms_region,
                self.kms_endpoint,
            )
        )

    @property
    def store(self) -> PartitionStore:
        """The partitions, opened once a process."""
        return _store(self.root, self.municipality, self.key_service)


@cache
def _keys(place: KeyPlace) -> KeyService:
    return open_key_service(place)


@cache
def _store(root: str, municipality: str, keys: KeyService) -> PartitionStore:
    return PartitionStore(Path(root), keys, municipality=municipality, principal=keys.principal)
