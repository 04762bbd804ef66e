"""Reads and writes the only encrypted format: Parquet Modular Encryption (AES_GCM_V1, 256 bit, encrypted footer).

Polars calls its encryption classes unstable, so this is the only module that names them. The AAD prefix is the file's
identity and is not stored in the file: a reader must know which file it should be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_ENCRYPTED = b"PARE"
"""Begins and ends a Parquet file whose footer is encrypted."""
_TOGETHER = 1 << 21
"""Rows of a table by dictionary that share its dictionaries."""
_DICTIONARY = 1 << 28
"""Bytes that a dictionary may have before a column is written value by value."""


def write_encrypted(frame: pl.DataFrame | pl.LazyFrame | pa.Table, path: Path, *, key: bytes, identity: str) -> None:
    """Write ``frame`` to ``path``, encrypted from the first byte on; a LazyFrame streams and never spills.

    Args:
        frame: of an Arrow table, columns by dictionary are written as they are held.
        key: the file's own data key, 32 bytes.
        identity: what the file is (bound as additional authenticated data).

    Raises:
        OSError: the disk refuses. PolarsError: the frame cannot be computed or written.
    """
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        _write_table(frame, path, key, identity)
        return
    properties = pl.ParquetEncryptionProperties(footer_key=key, aad_prefix=identity.encode())
    with _system_errors():
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(path, encryption=properties, compression="zstd", compression_level=1)
        else:
            frame.write_parquet(path, encryption=properties, compression="zstd", compression_level=1)


def _write_table(table: pa.Table, path: Path, key: bytes, identity: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow.parquet.encryption import create_encryption_properties

    properties = create_encryption_properties(key, aad_prefix=identity.encode(), store_aad_prefix=False)
    repeating = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    with _arrow_errors(), path.open("wb") as file:
        pq.write_table(
            table, file, encryption_properties=properties, row_group_size=_TOGETHER, use_dictionary=repeating,
            dictionary_pagesize_limit=_DICTIONARY, write_statistics=False, store_schema=False,
            compression="zstd", compression_level=1,
        )  # fmt: skip


def read_columns(path: Path, *, key: bytes, identity: str) -> pa.Table:
    """All rows of the file, one array a column; a column that was written by dictionary is read by dictionary.

    Raises:
        OSError: the file cannot be opened. PolarsError: as :func:`read_encrypted`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow.parquet.encryption import create_decryption_properties

    _refuse_unencrypted(path)
    properties = create_decryption_properties(key, aad_prefix=identity.encode())
    with _arrow_errors():
        with pq.ParquetFile(path, decryption_properties=properties) as file:
            repeating = _by_dictionary(file.metadata)
        with pq.ParquetFile(path, decryption_properties=properties, read_dictionary=repeating) as file:
            table = file.read().unify_dictionaries()
        return pa.table({name: table.column(name).combine_chunks() for name in table.column_names})


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """What is wrong with a file or with rows, as Polars' errors are; the disk's errors and want of memory stay."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise pl.exceptions.ComputeError(type(error).__name__) from None


def _by_dictionary(metadata: pq.FileMetaData) -> list[str]:
    """Columns each of whose pages holds numbers of a dictionary's values."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [[group.column(place) for group in groups] for place in range(metadata.num_columns)]
    return [
        column[0].path_in_schema for column in columns if column and all(chunk.has_dictionary_page for chunk in column)
    ]


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
    with _system_errors():
        return build(_scan(path, key, identity)).collect()


def schema_encrypted(path: Path, *, key: bytes, identity: str) -> tuple[dict[str, str], int]:
    """Columns (name → Polars type) and rows of the file, from its footer; errors as :func:`read_encrypted`."""
    import pyarrow.parquet as pq
    from pyarrow.parquet.encryption import create_decryption_properties

    columns = {name: str(kind) for name, kind in _scan(path, key, identity).collect_schema().items()}
    properties = create_decryption_properties(key, aad_prefix=identity.encode())
    with _arrow_errors():  # a query of Polars' takes six times as long, and each commit asks
        return columns, pq.read_metadata(path, decryption_properties=properties).num_rows


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


def _refuse_unencrypted(path: Path) -> None:
    """Polars reads a file that is not encrypted even where it is given a key.

    Raises:
        OSError: the file cannot be opened. PolarsError: it is no Parquet file with an encrypted footer.
    """
    with path.open("rb") as file:
        first = file.read(len(_ENCRYPTED))
        file.seek(max(file.seek(0, os.SEEK_END) - len(_ENCRYPTED), 0))
        if first != _ENCRYPTED or file.read() != _ENCRYPTED:
            raise pl.exceptions.ComputeError("no encrypted file")


def _scan(path: Path, key: bytes, identity: str) -> pl.LazyFrame:
    _refuse_unencrypted(path)
    properties = pl.ParquetDecryptionProperties(footer_key=key, aad_prefix=identity.encode())
    return pl.scan_parquet(path, decryption=properties, glob=False)
