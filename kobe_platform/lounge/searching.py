"""What the portal's search finds beside titles: areas, codes and other labels that pages show, and how they are read.

The index holds words and no figure: where one published cell answers, the browser looks it up in the page's own slices.
It is made of one audience's pages alone, so it holds no word of a page that the audience may not see.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.catalogue import fold
from kobe_platform.lounge.compile import CompiledPage
from kobe_platform.lounge.glossary import GLOSSARY, TITLE, GlossaryTerm, place_of
from kobe_platform.lounge.pages import PORTAL, Page
from kobe_platform.lounge.readings import reading

SYNONYMS = Path(__file__).resolve().parents[2] / "assets" / "vocabulary" / "synonyms.toml"
INDEX = "search.json"
_TERM = re.compile(r"\*\*([^*\n]{1,40})\*\*")


_Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SearchWords(BaseModel):
    """What ``synonyms.toml`` says.

    Attributes:
        groups: words that mean the same to who searches, two or more each.
        readings: words that the dictionary reads otherwise than people do → their reading.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    groups: tuple[Annotated[tuple[_Word, ...], Field(min_length=2)], ...] = ()
    readings: Mapping[_Word, _Word] = {}

    def key_of(self, *texts: str) -> str:
        """Texts and their readings, folded, one a line: what a word that is typed must occur in."""
        lines = [folded for text in texts for folded in (fold(text), fold(reading(self._as_read(text)))) if folded]
        return "\n".join(dict.fromkeys(lines))

    def _as_read(self, text: str) -> str:
        for word in sorted(self.readings, key=len, reverse=True):
            text = text.replace(word, self.readings[word])
        return text


def load_words(path: Path = SYNONYMS) -> SearchWords:
    """The words of ``synonyms.toml``.

    Raises:
        ConfigurationError: the file cannot be read or is no TOML, or has a key that nothing reads, a group of fewer
            than two texts, or a reading that is no text.
    """
    try:
        return SearchWords.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else ""
        raise ConfigurationError(
            "the list of synonyms is not as it must be",
            code="search.synonyms",
            at={"file": path.name, **({"key": place} if place else {})},
            remedy='write groups = [["高齢化", "65歳以上"]], two words or more each, and [readings]: "外国人" = "…"',
            ja="同義語の一覧の書き方が正しくありません",
        ) from None


@dataclass
class _Shared:
    """Lists and terms that pages have in common, each kept once."""

    terms: dict[str, int] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)

    def term(self, text: str) -> int:
        return self.terms.setdefault(text, len(self.terms))

    def options(self, options: Iterable[Sequence[str]]) -> int:
        told = json.dumps([[value, self.term(label)] for value, label in options], ensure_ascii=False)
        return self.lists.setdefault(told, len(self.lists))


def search_index(
    pages: Sequence[Page],
    compiled: Mapping[str, CompiledPage],
    texts: Mapping[str, str],
    words: SearchWords,
    glossary: Sequence[GlossaryTerm] = (),
) -> dict[str, Any]:
    """The index of one site.

    Args:
        pages: those of the audience, in order.
        compiled: slug → what became of the page, with what its filters offer and its charts show.
        texts: slug → folded text of the catalogue.
        words: synonyms and readings; groups of which no page has a word are left out.
        glossary: its terms, each found as a place of the page 用語集, after those of all pages.
    """
    shared = _Shared()
    entries = [
        _entry(page, compiled[page.slug], texts[page.slug], shared, words) for page in pages if page.slug != PORTAL
    ]
    if glossary and GLOSSARY not in {page.slug for page in pages}:
        entries.append(_glossary(glossary, words))
    terms = [[text, words.key_of(text)] for text in shared.terms]
    everything = "\n".join([*(entry["key"] for entry in entries), *(key for _, key in terms)])
    keyed = [[words.key_of(word).split("\n") for word in group] for group in words.groups]
    known = [
        sorted({line for lines in group for line in lines})
        for group in keyed
        if any(line in everything for lines in group for line in lines)
    ]
    return {"terms": terms, "lists": [json.loads(told) for told in shared.lists], "synonyms": known, "pages": entries}


def _entry(page: Page, compiled: CompiledPage, text: str, shared: _Shared, words: SearchWords) -> dict[str, Any]:
    told = compiled.labels
    defined = _TERM.findall(page.manual)
    filters = [
        {**{name: one[name] for name in ("name", "period")}, "options": shared.options(one["options"])}
        for one in told["filters"]
    ]
    charts = [
        {
            **{name: one[name] for name in ("id", "title", "kind", "filters")},
            "key": words.key_of(one["title"]),
            "labels": [shared.term(label) for label in one["labels"]],
        }
        for one in told["charts"]
    ]
    key = "\n".join([text, words.key_of(page.title, *page.meta.contents, *page.meta.keywords, *defined)])
    return {"slug": page.slug, "title": page.title, "key": key, "filters": filters, "charts": charts}


def _glossary(glossary: Sequence[GlossaryTerm], words: SearchWords) -> dict[str, Any]:
    charts = [
        {"id": place_of(glossary, term), "title": f"用語：{term.name}", "kind": "Term", "filters": [], "labels": [],
         "key": words.key_of(term.name, *term.also)}
        for term in glossary
    ]  # fmt: skip
    return {"slug": GLOSSARY, "title": TITLE, "key": words.key_of(TITLE), "filters": [], "charts": charts}


def write_index(index: Mapping[str, Any], out: Path) -> None:
    """Write ``search.json``."""
    (out / INDEX).write_text(json.dumps(index, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
