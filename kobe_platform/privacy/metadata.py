"""Lets only counts, truth, seconds, schemas, digests and the platform's identifiers into Dagster's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping

import dagster as dg

from kobe_platform.errors import PlatformError

_NAME = re.compile(r"^[A-Za-z][\w./-]{0,119}$")
_IDENTIFIER = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,127}$")
_LONG_NUMBER = re.compile(r"\d{10,}")


class MetadataRefused(PlatformError):
    """Metadata of a kind that could carry a value."""


def allowed(facts: Mapping[str, object]) -> dict[str, dg.MetadataValue]:
    """Facts as Dagster metadata; nested mappings become ``outer/inner``.

    Allowed are booleans, numbers, and short identifiers (months, digests, codes of rules, names of tables): no
    free text, and no run of ten digits or more except in a hexadecimal digest or a count.

    Raises:
        MetadataRefused: anything else (coordinates: the key and the type; never the value).
    """
    metadata: dict[str, dg.MetadataValue] = {}
    for key, value in facts.items():
        if not _NAME.match(key):
            raise _refused("(name)", value)
        if isinstance(value, Mapping):
            for inner, entry in allowed({str(name): entry for name, entry in value.items()}).items():
                metadata[f"{key}/{inner}"] = entry
        else:
            metadata[key] = _entry(key, value)
    return metadata


def schema(columns: Mapping[str, str]) -> dg.MetadataValue:
    """A table's columns and types, which are the contract's words and nobody's data."""
    return dg.MetadataValue.table_schema(
        dg.TableSchema(columns=[dg.TableColumn(name, type=kind) for name, kind in columns.items()])
    )


def _entry(key: str, value: object) -> dg.MetadataValue:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, str) and _is_identifier(value):
        return dg.MetadataValue.text(value)
    raise _refused(key, value)


def _is_identifier(text: str) -> bool:
    if not _IDENTIFIER.match(text):
        return False
    digest = re.fullmatch(r"[0-9a-f]{12,64}", text) and re.search(r"[a-f]", text)
    return bool(digest) or not _LONG_NUMBER.search(text)


def _refused(key: str, value: object) -> MetadataRefused:
    return MetadataRefused(
        "metadata may hold counts, truth and identifiers only",
        code="metadata.refused",
        at={"key": key, "type": type(value).__name__},
        remedy="report a count instead",
        ja="メタデータには件数・真偽・識別子だけを入れられます",
    )
