"""Builds the documentation as a MkDocs site, with reference pages written from the pydantic models.

``python -m kobe_platform.cli.reference`` copies the documents of the repository to a folder, adds one page for each
kind of file that authors write (:data:`PAGES`), and runs MkDocs on it; a broken link ends the build. A page lists the
keys by the tables of the file. A key's description is the line of the ``Attributes`` section of its class, so it is
written once.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mkdocs.commands.build import build
from mkdocs.config import load_config
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kobe_platform.contracts.columns import AnyColumn, Column
from kobe_platform.contracts.model import Contract
from kobe_platform.disclosure.spec import Relation, Spec, Table
from kobe_platform.forecasts.definition import Forecast
from kobe_platform.lounge.audiences import Audience
from kobe_platform.lounge.pages import FrontMatter
from kobe_platform.ondemand.menu import Menu
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.relations import STATEMENTS
from kobe_platform.unusual.definition import Watch
from kobe_platform.vocabulary.hierarchy_tables import HierarchyTable
from kobe_platform.vocabulary.rules import IntakeRule

ROOT = Path(__file__).resolve().parents[2]
TOP = "Top of the file"
ROOTS: Mapping[str, tuple[type[BaseModel], str, str]] = {
    "contract": (Contract, TOP, ""),
    "statistic": (Statistic, "Front matter", ""),
    "forecast": (Forecast, TOP, ""),
    "watch": (Watch, TOP, ""),
    "page": (FrontMatter, "Front matter", ""),
    "specification": (Spec, TOP, ""),
    "menu": (Menu, TOP, ""),
    "audiences": (Audience, "`[NAME]`", "[NAME]"),
    "hierarchies": (HierarchyTable, "`[NAME]`", "[NAME]"),
    "rules": (IntakeRule, '`["NAME"]`', '["NAME"]'),
}
"""Kind of file → the model that reads it, the heading of its keys, and the table that they stand in ("": none)."""
PAGES: Mapping[str, str] = {
    "contract": "assets/contracts/NAME.toml",
    "statistic": "assets/statistics/NAME.sql",
    "relations": "assets/statistics/relations.toml",
    "forecast": "assets/forecasts/NAME.toml",
    "watch": "assets/unusual/NAME.toml",
    "page": "dashboards/pages/NAME.md",
    "specification": "what kobe protect and kobe audit read",
    "menu": "assets/ondemand.toml",
    "audiences": "dashboards/audiences.toml",
    "hierarchies": "assets/vocabulary/hierarchies.toml",
    "rules": "assets/vocabulary/rules.toml",
}
"""The kinds of files that authors write, each with a page → where such a file stands."""
FILLED_IN: Mapping[type[BaseModel], Set[str]] = {
    Statistic: {"name", "sql", "relations", "row_key", "wishes"},
    Forecast: {"name"},
    Watch: {"name"},
    Audience: {"name"},
    IntakeRule: {"id"},
}
"""Fields that no author writes: the name of the file or table, its SELECT, the relations and the contract give them."""

SHORT: Mapping[tuple[type[BaseModel], str], str] = {
    (Table, "dimensions"): "list: text",
    (Relation, "left"): "list: text",
    (Relation, "right"): "list: text",
    (Spec, "previous"): "list: text",
}
"""Fields that may also be written in a shorter form, which their model turns into the type that they have."""


@dataclass(frozen=True)
class Key:
    """One row of a page.

    Attributes:
        name: as it is written in the file.
        kind: what may stand there, in the words of a file and not of Python.
        required: whether a file without it is refused.
        default: as it would be written; empty where there is none.
        description: from the ``Attributes`` section of the model.
    """

    name: str
    kind: str
    required: bool
    default: str
    description: str


@dataclass(frozen=True)
class KeyTable:
    """One table of a page: a heading as the file has it, what the table is about, and its keys, required ones first."""

    heading: str
    about: str
    keys: tuple[Key, ...]


_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {8,}\S.*)*)", re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_STAGED = {".md", ".png", ".jpg", ".svg"}


def sections(name: str) -> tuple[KeyTable, ...]:
    """The sections of a page, from the model that reads its kind of file."""
    if name == "relations":
        return tuple(_relations())
    columns = _columns() if name == "contract" else ()
    return (*within(*ROOTS[name], leave=("columns",) if columns else ()), *columns)


def within(root: type[BaseModel], heading: str, place: str = "", leave: tuple[str, ...] = ()) -> Iterator[KeyTable]:
    """The keys of a model and of each that its keys lead to; one that several lead to stands once, under all names.

    Args:
        place: the table of the file that the model reads; empty for the file as a whole.
        leave: keys that are left out with all that they lead to.
    """
    yield _section(root, heading)
    for model, places in _tables({root: [place]}, leave).items():
        if model is not root:
            yield _section(model, ", ".join(f"`{place}`" for place in places))


def _tables(found: dict[type[BaseModel], list[str]], leave: tuple[str, ...] = ()) -> dict[type[BaseModel], list[str]]:
    """Model → the tables of a file that it reads (``[legal]``, ``[[layouts]]``), below the models that are given."""
    queue = list(found)
    for outer in queue:
        for field, info in _written(outer):
            if field in leave:
                continue
            for inner, many in _models(info.annotation):
                places = [_table(place, info.alias or field, many) for place in found[outer]]
                if inner not in found:
                    queue.append(inner)
                found[inner] = [*found.get(inner, ()), *places]
    return found


def _table(outer: str, key: str, many: str) -> str:
    path = ".".join(part for part in (outer.strip("[]"), key, "NAME" if many == "named" else "") if part)
    return f"[[{path}]]" if many == "list" else f"[{path}]"


def _models(annotation: Any, many: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models in an annotation, each with how many tables there are: one, a ``list``, or ``named`` ones."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation, many
    elif get_origin(annotation) is not Literal:
        many = {tuple: "list", dict: "named"}.get(get_origin(annotation), many)
        for part in get_args(annotation):
            yield from _models(part, many)


def _columns() -> Iterator[KeyTable]:
    """The keys of every column, then for each rule those that it adds."""
    rules = [each for each, _ in _models(AnyColumn)]
    names = {each: get_args(each.model_fields["rule"].annotation)[0] for each in rules}
    rule = Key("rule", _type(Literal[tuple(names.values())]), True, "", "what abstraction does with it.")
    every = _section(Column, "`[[columns]]`")
    yield replace(every, keys=(*every.keys[:3], rule, *every.keys[3:]))
    for each, name in names.items():
        section = _section(each, f'`[[columns]]` with `rule = "{name}"`', leave={*Column.model_fields, "rule"})
        classes = ", ".join(f"`{letter}`" for letter in each.classes)  # type: ignore[attr-defined]
        yield replace(section, about=f"{section.about} Classes that may have it: {classes}.")


def _relations() -> Iterator[KeyTable]:
    """The statements by the tables that they stand in; the table says the kind."""
    found: dict[type[BaseModel], list[str]] = {}
    for kind, model in STATEMENTS.items():
        found.setdefault(model, []).append(f"[[{kind}]]")
    for each, places in _tables(found).items():
        yield _section(each, ", ".join(f"`{place}`" for place in places), leave={"kind"})


def descriptions(of: type[BaseModel]) -> dict[str, str]:
    """Key → description, from the ``Attributes`` sections of the class and of the classes that it extends."""
    found: dict[str, str] = {}
    for each in reversed(of.__mro__):
        section = inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        for names, text in _ENTRY.findall(section.split("\n\n")[0]):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found | {name: field.description for name, field in of.model_fields.items() if field.description}


def _written(of: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields that an author writes."""
    return ((name, field) for name, field in of.model_fields.items() if name not in FILLED_IN.get(of, ()))


def _section(of: type[BaseModel], heading: str, leave: Set[str] = frozenset()) -> KeyTable:
    about = _plain(inspect.cleandoc(of.__doc__ or "").partition("Attributes:\n")[0])
    told, keys = descriptions(of), []
    for name, field in _written(of):
        if name not in leave:
            text = _plain(told.get(name, ""))
            kind = " or ".join(filter(None, (_type(field.annotation), SHORT.get((of, name)))))
            keys.append(Key(field.alias or name, kind, field.is_required(), _default(field), text))
    return KeyTable(heading, about, tuple(sorted(keys, key=lambda key: not key.required)))


def _plain(text: str) -> str:
    """Text of a docstring as Markdown in one line."""
    return " ".join(re.sub(r":\w+:(?=`)", "", text).replace("``", "`").split())


def _default(field: FieldInfo) -> str:
    """A default as a file would say it; none where it is nothing, or a table that has its own section."""
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return "" if value is None or isinstance(value, BaseModel) else json.dumps(value, ensure_ascii=False)


_WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date"}


def _type(annotation: Any) -> str:
    """What may stand at a key, in the words of a file; what only code can give (a data frame) is left out."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in parts)
    if origin is tuple:
        many = "list" if parts[-1] is ... else f"list of {len(parts)}"
        return "tables" if (of := _type(parts[0])) == "table" else f"{many}: {of}"
    if origin is dict:
        return "tables by name" if (of := _type(parts[1])) == "table" else f"table: {of}"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(word for word in map(_type, parts) if word))
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "table"
    return _WORDS.get(annotation, "")


def page(title: str, of: Iterable[KeyTable]) -> str:
    """One reference page in Markdown: a table for each section."""
    lines = [f"# {title}", ""]
    for section in of:
        lines += [f"## {section.heading}", "", section.about, "", "| key | value | required | default | description |"]
        lines += ["|---|---|---|---|---|"]
        for key in section.keys:
            default, required = f"`{key.default}`" if key.default else "", "yes" if key.required else "no"
            cells = (f"`{key.name}`", key.kind, required, default, key.description)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def stage(target: Path) -> None:
    """Copies the documents to an empty folder and adds the reference; a link to code becomes its words."""
    files = [ROOT / name for name in ("README.md", "README.ja.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    files += [each for each in sorted((ROOT / "docs").rglob("*")) if each.suffix in _STAGED]
    for file in files:
        copy = target / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            copy.write_text(_LINK.sub(partial(_kept, at=file, files=files), file.read_text("utf-8")), "utf-8")
        else:
            shutil.copyfile(file, copy)
    (target / "reference").mkdir()
    (target / "reference" / "tables.css").write_text(".wy-table-responsive table td { white-space: normal }\n", "utf-8")
    for name, place in PAGES.items():
        text = page(f"Reference: {name} ({place})", sections(name))
        (target / "reference" / f"{name}.md").write_text(text, "utf-8")


def _kept(link: re.Match[str], at: Path, files: list[Path]) -> str:
    aim = (at.parent / link[3]).resolve()
    return link[0] if aim in files or not aim.exists() else link[2]


def main(folder: Path) -> None:
    """Builds the site in ``folder/site`` from ``folder/source``; both are replaced."""
    for part in ("source", "site"):
        shutil.rmtree(folder / part, ignore_errors=True)
    stage(folder / "source")
    documents = sorted(each.relative_to(ROOT).as_posix() for each in (ROOT / "docs").glob("*.md"))
    decisions = sorted(each.relative_to(ROOT).as_posix() for each in (ROOT / "docs" / "decisions").glob("*.md"))
    nav = ["README.md", "README.ja.md", "CONTRIBUTING.md", "CHANGELOG.md", {"Documents": documents}]
    nav += [{"Reference": [f"reference/{name}.md" for name in PAGES]}, {"Decisions": decisions}]
    settings: dict[str, Any] = {
        "theme": {"name": "readthedocs", "highlightjs": False},
        "use_directory_urls": False,
        "plugins": [],
        "extra_css": ["reference/tables.css"],
    }
    logging.getLogger("mkdocs").setLevel(logging.WARNING)  # strict counts the warnings that are logged
    config = folder / "mkdocs.yml"
    config.write_text("site_name: Kobe data platform\n", "utf-8")
    build(
        load_config(
            str(config),
            docs_dir=str(folder / "source"),
            site_dir=str(folder / "site"),
            nav=nav,
            strict=True,
            **settings,
        )
    )
    print(folder / "site" / "index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
