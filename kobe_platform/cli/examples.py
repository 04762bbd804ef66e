"""The commands ``kobe examples list`` and ``add``: take an example of a core system over into a city's files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.vocabulary import codes as vocabulary

FOLDER = PROJECT / "examples"
APPENDED = ("hierarchies.toml", "relations.toml")
"""Files of an example that are added at the end of the city's own."""
TOGETHER = "together.toml"
"""Statements about two sources, each of which is taken over once both are there."""

examples_app = typer.Typer(no_args_is_help=True, help="Examples of further core systems, by data files alone.")


@examples_app.command("list")
def list_examples() -> None:
    """The examples, and the sources that each brings."""
    for name in names():
        sources = ", ".join(path.stem for path in sorted((FOLDER / name / "contracts").glob("*.toml")))
        typer.echo(f"{name}: {sources}")


@examples_app.command("add")
def add(name: Annotated[str, typer.Argument(help="Name of the example.")]) -> None:
    """Copy an example's contracts, statistics, forecasts, pages and manuals, and add its hierarchies and relations."""
    for path in taken_over(name, Settings()):
        typer.echo(str(path))


def names() -> list[str]:
    """Names of the examples."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def taken_over(name: str, settings: Settings) -> list[Path]:
    """Write an example's files into the folders of the settings; nothing where another one of the name is there.

    What an earlier call that was ended has written is taken as it is.

    Raises:
        ConfigurationError: there is no such example, or a file of its name is there (``examples.unknown``, ``.there``).
    """
    if name not in names():
        raise ConfigurationError(
            "there is no such example",
            code="examples.unknown",
            at={"example": name},
            remedy="choose of " + ", ".join(names()),
        )
    pairs = [(source.read_bytes(), target) for source, target in _pairs(FOLDER / name, settings)]
    relations = _statements(FOLDER / name, settings.contracts)
    grown = [
        _grown(vocabulary.LISTS / APPENDED[0], _text(name, APPENDED[0])),
        _grown(settings.statistics / APPENDED[1], _text(name, APPENDED[1]), *relations),
    ]
    other = [target for text, target in pairs if target.exists() and target.read_bytes() != text]
    written = [
        (text, target) for text, target in (*pairs, *grown) if not target.exists() or target.read_bytes() != text
    ]
    if other or not written:
        raise ConfigurationError(
            "a file of the example is there already, and nothing was written",
            code="examples.there",
            at={"example": name, "file": (other or [pairs[0][1]])[0].name},
            remedy="remove the file, or take the rest over by hand",
        )
    for text, target in written:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.new")
        aside.write_bytes(text)
        aside.replace(target)
    return [target for _, target in written]


def _text(name: str, file: str) -> str:
    return (FOLDER / name / file).read_text(encoding="utf-8")


def _grown(target: Path, *entries: str) -> tuple[bytes, Path]:
    """A list of the city with those entries of an example behind it that it does not have yet."""
    text = target.read_text(encoding="utf-8")
    for entry in entries:
        text += "" if entry in text else entry
    return text.encode(), target


def _statements(folder: Path, contracts: Path) -> Iterator[str]:
    """The statements about a source of the example and another one that is there."""
    own = {path.stem for path in (folder / "contracts").glob("*.toml")}
    there = own | {path.stem for path in contracts.glob("*.toml")}
    _, *statements = (FOLDER / TOGETHER).read_text(encoding="utf-8").split("\n[[apart]]\n")
    for text in statements:
        sources = set(tomllib.loads(text)["sources"])
        if sources & own and sources <= there:
            yield f"\n[[apart]]\n{text.strip()}\n"


def _pairs(folder: Path, settings: Settings) -> Iterator[tuple[Path, Path]]:
    """Every file of an example that is copied, and where it goes."""
    places = {
        "contracts": settings.contracts,
        "statistics": settings.statistics,
        "forecasts": settings.forecast_files,
        "pages": settings.dashboards / "pages",
        "manuals": settings.dashboards / "manuals",
    }
    for name, place in places.items():
        for path in sorted((folder / name).glob("*")):
            yield path, place / path.name
