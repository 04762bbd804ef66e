"""No byte that all staff are served names a restricted page: built, searched in every form, and asked for by hand."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest

from kobe_platform.lounge.release import assemble, current
from tests.lounge_tables import published
from tests.secrecy.canaries import Search
from tests.serving import fetch, serving

PROJECT = Path(__file__).resolve().parents[2]
TOLD = {
    "slug": "zz_restricted_page",
    "title": "極秘検討資料集",
    "contents": "非公開の内訳表",
    "keyword": "内々検索語",
    "owner": "秘書室特命班",
    "application": "R7-9907755",
    "manual file": "zz_restricted_manual",
    "manual": "限定手引書の本文",
    "heading": "庁議前の見出し",
    "query": "zz_secret_query",
    "result": "問合せ結果の標識",
    "chart": "未公開の推移図",
    "filter": "zz_hidden_filter",
}
PAGE = """---
title: {title}
contents: [{contents}]
category: 人口
audience: {audience}
owner: {owner}
application: {application}
manual: {manual file}.md
keywords: [{keyword}]
published: 2026-01-09
---

```sql {query}
SELECT period, area, '{result}' || area_label AS 名称, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' ORDER BY period
```

<Filters>
<Dropdown name={filter} data={{{query}}} value=area label=名称 title="{chart}"/>
</Filters>

## {heading}

<DataTable data={{{query}}} columns="period 名称 人口" title="{chart}"/>
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A site for all staff and one for a section that sees one page more."""
    root = tmp_path_factory.mktemp("audiences")
    return root, _build(root, "policy")


def _build(root: Path, audience: str):
    import shutil

    dashboards = root / "dashboards"
    shutil.rmtree(dashboards, ignore_errors=True)
    shutil.copytree(PROJECT / "dashboards", dashboards, ignore=shutil.ignore_patterns("node_modules", "src"))
    for path in (dashboards / "pages").glob("*.md"):
        if path.stem not in ("index", "ward_population"):
            path.unlink()
    # A page that all staff see names the restricted one as related: the link must not reach them.
    for path in (dashboards / "pages").glob("*.md"):
        path.write_text(re.sub(r"^related:.*$", f"related: [{TOLD['slug']}]", path.read_text("utf-8"), flags=re.M))
    text = PAGE.format(**TOLD, audience=audience).replace("name=zz_hidden_filter data", "name=area data")
    (dashboards / "pages" / f"{TOLD['slug']}.md").write_text(text, encoding="utf-8")
    (dashboards / "manuals" / f"{TOLD['manual file']}.md").write_text(TOLD["manual"], encoding="utf-8")
    return assemble(*published(), dashboards, root / "releases")


def needles() -> Search:
    """Every word of the page in every encoding, and as HTML and addresses spell it."""
    search = Search((name, text) for name, text in TOLD.items() if name != "filter")
    for name, text in TOLD.items():
        spelt = (
            quote(text),
            quote(text).lower(),
            "".join(f"&#{ord(sign)};" for sign in text),
            "".join(f"&#x{ord(sign):x};" for sign in text),
            escape(text),
        )
        search.needles += [(name, "spelt", form.encode()) for form in spelt if name != "filter"]
    return search


def test_no_file_of_the_staff_site_names_a_restricted_page(release):
    _, made = release
    assert made.sites["policy"] == [*made.sites["staff"], TOLD["slug"]]
    assert needles().tree(made.path / "sites/staff") == []


def test_the_search_would_find_the_page(release):
    """Every word is found in the site that may hold it, so that silence above means something."""
    _, made = release
    found = {finding.column for finding in needles().tree(made.path / "sites/policy")}
    # Names of queries and of manuals' files are not shown to anybody.
    assert found == set(TOLD) - {"filter", "query", "manual file"}


def test_no_slice_of_the_page_lies_in_the_staff_site_under_any_name(release):
    _, made = release
    site = made.path / "sites"
    own = {path.read_bytes() for path in (site / "policy/data" / TOLD["slug"]).iterdir()}
    assert own
    assert not any(path.read_bytes() in own for path in (site / "staff").rglob("*") if path.is_file())


def test_nothing_that_the_server_hands_to_staff_names_it(release):
    root, made = release
    search, site = needles(), made.path / "sites/staff"
    names = [str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()]
    guesses = [
        *(f"{TOLD['slug']}.html", f"data/{TOLD['slug']}/", f"../policy/{TOLD['slug']}.html", "../../release.json"),
        *("sitemap.xml", "search/search_index.json", "tags.json", "404.html", "release.json", "tables/tables.json"),
        *("%2e%2e/policy/index.html", f"{quote(TOLD['title'])}.html", "catalogue.json.gz", "..%2fpolicy%2findex.html"),
    ]
    with serving(root / "releases", "staff") as port:
        for name in [*names, *guesses]:
            answer = fetch(port, f"/{quote(name, safe='/%.')}")
            assert (answer.status == 200) == (name in names), name
            assert search.data(f"{answer.headers}{answer.text}".encode(), name) == []


def test_a_page_that_becomes_restricted_leaves_the_staff_site(tmp_path):
    _build(tmp_path, "staff")
    assert needles().tree(current(tmp_path / "releases").path / "sites/staff") != []
    _build(tmp_path, "policy")
    assert needles().tree(current(tmp_path / "releases").path / "sites/staff") == []
