"""Keeps objects in an S3 bucket, or in what speaks as S3 does with conditional writes (RFC 9110, 13.1: If-Match,
If-None-Match).

obstore makes a failed request a second time by itself; which answers were lost is settled by
:meth:`~kobe_platform.objects.interface.Objects.exchange`. Credentials, region and endpoint come from the environment
(``AWS_ACCESS_KEY_ID`` …, ``AWS_ENDPOINT_URL``) or the machine's role, and are never written anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import storage_errors
from kobe_platform.errors import CustodyError
from kobe_platform.objects.interface import ListedObject, Objects, StoredObject, denied, unreachable

TRIES, TRYING = 5, timedelta(seconds=60)
"""How often, and for how long, a request that failed is made again."""
_TIMEOUTS = {"connect_timeout": "10 seconds", "timeout": "300 seconds"}


class BucketObjects(Objects):
    """Objects below a prefix of a bucket.

    Args:
        url: ``s3://BUCKET/PREFIX``.

    Raises:
        CustodyError: obstore is not installed (``store.no_library``), or the address is none (``store.address``).
    """

    def __init__(self, url: str, *, tries: int = TRIES) -> None:
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError:
            raise CustodyError(
                "obstore is not installed",
                code="store.no_library",
                remedy="install the extra: pip install 'kobe-platform[aws]'",
                ja="obstoreがインストールされていません",
            ) from None
        self._obstore: Any = obstore
        self._bare = False  # whether the server knows a tag only without its quotes, as Ceph's gateway 16 does
        plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")
        options: Any = {**_TIMEOUTS, "allow_http": plain}
        again: Any = {"max_retries": tries, "retry_timeout": TRYING}
        try:
            self._store: Any = S3Store.from_url(url, client_options=options, retry_config=again)
        except (BaseError, ValueError):
            raise _no_address() from None

    def get(self, name: str) -> StoredObject | None:
        """See :class:`Objects`."""
        with _refusals(name):
            try:
                found = self._obstore.get(self._store, name)
                return StoredObject(bytes(found.bytes()), found.meta["e_tag"])
            except FileNotFoundError:
                return None

    def fetch(self, name: str, path: Path) -> bool:
        """See :class:`Objects`."""
        with storage_errors(name), path.open("wb") as file:
            with _refusals(name):
                try:
                    pieces = iter(self._obstore.get(self._store, name).stream())
                except FileNotFoundError:
                    return False
            while piece := self._next(name, pieces):
                file.write(piece)
        return True

    def _next(self, name: str, pieces: Iterator[Any]) -> bytes:
        with _refusals(name):
            return bytes(next(pieces, b""))

    def put(self, name: str, data: bytes | Path) -> None:
        """See :class:`Objects`; S3 shows an object when all of it has come."""
        with _refusals(name):
            self._obstore.put(self._store, name, data)

    def names(self, prefix: str) -> Iterator[ListedObject]:
        """See :class:`Objects`; a thousand a request."""
        with _refusals(prefix):
            pieces = iter(self._obstore.list(self._store, prefix))
        while True:
            with _refusals(prefix):
                piece = next(pieces, None)
            if piece is None:
                return
            yield from (ListedObject(one["path"], one["e_tag"], one["last_modified"]) for one in piece)

    def remove(self, name: str) -> None:
        """See :class:`Objects`."""
        with _refusals(name):
            try:
                self._obstore.delete(self._store, name)
            except FileNotFoundError:
                return

    def _put_if(self, name: str, data: bytes, tag: str | None) -> str | None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if tag is None else {"e_tag": tag.strip('"') if self._bare else tag}
        with _refusals(name):
            try:
                made = self._obstore.put(self._store, name, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                return None
        return str(made["e_tag"])

    def _put_once_more(self, name: str, data: bytes, tag: str) -> str | None:
        self._bare = not self._bare
        made = self._put_if(name, data, tag)
        if made is None:
            self._bare = not self._bare
        return made


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what obstore raises into the house's errors; its messages name addresses and hold answers."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError, PermissionError):
        raise denied(name) from None
    except (BaseError, TimeoutError, ConnectionError):
        raise unreachable(name) from None


def _no_address() -> CustodyError:
    return CustodyError(
        "the address of the store cannot be used",
        code="store.address",
        remedy="KOBE_STORE_URL is s3://BUCKET/PREFIX, or file:///FOLDER; the region is AWS_REGION",
        ja="KOBE_STORE_URL の書き方が違います",
    )
