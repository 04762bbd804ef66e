"""Deliveries that hands, programs and shares have spoiled, and what must hold of each: for the fuzz of the inbox.

A delivery of a made-up extract is written, then spoiled by one to four of :data:`SPOILERS`, in any order: its manifest
as JSON or as bytes, its data as bytes, rows or columns, its files as something else than files. Whatever comes of it,
:func:`tried` accepts it or gets a rejection with a receipt; anything else is a finding.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import threading
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from kobe_platform.abstraction import abstract
from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake import deliveries, receipts
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.manifest import MANIFEST
from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.codes import wards
from tests.soak.workbooks import WORKBOOK, Change, change_of_parts, workbook_of, workbook_text
from tests.unit.intake.conftest import pseudonym_key
from tests.unit.intake.handmade import TOWNS, deliver, event, person, text_of
from tests.unit.intake.published_tables import HIDDEN, contract

CITY, SOUND, MONTH = "28100", "2025-06", "2025-07"
SECRETS = ("山羊座秘密太郎", "ヤギザヒミツ", "280000099887")
"""A name, its reading and a household number that stand in the extracts and may stand in no message."""


@dataclass
class Parcel:
    """A delivery before it is written: the manifest's entries, its bytes once they are fixed, and the data.

    Attributes:
        said: entries of the manifest; ``size`` and hash are reckoned when it is written, unless ``honest`` is false.
        inside: changes of a workbook's archive; packed: its bytes once a spoiler has fixed them.
        raw: the manifest's bytes where a spoiler has fixed them.
        after: what is done in the folder once all is written.
    """

    source: str
    said: dict
    data: bytes
    honest: bool = True
    inside: tuple[Change, ...] = ()
    packed: bytes | None = None
    raw: bytes | None = None
    after: tuple[Callable[[Path], None], ...] = ()

    @property
    def name(self) -> str:
        """Name of the data file."""
        return _file_name(self.source)

    @property
    def content(self) -> bytes:
        """The data file's bytes: the data as they are, or as a workbook."""
        if self.packed is not None:
            return self.packed
        return workbook_of(self.data, self.inside) if self.source == WORKBOOK.name else self.data


Spoiler = Callable[[Parcel, st.DataObject], None]
_ODD_BYTES = (
    b'"', b'""', b"\x00", b"\r", b"\n", b"\r\n", b"\x1a", b",", b";", b"\t", b"\x81", b"\x80", b"\xff", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xe3\x80\x80", b"=1+1", b"1.23E+11", b"\xe2\x80\xae", b"9" * 400, b'"' * 33,
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    ["", ".", "..", "manifest.json", "../x.csv", "/etc/passwd", "a\\b.csv", "\udcff.csv", "x\x00.csv", "x" * 300]
) | st.text(max_size=12)  # fmt: skip


def parcels(contracts: Mapping[str, Contract]) -> st.SearchStrategy[Parcel]:
    """Sound parcels of several sources and encodings."""
    return st.builds(
        _parcel, st.sampled_from(list(contracts.values())), st.sampled_from(("utf-8", "cp932", "utf-8-sig"))
    )


def _parcel(contract: Contract, encoding: str) -> Parcel:
    text, count = extract(contract, MONTH)
    data = text.encode("cp932" if encoding == "cp932" and contract.name != WORKBOOK.name else "utf-8")
    said = {
        "municipality": CITY,
        "source": contract.name,
        "month": MONTH,
        "kind": contract.kinds[0],
        "sequence": 1,
        "created_at": "2025-08-01T03:00:00+09:00",
        "encoding": encoding,
        "files": [{"name": _file_name(contract.name), "rows": count}],
    }
    return Parcel(contract.name, said, data)


def _file_name(source: str) -> str:
    return f"{source}.xlsx" if source == WORKBOOK.name else f"{source}.csv"


def extract(contract: Contract, month: str) -> tuple[str, int]:
    """A sound extract of a source and month as text, and its rows."""
    if contract.name == WORKBOOK.name:
        return workbook_text(month, SECRETS[0])
    if contract.name == PUBLISHED.name:
        day = f"令和{int(month[:4]) - 2018}年{int(month[5:])}月{monthrange(int(month[:4]), int(month[5:]))[1]}日"
        return re.sub("令和7年7月31日", day, HIDDEN.files["c.csv"]).replace("\n", "\r\n"), 3
    rows = _ROWS[contract.name](month)
    return text_of(contract, rows), len(rows)


def _people(month: str) -> list[dict[str, str]]:
    secret = {"name": SECRETS[0], "name_kana": SECRETS[1], "household_no": SECRETS[2]}
    return [person(number, **(secret if number == 2 else {})) for number in range(1, 5)]


def _events(month: str) -> list[dict[str, str]]:
    days = {
        name: month.replace("-", "") + day
        for name, day in (("event_on", "15"), ("filed_on", "15"), ("processed_on", "16"))
    }
    return [event(number, household_before=SECRETS[2], **days) for number in range(1, 4)]


def _estimates(month: str) -> list[dict[str, str]]:
    figures = {"households": "1", "population": "2", "male": "1", "female": "1", "basis": "published"}
    whole = {name: str(int(value) * 9) if value.isdigit() else value for name, value in figures.items()}
    return [
        {"as_of": f"{month}-01", "ward_code": code, **(whole if code == CITY else figures)} for code in (CITY, *wards())
    ]


_ROWS: Mapping[str, Callable[[str], list[dict[str, str]]]] = {
    "resident_register": _people,
    "resident_movements": _events,
    "estimated_population": _estimates,
}
PUBLISHED = contract(HIDDEN.contract)
"""A published table: title, notes, ages and sexes as columns."""
CONTRACTS = {name: told for name, told in load_contracts(PROJECT / "assets" / "contracts").items() if name in _ROWS}
CONTRACTS |= {PUBLISHED.name: PUBLISHED, WORKBOOK.name: WORKBOOK}


# ── spoilers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def entry(parcel: Parcel, data: st.DataObject) -> None:
    """An entry of the manifest, or of its file, is something else or not there."""
    place = parcel.said if data.draw(st.booleans()) else parcel.said["files"]
    place = place[0] if isinstance(place, list) and place and isinstance(place[0], dict) else place
    if not isinstance(place, dict) or not place:
        return
    key = data.draw(st.sampled_from(sorted(place)))
    if key in ("source", "files") and place is parcel.said and data.draw(st.booleans()):
        return
    if data.draw(st.booleans()):
        place[key] = data.draw(_JSON)
    elif key != "source":
        del place[key]


def file_name(parcel: Parcel, data: st.DataObject) -> None:
    """The file has a name that is none, or a strange one."""
    for file in _files(parcel):
        file["name"] = data.draw(_NAMES)


def listed_twice(parcel: Parcel, data: st.DataObject) -> None:
    """Files are listed twice, or many times."""
    files = _files(parcel)
    parcel.said["files"] = files * data.draw(st.sampled_from((2, 3, 1001)))


def miscounted(parcel: Parcel, data: st.DataObject) -> None:
    """Rows, bytes or hash are not those of the file."""
    for file in _files(parcel):
        key = data.draw(st.sampled_from(("rows", "bytes", "sha256")))
        file[key] = data.draw(st.sampled_from((0, 1, -1, "71", 1.0, 2**63, 2**64, True, None, "0" * 64, "g" * 64)))


def manifest_bytes(parcel: Parcel, data: st.DataObject) -> None:
    """The manifest's bytes are cut, changed or repeated."""
    parcel.raw = _changed(parcel.raw if parcel.raw is not None else _manifest(parcel), data)


def manifest_blown_up(parcel: Parcel, data: st.DataObject) -> None:
    """The manifest is nested without end, or larger than any."""
    raw = _manifest(parcel)
    nested, padded = raw[:-1] + b',"x":' + b"[" * 50_000, raw + b" " * (1 << 20)
    parcel.raw = data.draw(st.sampled_from((b"[" * 100_000, nested, padded, b"\xff\xfe" + raw)))


def data_bytes(parcel: Parcel, data: st.DataObject) -> None:
    """Bytes of the data, or of a workbook's archive, are cut, changed or repeated; the manifest agrees, or not."""
    if parcel.source == WORKBOOK.name:
        parcel.packed = _changed(parcel.content, data)
    else:
        parcel.data = _changed(parcel.data, data)
    parcel.honest &= data.draw(st.sampled_from((True, True, True, False)))


def archive(parcel: Parcel, data: st.DataObject) -> None:
    """The parts of a workbook's archive are changed; in other files a cell is."""
    if parcel.source != WORKBOOK.name:
        cells(parcel, data)
    parcel.inside += tuple(change_of_parts(data) for _ in range(data.draw(st.integers(1, 3))))


def records(parcel: Parcel, data: st.DataObject) -> None:
    """Whole records are left out, repeated, moved, or stand before and after the rows."""
    lines = parcel.data.split(b"\r\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    match data.draw(st.sampled_from(("out", "twice", "moved", "title", "trailer"))):
        case "out":
            del lines[at]
        case "twice":
            lines.insert(at, lines[at])
        case "moved":
            lines.insert(0, lines.pop(at))
        case "title":
            lines.insert(0, data.draw(st.sampled_from((b'"H","1"', b"title", b",,,,", b'"open'))))
        case "trailer":
            lines.insert(-1, data.draw(st.sampled_from((b'"T","4"', b"T,4", b"note", b",,,"))))
    parcel.data = b"\r\n".join(lines)


def cells(parcel: Parcel, data: st.DataObject) -> None:
    """Cells hold texts that no contract foresees, or those of another column."""
    lines = parcel.data.split(b"\r\n")
    row = data.draw(st.integers(0, len(lines) - 1))
    fields = lines[row].split(b",")
    at, other = (data.draw(st.integers(0, len(fields) - 1)) for _ in "12")
    if data.draw(st.booleans()):
        fields[at], fields[other] = fields[other], fields[at]
    else:
        fields[at] = data.draw(
            st.sampled_from(_ODD_BYTES) | st.text(max_size=6).map(lambda t: t.encode("utf-8", "replace"))
        )
    lines[row] = b",".join(fields)
    parcel.data = b"\r\n".join(lines)


def columns(parcel: Parcel, data: st.DataObject) -> None:
    """Two columns are exchanged below their headers, or one is left out or repeated throughout."""
    lines = [line.split(b",") for line in parcel.data.split(b"\r\n")]
    width = len(lines[0])
    at, other = (data.draw(st.integers(0, width - 1)) for _ in "12")
    how = data.draw(st.sampled_from(("exchanged", "out", "twice")))
    for number, fields in enumerate(lines):
        if len(fields) != width:
            continue
        if how == "exchanged" and number:
            fields[at], fields[other] = fields[other], fields[at]
        elif how == "out":
            del fields[at]
        elif how == "twice":
            fields.insert(other, fields[at])
    parcel.data = b"\r\n".join(b",".join(fields) for fields in lines)


def no_file(parcel: Parcel, data: st.DataObject) -> None:
    """In a file's place stands something else, or nothing."""
    name = data.draw(st.sampled_from((parcel.name, MANIFEST)))
    put = data.draw(st.sampled_from(sorted(_IN_ITS_PLACE)))
    parcel.after += (lambda folder: _replace(folder / name, _IN_ITS_PLACE[put]),)


def other_folder(parcel: Parcel, data: st.DataObject) -> None:
    """The folder is a link, or full of other things."""
    parcel.after += (data.draw(st.sampled_from((_linked, _crowded))),)


SPOILERS: tuple[Spoiler, ...] = (
    entry, file_name, listed_twice, miscounted, manifest_bytes, manifest_blown_up, data_bytes, data_bytes, archive,
    archive, records, cells, cells, columns, no_file, other_folder,
)  # fmt: skip


def _files(parcel: Parcel) -> list[dict]:
    files = parcel.said.get("files")
    return [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []


def _changed(raw: bytes, data: st.DataObject) -> bytes:
    start = data.draw(st.integers(0, len(raw)))
    stop = min(start + data.draw(st.sampled_from((0, 1, 2, 7, 60))), len(raw))
    put = data.draw(st.sampled_from((*_ODD_BYTES, b"", raw[start:stop] * 2, raw[::-1][:9])))
    cut = data.draw(st.sampled_from((False, False, False, True)))
    return raw[:start] + put + (b"" if cut else raw[stop:])


def _socket(path: Path) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listening:  # a path may be too long for it
        listening.bind(str(path))


_IN_ITS_PLACE: Mapping[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a file": lambda path: path.symlink_to("/etc/hostname"),
    "a sparse terabyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
    "an empty file": lambda path: path.touch(),
}


def _replace(path: Path, put: Callable[[Path], object]) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    put(path)


def _linked(folder: Path) -> None:
    aside = folder.with_name("aside")
    if not aside.exists():
        folder.rename(aside)
        folder.symlink_to(aside.name)


def _crowded(folder: Path) -> None:
    for number in range(300):
        (folder / f"x{number}").touch()
    (folder / "deep").mkdir(exist_ok=True)
    with contextlib.suppress(OSError):
        os.mkdir(os.fsencode(folder) + b"/\xff\xfe")


# ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────────


def write(parcel: Parcel, inbox: Path) -> Path:
    """The parcel in its folder of the inbox; the folder."""
    folder = inbox / CITY / parcel.source / MONTH
    folder.mkdir(parents=True)
    (folder / parcel.name).write_bytes(parcel.content)
    (folder / MANIFEST).write_bytes(parcel.raw if parcel.raw is not None else _manifest(parcel))
    for act in parcel.after:
        act(folder)
    return folder


def _manifest(parcel: Parcel) -> bytes:
    content = parcel.content
    for file in _files(parcel):
        if parcel.honest:
            file.setdefault("bytes", len(content))
            file.setdefault("sha256", hashlib.sha256(content).hexdigest())
        else:
            file.setdefault("bytes", len(content) + 1)
            file.setdefault("sha256", "0" * 64)
    return json.dumps(parcel.said).encode()


def tried(
    inbox: Path, home: Path, contracts: Mapping[str, Contract], *, vanishing: Path | None = None
) -> dict[str, int]:
    """Takes every delivery of an inbox in and counts what became of them.

    Args:
        vanishing: a folder that somebody else takes away meanwhile.

    Raises:
        AssertionError: a finding: an outcome that is neither acceptance nor a rejection with a receipt that tells of
            no one, or a sound delivery that is not taken.
    """
    outcomes = {"accepted": 0, "rejected": 0, "gone": 0}
    taking = threading.Thread(target=shutil.rmtree, args=(vanishing,), kwargs={"ignore_errors": True})
    if vanishing is not None:
        taking.start()
    for delivery in deliveries.find(inbox, contracts, CITY):
        outcome = _outcome(delivery, contracts[delivery.source], home)
        assert outcome != "gone" or vanishing is not None, "a share that is there was taken for gone"
        assert outcome == "accepted" or delivery.month != SOUND, "a sound delivery was not taken"
        outcomes[outcome] += 1
    if vanishing is not None:
        taking.join()
    assert outcomes["accepted"] >= len(contracts), "a sound delivery was not found"
    return outcomes


def _outcome(delivery: deliveries.Delivery, contract: Contract, home: Path) -> str:
    try:
        taken = take_in(delivery, contract)
        if contract.name == "resident_register" and delivery.month != SOUND:
            abstract(
                taken.frame, contract, month=delivery.month, references={"town_districts": TOWNS}, companions={},
                pseudonym_key=pseudonym_key,
            )  # fmt: skip
    except DeliveryRejected as error:
        path = receipts.write_receipt(home, delivery, "rejected", error)
        record = receipts.read_receipt(path)
        assert record is not None and record["error"]["code"] == error.code and record["error"]["ja"], "no receipt"
        told = path.read_text("utf-8") + str(error)
        assert not any(secret in told for secret in SECRETS), "a message tells of a person"
        return "rejected"
    except ConfigurationError as error:
        assert error.code == "inbox.share", f"{error.code} instead of a rejection"
        return "gone"
    return "accepted"


def sound(inbox: Path, contracts: Mapping[str, Contract]) -> None:
    """A sound delivery of every source, a month before the spoiled one."""
    for told in contracts.values():
        text, count = extract(told, SOUND)
        data = workbook_of(text.encode()) if told.name == WORKBOOK.name else text.encode()
        deliver(inbox, told, data, SOUND, count=count, name=_file_name(told.name))
