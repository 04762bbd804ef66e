"""Links of pages and their manuals: each must lead to a page, a place in one, or a file that the site has.

What counts as a link is decided by the Markdown library that renders the pages, with the same extensions, so code and
escaped brackets are none. A page that a reader may not see is no fault of the page that links to it: in that audience's
site the link is its text alone: neither the page's name nor its title stands there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.extensions.toc import TocExtension, slugify_unicode
from markdown.treeprocessors import Treeprocessor

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.glossary import GLOSSARY
from kobe_platform.lounge.headers import manual_html
from kobe_platform.lounge.notices import OF_THE_PORTAL
from kobe_platform.lounge.pages import MANUALS, PORTAL, Page
from kobe_platform.lounge.tags import LINK, Node, Text, Value
from kobe_platform.vocabulary.nearest import did_you_mean

OWN_PLACES = frozenset({"top", "content", "manual"})
"""Anchors that every page has."""
PORTAL_PLACES = frozenset({"news", "defects"})
"""Anchors of the portal's own lists."""
_CHART = re.compile(r"c\d+")
_SUFFIXES = (".html", ".md")


def renderer() -> Markdown:
    """The Markdown library with the extensions that ``mkdocs.yml`` names."""
    return Markdown(extensions=["attr_list", "md_in_html", "tables", TocExtension(slugify=slugify_unicode)])


def check_links(pages: Mapping[str, Page]) -> list[LoungeError]:
    """What is wrong with the links of pages and manuals, each fault with file, line and the nearest name that there is.

    Args:
        pages: every page of the folder by slug, whoever may see it.
    """
    found: dict[tuple[str, int, str], LoungeError] = {}
    read = {slug: PageLinks(page) for slug, page in pages.items()}
    for slug, page in pages.items():
        for target in read[slug].targets:
            fault = _fault(target, slug, read, picture=target in read[slug].pictures)
            if fault is None:
                continue
            for file, line in _lines(page, target):
                at: dict[str, str | int] = {"file": file, "line": line}
                error = LoungeError(fault[0], code="page.link", at=at, remedy=fault[1], ja=fault[2])
                found.setdefault((file, line, target), error)
    return list(found.values())


class PageLinks:
    """Targets of a page's links, in order, and its anchors."""

    def __init__(self, page: Page) -> None:
        markdown = renderer()
        collected = _Collected()
        markdown.treeprocessors.register(collected, "lounge_links", 3)  # after "toc" (5) has given headings their ids
        markdown.convert(f"{_copy(page.nodes)}\n\n{manual_html(page, (), synthetic=False)}")
        self.targets, self.pictures = collected.targets, collected.pictures
        self.places = collected.places | OWN_PLACES | (PORTAL_PLACES if page.slug == PORTAL else frozenset())

    def has(self, place: str) -> bool:
        """Whether there is an anchor of this name."""
        return place in self.places or bool(_CHART.fullmatch(place))


class _Collected(Treeprocessor):
    """A step of the Markdown library that only looks: targets and ids of the whole tree."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.pictures: set[str] = set()
        self.places: set[str] = set()

    def run(self, root: Element) -> None:
        for element in root.iter():
            target = element.get({"a": "href", "img": "src"}.get(str(element.tag), ""), "")
            self.targets += [target] if target else []
            self.pictures |= {target} if element.tag == "img" else set()
            self.places |= {element.get("id", "")} - {""}


def _copy(nodes: Collection[Node]) -> str:
    """A body without its components, as far as links and headings go."""
    parts = []
    for node in nodes:
        if isinstance(node, Text):
            parts.append(node.text)
        elif isinstance(node, Value):
            parts.append("0")
        else:
            parts.append(f"\n\n{_copy(node.children)}\n\n")
    return "".join(parts)


def _fault(target: str, slug: str, read: Mapping[str, PageLinks], *, picture: bool) -> tuple[str, str, str] | None:
    """Message, remedy and Japanese message of a link that leads nowhere; None where it leads somewhere."""
    scheme, host, path, _, anchor = urlsplit(target)
    if scheme or host or (path.startswith("/") and not path.endswith(_SUFFIXES)):
        return None  # the body's own check refuses other hosts; the portal's addresses are not the site's
    other = slug if not path else page_of(path)
    if other is None or (picture and path):
        return f"a link leads to a file that the site has not: {path}", did_you_mean(path, _files(read)), _JA["file"]
    if other not in read and other not in (*OF_THE_PORTAL, GLOSSARY):
        return f"a link leads to a page that is not there: {path}", did_you_mean(path, _files(read)), _JA["page"]
    if anchor and other in read and not read[other].has(unquote(anchor)):
        remedy = did_you_mean(unquote(anchor), sorted(read[other].places))
        return f"a link leads to a place that {other}.html has not: #{unquote(anchor)}", remedy, _JA["place"]
    return None


_JA = {
    "page": "リンク先のページがありません",
    "file": "リンク先のファイルがありません",
    "place": "リンク先の見出しがありません",
}


def page_of(path: str) -> str | None:
    """The slug that a relative path names, ``ward.html``, ``./ward.md`` or ``/ward.html``; None for other files."""
    plain = posixpath.normpath(unquote(path)).lstrip("/")
    stem, suffix = posixpath.splitext(plain)
    return stem if suffix in _SUFFIXES and "/" not in stem else None


def _files(read: Mapping[str, PageLinks]) -> list[str]:
    return [f"{slug}.html" for slug in read]


def _lines(page: Page, target: str) -> Iterator[tuple[str, int]]:
    """Where a target stands in the page's file and its manual's; the page's first line where no text has it so."""
    before = page.path.read_text("utf-8", "replace").replace("\r\n", "\n").count("\n") - page.body.count("\n")
    texts = ((page.file, page.body, before), (f"{MANUALS}/{page.meta.manual}", page.manual, 0))
    standing = [
        (file, first + text.count("\n", 0, match.start()) + 1)
        for file, text, first in texts
        for match in LINK.finditer(text)
        if unquote(match["target"] or match["reference"]) == unquote(target)
    ]
    yield from standing or [(page.file, 1)]


class AudienceLinks(Extension):
    """Lets a page link only to what its audience may see: other pages of the folder become the link's text.

    Args:
        shown: slugs of the audience's pages; links to them get MkDocs' own form, so that it checks them.
        unseen: slugs of all other pages of the folder.
    """

    def __init__(self, shown: Collection[str], unseen: Collection[str]) -> None:
        super().__init__()
        self.shown, self.unseen = frozenset(shown), frozenset(unseen)

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the step; after the attributes of authors (8), before MkDocs looks at links (0)."""
        md.treeprocessors.register(_ForAudience(self.shown, self.unseen), "lounge_audience", 4)


class _ForAudience(Treeprocessor):
    def __init__(self, shown: frozenset[str], unseen: frozenset[str]) -> None:
        super().__init__()
        self.shown, self.unseen = shown, unseen

    def run(self, root: Element) -> None:
        for element in root.iter("a"):
            scheme, host, path, query, anchor = urlsplit(element.get("href", ""))
            slug = page_of(path) if path and not scheme and not host else None
            if slug in self.unseen:
                element.tag = "span"
                element.attrib.clear()
            elif slug in self.shown and not path.startswith("/"):
                tail = (f"?{query}" if query else "") + (f"#{anchor}" if anchor else "")
                element.set("href", f"{slug}.md{tail}")
