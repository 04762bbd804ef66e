"""Who may see a page: audiences are named in ``audiences.toml`` beside the pages, everything else is denied."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from kobe_platform.errors import ConfigurationError


@dataclass(frozen=True)
class Audience:
    """A group of readers; it sees pages marked with its own name or with one that it ``includes``."""

    name: str
    label: str
    includes: tuple[str, ...] = ()

    def sees(self, audience: str) -> bool:
        """Whether a page marked ``audience`` belongs to this group's site."""
        return audience == self.name or audience in self.includes


def load_audiences(dashboards: Path) -> dict[str, Audience]:
    """Audiences by name, in the order of the file.

    Raises:
        ConfigurationError: the file is absent or unreadable, a label is missing, or ``includes`` names nobody.
    """
    path = dashboards / "audiences.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            "the list of audiences is missing or no TOML",
            code="audience.file",
            at={"file": path.name},
            remedy='write one table per audience, e.g. [staff] label = "全職員"',
            ja="閲覧者の一覧を読めません",
        ) from None
    audiences = {}
    for name, entry in table.items():
        includes = entry.get("includes", []) if isinstance(entry, dict) else None
        if includes is None or not isinstance(entry.get("label"), str) or not set(includes) <= set(table):
            raise ConfigurationError(
                "an audience lacks its label or includes one that is not listed",
                code="audience.incomplete",
                at={"file": path.name, "audience": name},
                remedy="give it a label and let includes name audiences of this file",
                ja="閲覧者の定義に不備があります",
            )
        audiences[name] = Audience(name, entry["label"], tuple(includes))
    return audiences
