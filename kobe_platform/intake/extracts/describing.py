"""Makes a manifest for the data files in a delivery's folder, as a core system would write it."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path

from kobe_platform.contracts import Contract, Layout
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.extracts import delimited, fixed
from kobe_platform.intake.extracts.delimited import TextSource
from kobe_platform.intake.extracts.encodings import BOM, trimmed, undecodable
from kobe_platform.intake.extracts.framing import unframed
from kobe_platform.intake.extracts.published import read_published
from kobe_platform.intake.manifest import MANIFEST, Manifest, ManifestFile
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.months import FORM
from kobe_platform.vocabulary.rules import worded_for

_PLACE = re.compile(rf"(?P<municipality>[0-9]{{5}})/(?P<source>[a-z][a-z0-9_]*)/(?P<month>{FORM})$")


def place_of(folder: Path) -> dict[str, str]:
    """``municipality``, ``source`` and ``month`` as a delivery's folder names them.

    Raises:
        ConfigurationError: ``manifest.folder``: it does not lie at ``MUNICIPALITY/SOURCE/YYYY-MM``.
    """
    found = _PLACE.search(folder.resolve().as_posix())
    if found is None:
        raise _unfit("the folder is not one of a delivery", "call it MUNICIPALITY/SOURCE/YYYY-MM", "manifest.folder")
    return found.groupdict()


def describe(folder: Path, contract: Contract, *, kind: str = "", sequence: int = 1) -> Manifest:
    """The manifest of the files in a folder: their rows, bytes, hashes and common encoding are read from them.

    Args:
        folder: ``…/MUNICIPALITY/SOURCE/YYYY-MM``, complete.
        kind: one of the contract's kinds; its first by default.
        sequence: number of the delivery in the source's series.

    Raises:
        ConfigurationError: ``manifest.files`` (no file of the contract's layouts, or of several),
            ``manifest.encoding`` (no contracted encoding fits all files) or ``manifest.folder``.
        DeliveryRejected: a file does not fit the contract: rule, line and column as at its reception.
    """
    with worded_for(contract.sensitivity):
        return _described(folder, contract, kind, sequence)


def _described(folder: Path, contract: Contract, kind: str, sequence: int) -> Manifest:
    place = place_of(folder)
    paths = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".") and p.name != MANIFEST)
    layout = _layout(contract, paths)
    contents = {path.name: path.read_bytes() for path in paths}
    workbook = layout.form == "workbook"  # it is no text: any encoding of the contract may stand in its manifest
    encoding = contract.encodings[0] if workbook else _encoding(contract, contents)
    at = f"{place['source']}/{place['month']}"
    bodies = {name: memoryview(data) if workbook else trimmed(data) for name, data in contents.items()}
    files = tuple(
        ManifestFile(
            name=name,
            rows=_rows(TextSource({"delivery": at, "file": name}, bodies[name], encoding), contract, layout),
            sha256=hashlib.sha256(data).hexdigest(),
            bytes=len(data),
        )
        for name, data in contents.items()
    )
    return Manifest(
        **place,
        kind=kind or contract.kinds[0],
        sequence=sequence,
        created_at=datetime.now(JAPAN).isoformat(timespec="seconds"),
        encoding=encoding,
        layout=layout.form,
        files=files,
    )


def _layout(contract: Contract, paths: list[Path]) -> Layout:
    suffixes = {path.suffix for path in paths}
    fitting = [layout for layout in contract.layouts if suffixes and suffixes <= set(layout.suffix)]
    if not fitting:
        known = ", ".join(suffix for layout in contract.layouts for suffix in layout.suffix)
        message = "the folder has no data files of one layout of the contract"
        raise _unfit(message, f"put files {known} there", "manifest.files")
    return fitting[0]


def _encoding(contract: Contract, contents: dict[str, bytes]) -> str:
    """The first contracted encoding that all files decode in; a byte-order mark tells UTF-8."""
    marked = any(data.startswith(BOM) for data in contents.values())
    names = sorted(contract.encodings, key=lambda name: (name != "utf-8-sig") if marked else name != "utf-8")
    for name in names:
        if all(undecodable(trimmed(data), name) is None for data in contents.values()):
            return name
    raise _unfit("no encoding of the contract fits all files", "export them in one encoding", "manifest.encoding")


def _rows(source: TextSource, contract: Contract, layout: Layout) -> int:
    if layout.table:
        return read_published(source, contract, layout, layout.table).records
    body = unframed(source, layout, None)
    if layout.form == "fixed":
        rows = fixed.parse(body, contract).num_rows
    else:
        ids, size, _ = delimited.header_columns(body, contract, layout)
        rows = delimited.parse(body, ids, size, layout, public=contract.sensitivity == "public").num_rows
    unframed(source, layout, rows)  # a trailer that counts other rows is refused now, not when the delivery is taken in
    return rows


def _unfit(message: str, remedy: str, code: str) -> ConfigurationError:
    return ConfigurationError(message, code=code, remedy=remedy)
