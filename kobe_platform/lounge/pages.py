"""Reads the files of dashboard pages: front matter, SQL fences and a body of Markdown with component tags.

A page is checked here as far as that is possible without figures; queries are compiled in :mod:`compile`. Every fault
has its file and line. The command that shows a page while it is written collects faults instead of stopping at one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kobe_platform.errors import Coordinate, LoungeError
from kobe_platform.lounge.audiences import load_audiences
from kobe_platform.lounge.components import holders
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.queries import Query, as_run, parse_query
from kobe_platform.lounge.tags import Body, Node, Text
from kobe_platform.statistics.select.syntax import parse_ahead
from kobe_platform.vocabulary.municipality import localized
from kobe_platform.vocabulary.nearest import did_you_mean

PORTAL = "index"
MANUALS = "manuals"
CATEGORIES = ("人口", "経済", "子育て・教育", "都市政策", "安心・安全", "健康・福祉", "多様性", "その他")
"""The categories that the city's portal counts by (domain.md §1, row 10)."""
USAGES = ("地域の特徴", "他都市比較")

Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=r"^[^<>\x00-\x1f]+$")
]


class FrontMatter(BaseModel):
    """The keys of a page's front matter; text may hold no ``<`` or ``>``.

    Attributes:
        title: name in the catalogue.
        contents: what it shows, as the catalogue lists it.
        category: where the catalogue files it: 人口, 経済, 子育て・教育, 都市政策, 安心・安全, 健康・福祉, 多様性 or
            その他.
        usage: further lists of the catalogue that it is in: 地域の特徴, 他都市比較.
        audience: a name of ``audiences.toml``; no default, so nothing is shown by oversight.
        owner: section that answers for the page.
        application: number of the data-use application (データ利用申請書); empty for public data.
        manual: Markdown file under ``manuals/``.
        published: day on which the page first appeared (新着).
        updated_from: tables it is updated from; optional, and checked against the queries where given.
        needs: tables without whose figures the page stays out of releases, though it reads others that have some.
        keywords: further words that the catalogue finds it by.
        source: where the figures come from, in a word or two (出典).
        units: units of figures beside those of ``units.toml``.
        related: slugs of pages that it links to; the reader's choices of filters are kept.
        order: place in lists, smaller first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Words
    contents: tuple[Words, ...] = Field(min_length=1)
    category: Words
    usage: tuple[Words, ...] = ()
    audience: Words
    owner: Words
    application: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^<>\x00-\x1f]*$")] = ""
    manual: Words
    published: date | None = None
    updated_from: tuple[Words, ...] | None = None
    needs: tuple[Words, ...] = ()
    keywords: tuple[Words, ...] = ()
    source: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^<>\x00-\x1f]*$")] = ""
    units: tuple[Annotated[str, StringConstraints(pattern=r"^[^\s\d.±+:<>&\"'{}]{1,12}$")], ...] = ()
    related: tuple[Words, ...] = ()
    order: int = 100


@dataclass(frozen=True)
class Page:
    """A page as its author wrote it, checked as far as possible without figures.

    Attributes:
        slug: file name without suffix; its address in the site.
        nodes: the body (:mod:`kobe_platform.lounge.tags`).
        queries: fences in order.
        manual: Markdown of the manual.
        body: the file's text below the front matter.
        broken: names of the fences that were refused, where faults are collected.
    """

    slug: str
    path: Path
    meta: FrontMatter
    nodes: tuple[Node, ...]
    queries: tuple[Query, ...]
    manual: str
    body: str = ""
    broken: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name in the catalogue."""
        return self.meta.title

    @property
    def file(self) -> str:
        """File name for coordinates."""
        return self.path.name

    @property
    def tables(self) -> tuple[str, ...]:
        """Published tables that the queries read, hierarchies left out."""
        return tuple(sorted({t for q in self.queries for t in q.tables if not t.startswith("dim_")}))

    @property
    def boundaries(self) -> Path:
        """Folder of the shapes that its maps draw."""
        return self.path.parent.parent / "boundaries"

    def error(self, code: str, message: str, remedy: str, line: int) -> LoungeError:
        """An error at a line of this page."""
        return LoungeError(message, code=f"page.{code}", at={"file": self.file, "line": line}, remedy=remedy)


_FRONT = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_FENCE = re.compile(r"^```sql[ \t]*(?P<name>[^\n]*)\n(?P<sql>(?:(?!```)[^\n]*\n)*?)```[ \t]*$", re.MULTILINE)
_UNCLOSED = re.compile(r"^```sql[ \t]*(?P<name>[^\n]*)(?:\n(?!```|<|#)[^\n]*)*", re.MULTILINE)
_SLUG = re.compile(r"^[a-z][a-z0-9_]*$")


def load_pages(dashboards: Path) -> dict[str, Page]:
    """Every page of ``dashboards/pages`` by slug: the portal first, then by ``order`` and title.

    Raises:
        LoungeError: with file, line and what to do: front matter, fence, tag or manual is not as it must be.
        ConfigurationError: ``audiences.toml`` is not as it must be.
    """
    audiences = load_audiences(dashboards)
    paths = sorted((dashboards / "pages").glob("*.md"))
    parse_ahead(sql for path in paths for sql in _asked(path))
    return arrange([load_page(path, dashboards, audiences) for path in paths])


def _asked(path: Path) -> Iterator[str]:
    """What the fences of a page ask, as it is parsed; nothing of a page that cannot be read."""
    with suppress(LoungeError):
        yield from (as_run(match["sql"]) for match in _FENCE.finditer(read_page(path)))


def readable_pages(dashboards: Path) -> dict[str, Page]:
    """The pages that can be read, in order: what somebody writes just now keeps nobody from the others.

    Raises:
        ConfigurationError: ``audiences.toml`` is not as it must be.
    """
    audiences = load_audiences(dashboards)
    found = []
    for path in sorted((dashboards / "pages").glob("*.md")):
        with suppress(LoungeError):
            found.append(load_page(path, dashboards, audiences))
    return {page.slug: page for page in sorted(found, key=_place)}


def arrange(pages: list[Page]) -> dict[str, Page]:
    """Pages in the order of lists, by slug.

    Raises:
        LoungeError: pages do not fit together (two share a title).
    """
    pages = sorted(pages, key=_place)
    for error in misfits(pages, [page.slug for page in pages]):
        raise error
    return {page.slug: page for page in pages}


def misfits(pages: Iterable[Page], slugs: Collection[str]) -> Iterator[LoungeError]:
    """What does not fit together: titles that two pages share, and related pages that are not there.

    Args:
        slugs: of all pages of the folder, those that cannot be read included.
    """
    titles: dict[str, str] = {}
    for page in pages:
        if page.title in titles:
            remedy = f"{titles[page.title]} has the same title; change one"
            yield page.error("title", "two pages share a title", remedy, line_of_key(page, "title"))
        titles.setdefault(page.title, page.file)
        strange = [slug for slug in page.meta.related if slug not in slugs]
        if strange:
            remedy = did_you_mean(strange[0], slugs)
            yield _front_error(page.file, line_of_key(page, "related"), "related", remedy)


def _place(page: Page) -> tuple[bool, int, str]:
    return page.slug != PORTAL, page.meta.order, page.title


def load_page(
    path: Path, dashboards: Path, audiences: Mapping[str, object] | None = None, faults: Faults | None = None
) -> Page:
    """One page; see :func:`load_pages`.

    Args:
        faults: collects all faults instead of raising the first; the page then has what could be read.

    Raises:
        LoungeError: the file is not a page, or (without ``faults``) it has a fault.
    """
    faults = faults or Faults()
    audiences = load_audiences(dashboards) if audiences is None else audiences
    text = read_page(path)
    match = _FRONT.match(text)
    if not match or not _SLUG.match(path.stem):
        remedy = "name the file like ward_population.md and begin it with --- front matter ---"
        raise LoungeError("not a page", code="page.front_matter", at={"file": path.name, "line": 1}, remedy=remedy)
    meta, wrong = _front_matter(path.name, match[1], faults)
    if "audience" not in wrong and meta.audience not in audiences:
        line = _line_of(match[1], "audience")
        faults.add(_front_error(path.name, line, "audience", did_you_mean(str(meta.audience), audiences)))
    body, queries, broken = _fences(path.name, text, match.end(), faults)
    nodes = Body(path.name, holders(), faults).parse(body)
    manual = "" if "manual" in wrong else _manual(path.name, match[1], meta.manual, dashboards, faults)
    page = Page(path.stem, path, meta, nodes, queries, manual, text[match.end() :], broken)
    if meta.updated_from is not None and not broken and set(meta.updated_from) != set(page.tables):
        remedy = f"the queries read: {', '.join(page.tables)}"
        faults.add(_front_error(path.name, _line_of(match[1], "updated_from"), "updated_from", remedy))
    strange = [] if broken else [name for name in meta.needs if name not in page.tables]
    if strange:
        remedy = did_you_mean(strange[0], page.tables)
        faults.add(_front_error(path.name, _line_of(match[1], "needs"), "needs", remedy))
    return page


def file_told(path: Path) -> str:
    """What faults call a page's file or, with its folder, a manual's: both may have one name."""
    return f"{MANUALS}/{path.name}" if path.parent.name == MANUALS else path.name


def read_page(path: Path) -> str:
    """The text of a page or a manual for this municipality; any byte order mark left out, lines ended by one sign.

    Raises:
        LoungeError: ``page.encoding`` where the file is not UTF-8 (coordinates: file, line of the first such byte).
    """
    told = path.read_bytes()
    try:
        return localized(told.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n"))
    except UnicodeDecodeError as error:
        line = told.count(b"\n", 0, error.start) + 1
        at: dict[str, Coordinate] = {"file": file_told(path), "line": line}
        remedy = "save it in the editor as UTF-8"
        raise LoungeError("the file is not UTF-8", code="page.encoding", at=at, remedy=remedy) from None


def _front_matter(file: str, text: str, faults: Faults) -> tuple[FrontMatter, frozenset[str]]:
    """The front matter, and the keys that are wrong or missing: where faults are collected, stand-ins take their place.

    Every fault has one cause, so what follows from a stand-in is not reported again.
    """
    values = _mapping(file, text, faults)
    wrong = {str(key): "is given twice" for key in _twice(text)} if values else {}
    try:
        meta = FrontMatter(**{str(key): value for key, value in values.items()})
    except ValidationError as error:
        for one in sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden"):
            key = str(one["loc"][0])
            told = _nearest_key(key) if one["type"] == "extra_forbidden" else one["msg"]
            wrong.setdefault(key, told)
        kept = {key: value for key, value in values.items() if key in FrontMatter.model_fields and key not in wrong}
        meta = FrontMatter(**{**_STAND_IN, **kept})
    if "category" not in wrong and meta.category not in CATEGORIES:
        wrong["category"] = did_you_mean(meta.category, CATEGORIES)
    for usage in meta.usage:
        if usage not in USAGES:
            wrong["usage"] = did_you_mean(usage, USAGES)
    misspelt = [told for key, told in wrong.items() if key not in FrontMatter.model_fields]
    for key, told in wrong.items() if values else ():
        if told != _MISSING or not any(f"mean {key}?" in hint for hint in misspelt):
            faults.add(_front_error(file, _line_of(text, key), key, told))
    return meta, frozenset(wrong)


def _nearest_key(key: str) -> str:
    """The key that a misspelt one is nearest to, however its letters are written."""
    return did_you_mean(unicodedata.normalize("NFKC", key).strip(" -").lower(), FrontMatter.model_fields)


_MISSING = "Field required"
_STAND_IN = {"title": "…", "contents": ("…",), "category": "…", "audience": "…", "owner": "…", "manual": "…"}


def _mapping(file: str, text: str, faults: Faults) -> dict:
    """Keys and values as YAML gives them, days as text; empty, with a fault, where the text is no list of keys."""
    import yaml

    class Plain(yaml.SafeLoader):
        """A YAML loader that leaves days as text, so that one that does not exist is a fault of its key alone."""

    Plain.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    line = 2
    try:
        values = yaml.load(text, Plain)
    except yaml.MarkedYAMLError as error:
        line, values = 2 + (error.problem_mark.line if error.problem_mark else 0), None
    except (yaml.YAMLError, ValueError, RecursionError):
        values = None
    if isinstance(values, dict):
        return values
    faults.add(_front_error(file, line, "syntax", "write key: value lines"))
    return {}


def _twice(text: str) -> list[str]:
    """Keys of the front matter's top level that occur more than once; YAML would take the last one silently."""
    keys = re.findall(r"^([A-Za-z_]\w*)\s*:", text, re.MULTILINE)
    return sorted({key for key in keys if keys.count(key) > 1})


def _front_error(file: str, line: int, key: str, remedy: str) -> LoungeError:
    at: dict[str, Coordinate] = {"file": file, "line": line, "key": key}
    return LoungeError(f"front matter: {key} is not as it must be", code="page.front_matter", at=at, remedy=remedy)


def _line_of(front: str, key: str) -> int:
    """Line of the file on which a front-matter key stands (1, the opening dashes, where it is missing)."""
    found = re.search(rf"^{re.escape(key)}\s*:", front, re.MULTILINE)
    return 2 + front.count("\n", 0, found.start()) if found else 1


def line_of_key(page: Page, key: str) -> int:
    """Line of a page's file on which a key of its front matter stands; 1 where it is missing."""
    match = _FRONT.match(read_page(page.path))
    return _line_of(match[1], key) if match else 1


def _fences(file: str, text: str, start: int, faults: Faults) -> tuple[str, tuple[Query, ...], tuple[str, ...]]:
    """The body with blank lines for front matter and fences, the queries, and the names of refused queries."""
    queries: list[Query] = []
    broken: list[str] = []
    pieces = ["\n" * text.count("\n", 0, start)]
    position = start
    names = [match["name"].strip() for match in _FENCE.finditer(text, start)]
    for number, match in enumerate(_FENCE.finditer(text, start)):
        line = text.count("\n", 0, match.start()) + 2
        try:
            query = parse_query(names[number], match["sql"], file, line, names[:number], names[number + 1 :])
            queries.append(query)
        except LoungeError as error:
            faults.add(error)
            broken.append(names[number])
        pieces += [text[position : match.start()], "\n" * match[0].count("\n")]
        position = match.end()
    body = "".join([*pieces, text[position:]])
    for match in _UNCLOSED.finditer(body):
        at: dict[str, Coordinate] = {"file": file, "line": body.count("\n", 0, match.start()) + 1}
        remedy = "end it with ``` on its own line"
        faults.add(LoungeError("a fence is never closed", code="page.fence", at=at, remedy=remedy))
        broken.append(match["name"].strip())
    return _UNCLOSED.sub(lambda match: "\n" * match[0].count("\n"), body), tuple(queries), tuple(broken)


def _manual(file: str, front: str, name: str | None, dashboards: Path, faults: Faults) -> str:
    """The manual's text; it must lie in ``manuals/`` and may hold Markdown only."""
    if name is None:
        return ""
    folder = dashboards / MANUALS
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        manuals = (manual.name for manual in folder.glob("*.md"))
        remedy = did_you_mean(name, manuals, "write a Markdown file under manuals/ and name it")
        faults.add(_front_error(file, _line_of(front, "manual"), "manual", remedy))
        return ""
    try:
        text = read_page(path)
    except LoungeError as error:
        faults.add(error)
        return ""
    nodes = Body(file_told(path), {}, faults).parse(text)
    return "".join(node.text for node in nodes if isinstance(node, Text))
