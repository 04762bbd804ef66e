"""Defines a partition: its name, its generations, and where their files are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kobe_platform.custody.service import WrappedKey

STAGES = ("raw", "abstracted", "lake", "statistics", "published", "released", "answers")
DATA_FILE, MANIFEST, HEAD, NEXT_HEAD = "data.parquet", "manifest.json", "head.json", "head.next"
VERDICTS = "verdicts.json"
ENGINE, CONTRACT = "engine", "contract"
"""Inputs that name the code and the contract which made a partition: a step that is asked for takes notice of them, but
they alone are no reason to ask (:func:`made_from`)."""


@dataclass(frozen=True)
class PartitionId:
    """Names one partition: ``month`` is YYYY-MM (a yearly statistic stands under the month that closes its year)."""

    stage: str
    source: str
    month: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.source}/{self.month}"

    @property
    def purpose(self) -> str:
        """The purpose of the keys that wrap its data keys: one for each stage and source."""
        return f"data/{self.stage}/{self.source}"

    @property
    def at(self) -> dict[str, str | int]:
        """Coordinates for errors."""
        return {"stage": self.stage, "source": self.source, "month": self.month}


@dataclass(frozen=True)
class Partition:
    """One committed generation, as its authenticated manifest describes it.

    Attributes:
        columns: name → Polars type.
        digest, size: SHA-256 and bytes of the encrypted file.
        facts: counts about how it came to be (never values).
        inputs: what it was made from, name → digest; a re-run with the same inputs may skip.
        created_at: UTC, ISO 8601.
        key: the wrapped data key; its ``wrapped`` is empty once the rows were destroyed.
        destroyed_at: UTC, ISO 8601, when its rows were destroyed; empty while they are there.
        token: tells it from others of its number in a store that machines share; empty in a home alone.
    """

    id: PartitionId
    generation: int
    rows: int
    columns: Mapping[str, str]
    digest: str
    size: int
    facts: Mapping[str, Any]
    inputs: Mapping[str, str]
    created_at: str
    key: WrappedKey
    destroyed_at: str = ""
    token: str = ""

    @property
    def content(self) -> str:
        """What it holds, whatever its key and generation: the digest of its rows where it was taken, else its origin.

        Partitions that were made from equal inputs by equal code have equal contents, so a step that is repeated after
        a crash makes nothing downstream out of date.
        """
        return content_of(self.facts, self.inputs, self.digest)

    def record(self, object: str) -> dict[str, Any]:
        """As its manifest says it, without the signature."""
        return {
            "object": object,
            "generation": self.generation,
            "rows": self.rows,
            "columns": dict(self.columns),
            "digest": self.digest,
            "size": self.size,
            "facts": self.facts,
            "inputs": dict(self.inputs),
            "created_at": self.created_at,
            "key": asdict(self.key),
            "destroyed_at": self.destroyed_at,
            **({"token": self.token} if self.token else {}),
        }

    @classmethod
    def of(cls, id: PartitionId, record: Mapping[str, Any]) -> Partition:
        """From an authenticated manifest."""
        return cls(
            id=id,
            generation=record["generation"],
            rows=record["rows"],
            columns=record["columns"],
            digest=record["digest"],
            size=record["size"],
            facts=record["facts"],
            inputs=record["inputs"],
            created_at=record["created_at"],
            key=WrappedKey(**record["key"]),
            destroyed_at=record["destroyed_at"],
            token=record.get("token", ""),
        )


@dataclass(frozen=True)
class VerifyReport:
    """Partitions looked at, and what is wrong: (partition, code of the error)."""

    partitions: int
    faults: tuple[tuple[str, str], ...]


def content_of(facts: Mapping[str, Any], inputs: Mapping[str, str], digest: str) -> str:
    """See :attr:`Partition.content`."""
    if "content" in facts:
        return str(facts["content"])
    return inputs_digest(inputs) if inputs else digest


def inputs_digest(inputs: Mapping[str, str]) -> str:
    """SHA-256 over the inputs of a partition."""
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()


def made_from(inputs: Mapping[str, str]) -> str:
    """Digest of inputs without :data:`ENGINE` and :data:`CONTRACT`: a partition whose digest differs is out of date."""
    return inputs_digest({name: told for name, told in inputs.items() if name not in (ENGINE, CONTRACT)})


def generation_folder(folder: Path, generation: int) -> Path:
    """Where a generation of the partition in ``folder`` lies."""
    return folder / f"g{generation:06d}"


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def generations(folder: Path) -> list[int]:
    """Generations that lie in a partition's folder, in force or not, ascending."""
    return sorted(int(path.name[1:]) for path in folder.glob("g[0-9]*"))
