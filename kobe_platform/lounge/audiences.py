"""Reads the audiences (groups of readers) from ``audiences.toml`` beside the pages.

A page names one audience. Who belongs to none that sees it does not get it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from kobe_platform.errors import ConfigurationError


class Audience(BaseModel):
    """A group of readers; it sees the pages marked with its own name or with one that it ``includes``.

    Attributes:
        name: the name of its table; pages are marked with it.
        label: the group's Japanese name on screens.
        includes: audiences whose pages this group sees as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    includes: tuple[str, ...] = ()

    def sees(self, audience: str) -> bool:
        """Whether a page marked ``audience`` belongs to this group's site."""
        return audience == self.name or audience in self.includes


def load_audiences(dashboards: Path) -> dict[str, Audience]:
    """Audiences by name, in the order of the file.

    Raises:
        ConfigurationError: the file is absent or unreadable, a label is missing, a key is unknown, or
            ``includes`` names nobody.
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
        try:
            audiences[name] = Audience(name=name, **entry)
        except (TypeError, ValidationError):
            raise _incomplete(path, name) from None
        if not set(audiences[name].includes) <= set(table):
            raise _incomplete(path, name)
    return audiences


def _incomplete(path: Path, name: str) -> ConfigurationError:
    return ConfigurationError(
        "an audience lacks its label, has a key that nothing reads, or includes one that is not listed",
        code="audience.incomplete",
        at={"file": path.name, "audience": name},
        remedy="give it a label, and no other key than includes, which names audiences of this file",
        ja="閲覧者の定義に不備があります",
    )
