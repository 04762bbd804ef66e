"""Reads and writes the only encrypted format: Parquet Modular Encryption (AES_GCM_V1, 256 bit, encrypted footer).

Polars calls its encryption classes unstable, so this is the only module that names them. The AAD prefix is the file's
identity and is not stored in the file: a reader must know which file it should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


def write_encrypted(frame: pl.DataFrame | pl.LazyFrame, path: Path, *, key: bytes, identity: str) -> None:
    """Write ``frame`` to ``path``, encrypted from the first byte on; a LazyFrame streams and never spills.

    Args:
        key: the file's own data key, 32 bytes.
        identity: what the file is (bound as additional authenticated data).

    Raises:
        OSError: the disk refuses. PolarsError: the frame cannot be computed or written.
    """
    properties = pl.ParquetEncryptionProperties(footer_key=key, aad_prefix=identity.encode())
    with _system_errors():
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(path, encryption=properties, compression="zstd", compression_level=1)
        else:
            frame.write_parquet(path, encryption=properties, compression="zstd", compression_level=1)


def read_encrypted(
    path: Path,
    *,
    key: bytes,
    identity: str,
    build: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda frame: frame,
) -> pl.DataFrame:
    """What ``build`` asks of the file's rows; only the columns that it needs are read and decrypted.

    Raises:
        OSError: the file cannot be opened. PolarsError: another key, another file in its place, a changed byte, or
            a query that fails; its message may carry values.
    """
    path.open("rb").close()
    with _system_errors():
        return build(_scan(path, key, identity)).collect()


def schema_encrypted(path: Path, *, key: bytes, identity: str) -> tuple[dict[str, str], int]:
    """Columns (name → Polars type) and rows of the file, from its footer; errors as :func:`read_encrypted`."""
    frame = _scan(path, key, identity)
    columns = {name: str(kind) for name, kind in frame.collect_schema().items()}
    return columns, frame.select(pl.len()).collect().item()


def opens(path: Path, *, key: bytes, identity: str) -> bool:
    """Whether the key opens the file's footer."""
    try:
        schema_encrypted(path, key=key, identity=identity)
    except pl.exceptions.PolarsError:
        return False
    return True


@contextmanager
def _system_errors() -> Iterator[None]:
    """Polars tells errors of the system in the text of its own: raise them as what they are."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        number = _SYSTEM_ERROR.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), "") from None


def _scan(path: Path, key: bytes, identity: str) -> pl.LazyFrame:
    properties = pl.ParquetDecryptionProperties(footer_key=key, aad_prefix=identity.encode())
    return pl.scan_parquet(path, decryption=properties, glob=False)
