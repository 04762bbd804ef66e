"""Makes the page 用語集 from ``glossary.toml``; the first place of each of its words in a page's texts links there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from kobe_platform.errors import ConfigurationError

FILE = "glossary.toml"
GLOSSARY = "glossary"
"""Name of the page in every site."""
TITLE = "用語集"
SHORTEST = 2
"""Characters of a word that links: a shorter one stands inside too many others."""
_NEVER_IN = frozenset({
    "a", "code", "pre", "button", "summary", "label", "figure", "figcaption", "caption", "th", "header", "nav", "dl",
    "h1", "h2", "h3", "h4", "h5", "h6",
})  # fmt: skip
"""Elements whose words are names: of places, of figures, of controls."""

_Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=r"^[^<>\x00-\x1f]+$")
]


class GlossaryTerm(BaseModel):
    """A word of the glossary: its name, other spellings, and what it means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Words
    also: tuple[_Words, ...] = ()
    text: _Words


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    term: tuple[GlossaryTerm, ...] = ()


def load_glossary(dashboards: Path) -> tuple[GlossaryTerm, ...]:
    """The terms of ``glossary.toml`` in their order; none where the file is absent.

    Raises:
        ConfigurationError: it is no TOML, a term is incomplete, or a word stands there twice.
    """
    path = dashboards / FILE
    key = ""
    try:
        terms = _File.model_validate(tomllib.loads(path.read_text("utf-8"))).term
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        terms = None
        key = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else ""
    words = [word for term in terms or () for word in (term.name, *term.also)]
    twice = next((word for word in words if words.count(word) > 1), "")
    if terms is not None and not twice:
        return terms
    raise ConfigurationError(
        "the glossary is not as it must be",
        code="glossary.entry",
        at={"file": FILE, **({"key": key} if key else {}), **({"word": twice} if twice else {})},
        remedy='give each [[term]] name and text, and each word once: name = "推計人口", also = ["…"], text = "…"',
        ja="用語集の書き方が正しくありません",
    )


def place_of(terms: Sequence[GlossaryTerm], term: GlossaryTerm) -> str:
    """The anchor of a term in the page."""
    return f"term-{terms.index(term) + 1}"


def glossary_page(terms: Sequence[GlossaryTerm]) -> str:
    """``glossary.html`` as Markdown; empty without terms."""
    if not terms:
        return ""
    told = "\n\n".join(
        f"### {term.name}{''.join(f'（{word}）' for word in term.also)} {{: #{place_of(terms, term)} }}\n\n{term.text}"
        for term in terms
    )
    return f"---\ntitle: {TITLE}\n---\n\n# {TITLE}\n\n{told}\n\n[データラウンジに戻る](index.md)\n"


class GlossaryLinks(Extension):
    """Links the first place of each term in a page's texts; never in headings, links, code or the glossary itself."""

    def __init__(self, terms: Sequence[GlossaryTerm]) -> None:
        super().__init__()
        self.terms = terms

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the step; before MkDocs looks at links (0)."""
        md.treeprocessors.register(_Linking(self.terms), "lounge_glossary", 2)


class _Linking(Treeprocessor):
    def __init__(self, terms: Sequence[GlossaryTerm]) -> None:
        super().__init__()
        words = {word: place_of(terms, term) for term in terms for word in (term.name, *term.also)}
        self.places = {word: place for word, place in words.items() if len(word) >= SHORTEST}
        longest = sorted(self.places, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest)) or "(?!)")

    def run(self, root: Element) -> None:
        ids = {element.get("id") for element in root.iter()}
        if "term-1" not in ids:
            self._inside(root, set())

    def _inside(self, element: Element, done: set[str]) -> None:
        if element.tag in _NEVER_IN:
            return
        self._link(element, None, done)
        for child in list(element):
            self._inside(child, done)
            self._link(element, child, done)

    def _link(self, parent: Element, after: Element | None, done: set[str]) -> None:
        """Link words in the text that follows ``after`` in ``parent`` (its first text where None)."""
        text = (parent.text if after is None else after.tail) or ""
        match = (
            next((one for one in self.pattern.finditer(text) if self.places[one[0]] not in done), None)
            if self.pattern
            else None
        )
        if match is None:
            return
        place = self.places[match[0]]
        done.add(place)
        link = Element("a", {"href": f"{GLOSSARY}.md#{place}", "class": "lounge-term"})
        link.text, link.tail = match[0], text[match.end() :]
        if after is None:
            parent.text = text[: match.start()]
            parent.insert(0, link)
        else:
            after.tail = text[: match.start()]
            parent.insert(list(parent).index(after) + 1, link)
        self._link(parent, link, done)
