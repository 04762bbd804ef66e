"""Takes finished figures past the Markdown library: it would read every tag of tables that it hands on as they are.

A page over twelve years holds its figures' tables for readers without JavaScript; taking them apart tag by tag was most
of a site's rendering. What stands in the pages is the same.
"""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

_FINISHED = re.compile(r"(<(figure|script)\b[^>]*>)(.+)(</\2>)")
"""A component's HTML as the composition writes it: one line, from its opening tag to its end."""
_FILTER = re.compile(r'<(?:div|fieldset) class="lounge-filter ')
_CHOICES = re.compile(r"<(option|optgroup|label)\b(?! for=).+?</\1>(?=</(?:select|div)>)")
"""The choices of a filter, a hundred and more, within its line."""


class FinishedHtml(Extension):
    """Extension: insides of figures and scripts and choices of filters are laid aside before blocks of HTML are read.

    The outer tags stay, so that MkDocs knows the anchors of figures.
    """

    def extendMarkdown(self, md: Markdown) -> None:  # the library's name
        """Register the step before MkDocs' own look at raw HTML (21) and the reading of blocks (20)."""
        md.preprocessors.register(_LayAside(md), "lounge_finished", 25)


class _LayAside(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        """Lines with the inside of each finished figure in the library's own store, which puts it back at the end."""
        return [self._laid_aside(line) for line in lines]

    def _laid_aside(self, line: str) -> str:
        if found := _FINISHED.fullmatch(line):
            return f"{found[1]}{self.md.htmlStash.store(found[3])}{found[4]}"
        if _FILTER.match(line):
            return _CHOICES.sub(lambda found: self.md.htmlStash.store(found[0]), line)
        return line
