"""Deliveries in the inbox of an installation on the disk."""

from __future__ import annotations

import json

from kobe_platform.settings import Settings


def deliver(source: str, month: str) -> None:
    """A delivery by its manifest; its files do not matter to the plan."""
    settings = Settings()
    folder = settings.inbox / settings.municipality / source / month
    folder.mkdir(parents=True)
    file = {"name": "rows.csv", "rows": 1, "sha256": "0" * 64, "bytes": 10}
    told = {"municipality": settings.municipality, "source": source, "month": month, "kind": "snapshot", "sequence": 1}
    told |= {"created_at": "2025-08-01T00:00:00+09:00", "encoding": "utf-8", "files": [file]}
    (folder / "manifest.json").write_text(json.dumps(told))
