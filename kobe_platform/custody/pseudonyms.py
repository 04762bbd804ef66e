"""Computes keyed pseudonyms of a whole column of identifiers with AES-CMAC (NIST SP 800-38B).

Equal identifiers have equal pseudonyms, so rows can still be joined; without the key nobody can compute them. An
identifier of at most 15 bytes is one padded block, for which CMAC is a single AES call: E(K, pad(M) xor K2). All
distinct values of a column are therefore one call over their concatenated blocks; longer values are computed one by
one. The first eight bytes (big-endian) are kept: among ten million persons, the chance that any two share a pseudonym
is about 3 in a million.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK = 16


def pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """The pseudonym of each value.

    Args:
        values: text or bytes (text counts as UTF-8); null stays null.
        key: 32 bytes, of one purpose; pseudonyms under two keys cannot be joined.

    Returns:
        UInt64, as long as ``values`` and of its name.
    """
    raw = values.cast(pl.Binary) if values.dtype != pl.Binary else values
    sizes = raw.bin.size()
    short = raw.filter(sizes < BLOCK)
    result = np.zeros(len(raw), dtype=np.uint64)
    chosen = (sizes < BLOCK).fill_null(False).to_numpy()
    if len(short):
        result[chosen] = _single_blocks(short, key)
    for index in np.flatnonzero((sizes >= BLOCK).fill_null(False).to_numpy()):
        mac = CMAC(algorithms.AES(key))
        mac.update(raw[int(index)])
        result[index] = int.from_bytes(mac.finalize()[:8], "big")
    column = pl.Series(values.name, result, dtype=pl.UInt64)
    return (
        column
        if not raw.null_count()
        else column.to_frame()
        .select(pl.when(pl.lit(raw.is_null())).then(None).otherwise(pl.first()).alias(values.name))
        .to_series()
    )


def _single_blocks(values: pl.Series, key: bytes) -> np.ndarray:
    """CMAC of values shorter than one block, as the first eight bytes of each."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    subkey = np.frombuffer(_doubled(_doubled(encryptor.update(bytes(BLOCK)))), dtype=np.uint8)
    # A single ECB call over independent blocks is the definition of CMAC's one block each, not a mode for messages.
    sizes = values.bin.size().to_numpy()
    blocks = np.zeros((len(values), BLOCK), dtype=np.uint8)
    for size in np.unique(sizes):
        chosen = sizes == size
        data = np.frombuffer(_joined(values.filter(pl.Series(chosen))), dtype=np.uint8)
        blocks[chosen, :size] = data.reshape(int(chosen.sum()), size)
        blocks[chosen, size] = 0x80
    sealed = encryptor.update((blocks ^ subkey).tobytes())
    return np.frombuffer(sealed, dtype=">u8").reshape(-1, 2)[:, 0].astype(np.uint64)


def _joined(values: pl.Series) -> memoryview:
    """The bytes of all values, concatenated."""
    column = values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets, data = np.frombuffer(column.buffers()[1], dtype=np.int64), column.buffers()[2]
    first, last = int(offsets[column.offset]), int(offsets[column.offset + len(column)])
    return memoryview(data)[first:last]


def _doubled(block: bytes) -> bytes:
    """Multiplication by x in GF(2^128), as SP 800-38B derives its subkeys."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ 0x87
    return number.to_bytes(BLOCK, "big")
