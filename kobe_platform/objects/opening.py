"""Opens the place of objects that an address names."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from kobe_platform.errors import CustodyError
from kobe_platform.objects.interface import Objects


@cache
def open_objects(url: str) -> Objects:
    """The place of an address: ``s3://BUCKET/PREFIX`` or ``file:///FOLDER``, opened once a process.

    Raises:
        CustodyError: it is no such address (``store.address``), or as :class:`~kobe_platform.objects.s3.BucketObjects`.
    """
    if url.startswith("s3://"):
        from kobe_platform.objects.s3 import BucketObjects

        return BucketObjects(url)
    if url.startswith("file:///"):
        from kobe_platform.objects.folder import FolderObjects

        return FolderObjects(Path(url.removeprefix("file://")))
    raise CustodyError(
        "the address of the store is neither s3:// nor file:///",
        code="store.address",
        remedy="KOBE_STORE_URL is s3://BUCKET/PREFIX, or file:///FOLDER",
        ja="KOBE_STORE_URL の書き方が違います",
    )
