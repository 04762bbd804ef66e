"""The encrypted partitions of every stage and the key service that opens them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg

from kobe_platform.custody.keys import KeyService, LocalKeyStore
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
    """

    root: str
    keys_path: str
    municipality: str
    principal: str
    log_path: str
    passphrase_file: str = ""

    @property
    def key_service(self) -> KeyService:
        """The key service, opened once a process."""
        return _keys(self.keys_path, self.log_path, self.passphrase_file, self.principal)

    @property
    def store(self) -> PartitionStore:
        """The partitions, opened once a process."""
        return _store(self.root, self.municipality, self.key_service)


@cache
def _keys(path: str, log: str, passphrase_file: str, principal: str) -> KeyService:
    passphrase = Path(passphrase_file).read_text("utf-8").splitlines()[0] if passphrase_file else None
    return LocalKeyStore.open(Path(path), passphrase, log=Path(log), principal=principal)


@cache
def _store(root: str, municipality: str, keys: KeyService) -> PartitionStore:
    return PartitionStore(Path(root), keys, municipality=municipality, principal=keys.principal)
