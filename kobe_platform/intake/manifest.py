"""Defines the manifest of a delivery, and parses it from text that may be damaged."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kobe_platform.vocabulary import months

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 1 << 20
"""Bytes that are read of a manifest; one that is larger counts as broken (most have a few hundred)."""
MOST_FILES = 1000
LONGEST_NAME = 255
"""Bytes of a file's name in UTF-8: what file systems allow."""
Count = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
SOURCE = re.compile(r"[a-z][a-z0-9_]*")


class ManifestFile(BaseModel):
    """One data file: ``rows`` are data rows (header and trailer not counted)."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: Count
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    bytes: Count

    @field_validator("name")
    @classmethod
    def _stays_in_its_folder(cls, name: str) -> str:
        if name in ("", ".", "..", MANIFEST) or "/" in name or "\\" in name:
            raise ValueError("not a plain file name")
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME or (not name.isprintable() and any(map(_control, name))):
            raise ValueError("too long, or with characters that no file name has")
        return name


class Manifest(BaseModel):
    """What the sender says of a delivery."""

    model_config = ConfigDict(frozen=True)

    municipality: str = Field(pattern=r"^[0-9]{5}$")
    source: str = Field(pattern=rf"^{SOURCE.pattern}$")
    month: str = Field(pattern=rf"^{months.FORM}$")
    kind: Literal["snapshot", "events", "difference", "public"]
    sequence: Count
    created_at: str
    encoding: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")
    layout: Literal["delimited", "fixed", "workbook"] | None = None
    files: tuple[ManifestFile, ...] = Field(min_length=1, max_length=MOST_FILES)

    @field_validator("files")
    @classmethod
    def _each_once(cls, files: tuple[ManifestFile, ...]) -> tuple[ManifestFile, ...]:
        if len({unicodedata.normalize("NFC", file.name) for file in files}) < len(files):
            raise ValueError("a file is listed twice")
        return files

    @property
    def rows(self) -> int:
        """Data rows of all files."""
        return sum(file.rows for file in self.files)


def parsed(raw: bytes) -> Manifest | str:
    """A manifest, or its fault: key and kind; the parser itself limits nesting and the length of numbers."""
    if len(raw) > LARGEST_MANIFEST:
        return "too_large"
    try:
        return Manifest.model_validate_json(raw.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))} {first['type']}".strip()
    except ValueError:
        return "json_invalid"


def _control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")
