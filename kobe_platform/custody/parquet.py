"""The one encrypted format: Parquet Modular Encryption (AES_GCM_V1, 256 bit, encrypted footer).

Polars calls its encryption classes unstable, so this is the only module that names them. The AAD prefix is the file's
identity and is not stored in the file: who opens it must know which file it ought to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from kobe_platform.errors import CustodyError

KEY_BYTES = 32


def write_encrypted(frame: pl.DataFrame | pl.LazyFrame, path: Path, *, key: bytes, identity: str) -> None:
    """Write ``frame`` to ``path``, encrypted from the first byte on; a LazyFrame streams and never spills.

    Args:
        key: the file's own data key, 32 bytes.
        identity: what the file is (bound as additional authenticated data).
    """
    properties = pl.ParquetEncryptionProperties(footer_key=key, aad_prefix=identity.encode())
    if isinstance(frame, pl.LazyFrame):
        frame.sink_parquet(path, encryption=properties, compression="zstd", compression_level=1)
    else:
        frame.write_parquet(path, encryption=properties, compression="zstd", compression_level=1)


def scan_encrypted(path: Path, *, key: bytes, identity: str) -> pl.LazyFrame:
    """A lazy frame over ``path`` that reads and decrypts only the columns asked for."""
    properties = pl.ParquetDecryptionProperties(footer_key=key, aad_prefix=identity.encode())
    return pl.scan_parquet(path, decryption=properties, glob=False)


def read_encrypted(path: Path, *, key: bytes, identity: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The file's rows, or its columns named in ``columns``.

    Raises:
        CustodyError: the file is absent (``custody.absent``), or it does not authenticate: another key, another
            file in its place, or a changed byte (``custody.not_authentic``; coordinates: the identity).
    """
    if not path.is_file():
        raise CustodyError(
            "a data file is missing",
            code="custody.absent",
            at={"object": identity},
            remedy="restore the partition from backup, or process its delivery again",
            ja="データファイルがありません",
        )
    try:
        frame = scan_encrypted(path, key=key, identity=identity)
        return (frame if columns is None else frame.select(list(columns))).collect()
    except pl.exceptions.ColumnNotFoundError:
        raise CustodyError(
            "a data file lacks a column that was asked for",
            code="custody.column",
            at={"object": identity},
            remedy="process the partition again with the contract in force",
            ja="求められた列がデータファイルにありません",
        ) from None
    except (pl.exceptions.PolarsError, OSError, ValueError):
        raise CustodyError(
            "a data file does not authenticate: its key, its place or its bytes are not what the manifest says",
            code="custody.not_authentic",
            at={"object": identity},
            remedy="run `kobe lake verify`, then restore the partition from backup or process its delivery again",
            ja="データファイルの真正性を確認できません",
        ) from None
