"""Writes a page to start from: front matter, a query, a filter, a chart and a manual with its headings."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.doubts import DRAFT
from kobe_platform.lounge.pages import PORTAL

GALLERY = Path(__file__).with_name("gallery.md")
"""Body of a page that shows every component over published tables."""
_SLUG = re.compile(r"^[a-z][a-z0-9_]{0,59}$")
_LISTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
_KANA = dict(zip(_LISTS["kana"]["signs"], _LISTS["kana"]["read"].split(), strict=True))
_SMALL = {"ャ": "ya", "ュ": "yu", "ョ": "yo", "ァ": "a", "ィ": "i", "ゥ": "u", "ェ": "e", "ォ": "o"}

_PAGE = """---
title: {title}
contents: {contents}
category: 人口
usage: []
audience: staff
owner: {owner}
application: {application}
manual: {slug}.md
published: {today}
keywords: []
order: 100
---

{body}"""
_BEGINNING = """```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql people
SELECT period, area, value AS 人口, status FROM estimated_population
WHERE series = 'population' ORDER BY period
```

<Filters>
<Dropdown name=area data={areas} value=area label=label title="区" look=buttons/>
</Filters>

## 人口

<LineChart data={people} x=period y=人口 filter=area title="人口の推移" fmt=人/>
"""


def slug_of(title: str) -> str:
    """A file name for a title: its known words in English, kana in Latin letters, letters and digits; ``page`` else.

    ``区別の世帯`` → ``ward_households``, ``バス路線`` → ``basu``.
    """
    words = _LISTS["words"]
    known = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    wide = unicodedata.normalize("NFKC", title).lower()
    found = [
        words.get(part) or (part if part.isascii() else _latin(part))
        for part in re.findall(rf"{known}|[a-z0-9]+|[ァ-ヴー]+", wide)
    ]
    slug = re.sub(r"^[^a-z]+", "", "_".join(part for part in dict.fromkeys(found) if part))[:50].strip("_")
    return slug or "page"


def _latin(kana: str) -> str:
    text = ""
    for sign in kana:
        small = _SMALL.get(sign)
        if small and text.endswith("i"):
            text = text[:-1] + (small[1:] if text.endswith(("shi", "chi", "ji")) else small)
        elif small:
            text += small
        else:
            text += _KANA.get(sign, "")
    return text


def write_new(
    dashboards: Path,
    title: str,
    slug: str = "",
    *,
    owner: str,
    application: str,
    today: date,
    gallery: bool = False,
    body: str = "",
    contents: Sequence[str] = ("人口の推移",),
    manual: str = DRAFT,
) -> list[Path]:
    """Write ``pages/SLUG.md`` and ``manuals/SLUG.md``; both pass every check as they are.

    Args:
        slug: file name; made from the title (and made unique) where empty.
        gallery: begin with a sample of every component instead of one filter and one chart.
        body: begin with this instead; contents: what the catalogue says of it; manual: its text, a draft by default.

    Returns:
        The two files.

    Raises:
        ConfigurationError: the slug is in use or no file name for a page.
    """
    pages, manuals = dashboards / "pages", dashboards / "manuals"
    taken = {path.stem for folder in (pages, manuals) for path in folder.glob("*.md")} | {PORTAL}
    if not slug:
        stem = slug_of(title)
        slug = next(name for n in range(1, 1000) if (name := stem if n == 1 else f"{stem}_{n}") not in taken)
    if not _SLUG.match(slug) or slug in taken:
        raise ConfigurationError(
            "a page cannot have this file name",
            code="page.slug",
            at={"slug": slug},
            remedy="take another --slug: small letters, digits and _, not in use",
            ja="このファイル名は使えません。小文字の英数字と「_」で、まだ使っていない名前にしてください",
        )
    page, beside = pages / f"{slug}.md", manuals / f"{slug}.md"
    given = {"title": title, "owner": owner, "application": application, "contents": list(contents)}
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in given.items()}
    body = body or (GALLERY.read_text(encoding="utf-8") if gallery else _BEGINNING)
    page.write_text(_PAGE.format(**quoted, slug=slug, today=today.isoformat(), body=body), encoding="utf-8")
    beside.write_text(manual, encoding="utf-8")
    return [page, beside]
