"""Parses the body of a page into text and component tags, each with its line.

The grammar is small on purpose: ``<Name attr=word attr="text" attr={query} flag/>``, or ``<Name …> … </Name>`` for tags
that hold others, and ``{query.column}`` inline. Everything else is Markdown, except raw HTML, which only a short list
of attribute-less elements may use: a page must not be able to carry a script or call another host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kobe_platform.errors import Coordinate, LoungeError
from kobe_platform.lounge.faults import Faults
from kobe_platform.vocabulary.nearest import nearest

SAFE_HTML = frozenset({"br", "hr", "sub", "sup", "ruby", "rt", "rp", "kbd", "wbr", "small", "strong", "em", "b", "i"})

_TOKEN = re.compile(
    r"(?P<comment><!--.*?-->)"
    r"|(?P<code>(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`))"
    r"|(?P<close></(?P<close_name>[A-Za-z][\w-]*)\s*>)"
    r"|(?P<open><(?P<name>[A-Za-z][\w-]*)(?P<attributes>(?:[^<>\"'{}]|\"[^\"]*\"|'[^']*'|\{[^{}]*\})*?)(?P<end>/?)>)"
    r"|(?P<broken><[A-Za-z/!?])"
    r"|(?P<value>\{(?P<query>[a-z_]\w*)\.(?P<column>[^\W\d]\w*)(?:\s+fmt=(?P<fmt>[^{}\s]+))?\})",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"\s*(?P<name>[a-z_]+)(?:\s*=\s*(?:\"(?P<text>[^\"]*)\"|'(?P<single>[^']*)'|\{(?P<query>[^{}]*)\}|(?P<word>[^\s\"'{}=“”„＂‘’＇]+)))?"
)
LINK = re.compile(r"\]\(\s*<?\s*(?P<target>[^)\s>]+)|^ {0,3}\[[^\]]+\]:\s*<?(?P<reference>\S+)", re.MULTILINE)
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """Markdown between tags."""

    text: str
    line: int


@dataclass(frozen=True)
class Value:
    """An inline ``{query.column}``: the column's value in the query's only row."""

    query: str
    column: str
    fmt: str
    line: int


@dataclass(frozen=True)
class Tag:
    """A component; ``{query}``, ``"text"`` and ``word`` alike keep their inner text, a flag is ``""``."""

    name: str
    attributes: Mapping[str, str]
    line: int
    children: tuple[Node, ...] = field(default=())


Node = Text | Value | Tag


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Every node of a tree in reading order."""
    for node in nodes:
        yield node
        if isinstance(node, Tag):
            yield from walk(node.children)


def _is_safe(match: re.Match) -> bool:
    """Whether a token is one of the plain HTML elements, without attributes."""
    name = (match["name"] or match["close_name"] or "").lower()
    return name in SAFE_HTML and not (match["attributes"] or "").strip()


class Body:
    """Parses one page's body; ``known`` says which tags exist, and whether they hold others."""

    def __init__(self, file: str, known: Mapping[str, bool], faults: Faults | None = None) -> None:
        self._file = file
        self._known = known
        self._faults = faults or Faults()

    def parse(self, text: str, first_line: int = 1) -> tuple[Node, ...]:
        """The body as a tree.

        Args:
            text: Markdown without front matter and SQL fences (their lines blanked, so that line numbers hold).
            first_line: line of the file that ``text`` begins with.

        Raises:
            LoungeError: raw HTML, an external link, or a tag that is unknown, malformed, unclosed or closed twice.
        """
        stack: list[tuple[Tag | None, list[Node]]] = [(None, [])]  # None: the page itself, never taken off
        position = 0
        for match in _TOKEN.finditer(text):
            line = first_line + text.count("\n", 0, match.start())
            if match["code"]:
                continue
            self._text(stack[-1][1], text[position : match.start()], first_line + text.count("\n", 0, position))
            if _is_safe(match):
                stack[-1][1].append(Text(match[0], line))
            else:
                self._node(stack, match, line)
            position = match.end()
        self._text(stack[-1][1], text[position:], first_line + text.count("\n", 0, position))
        while len(stack) > 1:
            tag, children = stack.pop()
            assert tag is not None
            self._fault("unclosed", f"<{tag.name}> is never closed", tag.line, f"add </{tag.name}>")
            stack[-1][1].append(Tag(tag.name, tag.attributes, tag.line, tuple(children)))
        return tuple(stack[0][1])

    def _node(self, stack: list[tuple[Tag | None, list[Node]]], match: re.Match, line: int) -> None:
        if match["comment"]:
            return
        if match["value"]:
            stack[-1][1].append(Value(match["query"], match["column"], match["fmt"] or "", line))
            return
        if match["broken"]:
            self._fault("malformed", "a tag does not end, or holds a stray < or >", line, "write &lt; for a bare <")
            return
        name = match["name"] or match["close_name"]
        if name not in self._known:
            self._unknown(name, line)
            return
        if match["close"]:
            tag, children = stack[-1]
            if tag is None or tag.name != name:
                self._fault("nesting", f"</{name}> closes nothing that is open", line, "check the nesting")
                return
            stack.pop()
            stack[-1][1].append(Tag(tag.name, tag.attributes, tag.line, tuple(children)))
            return
        tag = Tag(name, self._attributes(name, match["attributes"], line), line)
        if match["end"] or not self._known[name]:
            stack[-1][1].append(tag)
        else:
            stack.append((tag, []))

    def _attributes(self, name: str, text: str, line: int) -> dict[str, str]:
        found: dict[str, str] = {}
        position = 0
        while text[position:].strip():
            match = _ATTRIBUTE.match(text, position)
            if not match or match.end() == position:
                self._fault("attribute", f"an attribute of <{name}> is malformed", line, 'write name="text"')
                return found
            if match["name"] in found:
                self._fault("attribute", f"<{name}> has {match['name']} twice", line, "keep one")
            values = (match["text"], match["single"], match["query"], match["word"])
            found[match["name"]] = next((v for v in values if v is not None), "").strip()
            position = match.end()
        return found

    def _text(self, nodes: list[Node], text: str, line: int) -> None:
        if not text:
            return
        for match in LINK.finditer(text):
            target = match["target"] or match["reference"]
            if _SCHEME.match(target) and not target.lower().startswith("mailto:"):
                at = line + text.count("\n", 0, match.start())
                self._fault("link", "a link leaves the site", at, "link to a page or a file of the lounge only")
        nodes.append(Text(text, line))

    def _unknown(self, name: str, line: int) -> None:
        near = nearest(name, self._known, 0.5 if name[0].isupper() else 0.8)
        if name[0].islower() and not near:
            self._fault("html", f"raw HTML <{name}> is not allowed", line, "use Markdown or a component")
            return
        remedy = f"did you mean <{near}>?" if near else f"components: {', '.join(sorted(self._known))}"
        self._fault("unknown_tag", f"there is no component <{name}>", line, remedy)

    def _fault(self, code: str, message: str, line: int, remedy: str) -> None:
        at: dict[str, Coordinate] = {"file": self._file, "line": line}
        self._faults.add(LoungeError(message, code=f"page.{code}", at=at, remedy=remedy))
