"""Gives access to the encrypted partitions of every stage with the key service that opens them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import Field

from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.custody.service import RingKeyService
from kobe_platform.lake import PartitionStore
from kobe_platform.objects import open_objects
from resources.shown import shown_as


@shown_as("レイク:各段階の暗号化された月次データと、それを開く鍵。")
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
        store_url: place that machines share; empty where ``root`` is all there is.
    """

    root: str = Field(description="月次データのフォルダー")
    keys_path: str = Field(description="鍵ストアのフォルダー")
    municipality: str = Field(description="市区町村コード(5桁)")
    principal: str = Field(description="鍵使用記録に残る利用者名")
    log_path: str = Field(description="鍵使用記録の場所")
    passphrase_file: str = Field("", description="鍵ストアのパスフレーズを書いたファイル。空なら鍵ファイルを使う")
    service: str = Field("local", description="鍵を預かるところ:local か aws-kms")
    kms_region: str = Field("", description="AWS KMSのリージョン")
    kms_endpoint: str = Field("", description="AWS KMSの接続先(VPCエンドポイント)")
    raw_days: int = Field(30, description="レイクに入った月の原データを廃棄するまでの日数")
    history_months: int = Field(24, description="秘匿と監査で考慮する、過去に公表した月数")

    store_url: str = Field("", description="複数の機械で共有する保管場所。空ならこの機械だけで使う")

    @property
    def key_service(self) -> RingKeyService:
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
                self.store_url,
            )
        )

    @property
    def store(self) -> PartitionStore:
        """The partitions, opened once a process."""
        return _store(self.root, self.municipality, self.key_service, self.store_url)


@cache
def _keys(place: KeyPlace) -> RingKeyService:
    return open_key_service(place)


@cache
def _store(root: str, municipality: str, keys: RingKeyService, store_url: str) -> PartitionStore:
    objects = open_objects(store_url) if store_url else None
    return PartitionStore(Path(root), keys, municipality=municipality, principal=keys.principal, objects=objects)
