"""Dashboards of a test's own: the project's portal with one page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from kobe_platform.settings import PROJECT


def dashboards_with(page: str, text: str, folder: Path) -> Path:
    """A copy of the project's dashboards at ``folder`` whose portal leads to one page alone."""
    shutil.copytree(PROJECT / "dashboards", folder, ignore=shutil.ignore_patterns("node_modules"))
    for path in (folder / "pages").glob("*.md"):
        if path.stem != "index":
            path.unlink()
    portal = folder / "pages/index.md"
    told = re.sub(r"^related:.*\n", "", portal.read_text("utf-8"), flags=re.M)
    portal.write_text(re.sub(r"\[([^\]]*)\]\(\w+\.html\)", r"\1", told), "utf-8")
    (folder / "pages" / f"{page}.md").write_text(text, "utf-8")
    return folder
