"""A small dashboards folder and published tables to work on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kobe_platform.lounge.tables import write_tables
from tests.lounge_tables import published

PROJECT = Path(__file__).resolve().parents[3]

FRONT = """---
title: {title}
contents: [人口]
category: 人口
usage: [地域の特徴]
audience: {audience}
owner: 政策課
application: R7-1
manual: manual.md
---
"""


@pytest.fixture(scope="session")
def city():
    """Tables, hierarchies and facts of a made-up city."""
    return published()


@pytest.fixture(scope="session")
def tables(city, tmp_path_factory) -> Path:
    """The city's tables as a release holds them."""
    frames, dims, facts = city
    directory = tmp_path_factory.mktemp("published") / "tables"
    write_tables(directory, frames, dims, facts["tables"])
    return directory


@pytest.fixture
def dashboards(tmp_path) -> Path:
    """A dashboards folder with the project's theme, a built front end, one portal page and one manual."""
    root = tmp_path / "dashboards"
    for folder in ("pages", "manuals", "theme/built"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(PROJECT / "dashboards/theme/overrides", root / "theme/overrides")
    shutil.copy(PROJECT / "dashboards/mkdocs.yml", root)
    names = '{"lounge.js": "lounge-AAAAAAAA.js", "lounge.css": "lounge-AAAAAAAA.css", "icon.svg": "icon-aaaaaaaa.svg"}'
    (root / "theme/built/manifest.json").write_text(names)
    for name in ("lounge-AAAAAAAA.js", "lounge-AAAAAAAA.css", "icon-aaaaaaaa.svg"):
        (root / "theme/built" / name).write_text("")
    (root / "audiences.toml").write_text(
        '[staff]\nlabel = "全職員"\n[policy]\nlabel = "政策課"\nincludes = ["staff"]\n'
    )
    (root / "manuals/manual.md").write_text("- **人口**: 月末の数です。\n")
    (root / "pages/index.md").write_text(
        FRONT.format(title="ポータル", audience="staff") + "\n# 入口\n\n<Catalogue/>\n"
    )
    return root


@pytest.fixture
def write_page(dashboards):
    """Write a page below a correct front matter; returns the folder. The body begins on line 11."""

    def write(body: str, slug: str = "people", title: str = "人口の画面", audience: str = "staff") -> Path:
        text = FRONT.format(title=title, audience=audience) + body
        (dashboards / "pages" / f"{slug}.md").write_text(text, encoding="utf-8")
        return dashboards

    return write
