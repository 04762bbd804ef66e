"""Builds the documentation as a MkDocs site, with reference pages written from the pydantic models.

``python -m kobe_platform.cli.reference`` copies the documents of the repository to a folder, adds one page for each
kind of file (contract, statistic, page, disclosure specification), and runs MkDocs on it; a broken link ends the build.
A key's description is the line of the ``Attributes`` section of its class, so it is written once.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from mkdocs.commands.build import build
from mkdocs.config import load_config
from pydantic import BaseModel

from kobe_platform.contracts import columns, model, published
from kobe_platform.disclosure import spec
from kobe_platform.disclosure.methods import choice
from kobe_platform.lounge import pages
from kobe_platform.statistics import definition, relations

ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[str, tuple[str, tuple[ModuleType, ...]]] = {
    "contract": ("Contract", (model, columns, published)),
    "statistic": ("Statistic", (definition,)),
    "relations": ("Relations", (relations,)),
    "page": ("Front matter of a page", (pages,)),
    "specification": ("Disclosure specification", (spec, choice)),
}
"""Page → title, and the modules whose models it lists."""

_ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {8,}\S.*)*)", re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_STAGED = {".md", ".png", ".jpg", ".svg"}


def models(module: ModuleType) -> list[type[BaseModel]]:
    """Models with keys that a module defines, in its order."""
    return [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, BaseModel)
        and each.__module__ == module.__name__
        and each.model_fields
    ]


def descriptions(of: type[BaseModel]) -> dict[str, str]:
    """Key → description, from the ``Attributes`` sections of the class and of the classes that it extends."""
    found: dict[str, str] = {}
    for each in reversed(of.__mro__):
        section = inspect.cleandoc(each.__dict__.get("__doc__") or "").partition("Attributes:\n")[2]
        for names, text in _ENTRY.findall(section.split("\n\n")[0]):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    found = {name: re.sub(r":\w+:(?=`)", "", text) for name, text in found.items()}
    return found | {name: field.description for name, field in of.model_fields.items() if field.description}


def rows(of: type[BaseModel]) -> Iterator[tuple[str, str, str, str, str]]:
    """Key, type, whether it is required, default and description of each field of a model."""
    said = descriptions(of)
    for name, field in of.model_fields.items():
        kind = _type(field.annotation)
        default = "" if field.is_required() else repr(field.get_default(call_default_factory=True))
        yield field.alias or name, kind, "yes" if field.is_required() else "no", default, said.get(name, "")


def _type(annotation: Any) -> str:
    text = (
        annotation.__name__ if inspect.isclass(annotation) and not hasattr(annotation, "__args__") else str(annotation)
    )
    text = re.sub(r"Annotated\[(\w+), .*?\)\]", r"\1", text)
    return re.sub(r"\b(?:typing|datetime|kobe_platform[\w.]*)\.", "", text)


def page(title: str, of: tuple[type[BaseModel], ...]) -> str:
    """One reference page in Markdown: a table for each model."""
    lines = [f"# {title}: reference", ""]
    for each in of:
        first = inspect.cleandoc(each.__doc__ or "").split("\n\n")[0]
        lines += [f"## {each.__name__}", "", first, "", "| key | type | required | default | description |"]
        lines += ["|---|---|---|---|---|"]
        for key, kind, required, default, text in rows(each):
            cells = (f"`{key}`", f"`{kind}`", required, f"`{default}`" if default else "", text.replace("|", "\\|"))
            lines.append("| " + " | ".join(cells) + " |")
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
    for name, (title, modules) in PAGES.items():
        listed = tuple(each for module in modules for each in models(module))
        (target / "reference" / f"{name}.md").write_text(page(title, listed), "utf-8")


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
