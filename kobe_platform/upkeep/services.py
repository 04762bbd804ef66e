"""Writes the units of systemd with which an installation runs, and the file of its settings, commented."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT, Settings

UNITS = Path(__file__).with_name("units")
HARDENING = "hardening.conf"
SETTINGS_FILE = "kobe.env"
ELSEWHERE = {
    "KOBE_BACKUP_KEY": "File with the key of the backups, as `kobe backup key FILE` makes it (kobe-backup.service).",
    "KOBE_METRICS_FILE": "File that the node exporter's textfile collector reads (kobe-metrics.service).",
}
"""Variables that units alone use → what they are."""
_PLACE = re.compile(r"@([a-z]+)@")
_USER = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
_PATH = re.compile(r"^/[A-Za-z0-9._/+-]+$")


@dataclass(frozen=True)
class Installation:
    """What units say of one installation.

    Attributes:
        settings: of the installation; their paths are written out.
        user: account that the services run as, and its group.
        settings_file: where the file with the settings will lie.
        writes: further folders that services write to (a backup in a folder, the figures' folder).
    """

    settings: Settings
    user: str
    settings_file: Path
    writes: tuple[Path, ...] = ()


def units(of: Installation) -> dict[str, str]:
    """Name → text of every unit.

    Raises:
        ConfigurationError: ``units.value``: an account or a path that a unit cannot hold as it is.
    """
    kobe = Path(sys.executable).with_name("kobe")
    paths = [of.settings.root, PROJECT, of.settings_file.resolve(), kobe, *(path.resolve() for path in of.writes)]
    for value, form in ((of.user, _USER), *((str(path), _PATH) for path in paths)):
        if not form.match(value):
            raise ConfigurationError(
                "a unit cannot hold this account or path",
                code="units.value",
                at={"value": value},
                remedy="use letters, digits and . _ / + - only",
                ja="ユニットに書けない名前です",
            )
    values = {
        "user": of.user,
        "home": str(of.settings.root),
        "project": str(PROJECT),
        "settings": str(of.settings_file.resolve()),
        "kobe": str(kobe),
        "writes": " ".join(map(str, dict.fromkeys([of.settings.root, *(path.resolve() for path in of.writes)]))),
    }
    values["hardening"] = _filled((UNITS / HARDENING).read_text("utf-8"), values).rstrip("\n")
    return {path.name: _filled(path.read_text("utf-8"), values) for path in sorted(UNITS.glob("kobe-*"))}


def settings_text(of: Settings, told: dict[str, str]) -> str:
    """Every variable with what it is: as it stands where it was set, else as a comment with its default.

    Args:
        told: attribute of :class:`Settings` → its description.
    """
    lines = [
        "# Settings of the installation: docs/operations.md, Settings. A line that begins with # is not in force.",
        "",
    ]
    for name, field in Settings.model_fields.items():
        value = getattr(of, name)
        is_set = name in of.model_fields_set
        shown = value.resolve() if isinstance(value, Path) and is_set else value if is_set else field.default
        lines.append(f"# {told.get(name, '').replace('``', '`')}")
        lines.append(f"{'' if is_set else '#'}KOBE_{name.upper()}={'' if shown is None else shown}")
        lines.append("")
    for name, text in ELSEWHERE.items():
        lines += [f"# {text}", f"#{name}=", ""]
    return "\n".join(lines)


def _filled(text: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], text)
