"""Has MkDocs take from a theme what the lounge's pages use: its templates, and files of the custom folder alone.

Of Material's 14,000 files a site keeps none. To list and copy them, and to compile its templates again for each site,
took as long as the rendering of the pages themselves.
"""

from __future__ import annotations

from types import CodeType

import jinja2
from jinja2.bccache import Bucket, BytecodeCache
from mkdocs.config.defaults import MkDocsConfig


class _OwnFiles(jinja2.FileSystemLoader):
    """Finds the templates of all folders, and lists the files of some."""

    def __init__(self, folders: list[str], listed: list[str]) -> None:
        super().__init__(folders)
        self._listed = listed

    def list_templates(self) -> list[str]:
        """The files that MkDocs copies into the site."""
        return jinja2.FileSystemLoader(self._listed).list_templates()


class _Kept(BytecodeCache):
    """Compiled templates of this process by their name and text."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled from the same text."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


_KEPT = _Kept()


def use_templates_alone(config: MkDocsConfig) -> None:
    """Leave out the theme's own files and its pages beside those of the navigation (404, map of the site)."""
    theme = config.theme
    make = theme.get_env

    def environment() -> jinja2.Environment:
        env = make()
        env.loader = _OwnFiles(theme.dirs, [theme.custom_dir] if theme.custom_dir else [])
        env.bytecode_cache = _KEPT
        return env

    theme.get_env = environment  # type: ignore[method-assign]
    theme.static_templates.clear()
