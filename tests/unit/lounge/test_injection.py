"""Text of data, front matter and manuals stays text: no element, link, attribute, Markdown or template comes of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import polars as pl
import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.release import assemble

EVIL = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"onmouseover="alert(4)',
    "'><svg onload=alert(5)>",
    "[押す](javascript:alert(6))",
    "![絵](https://example.invalid/x.png)",
    "<https://example.invalid/>",
    "**太字** `code` _斜体_",
    "{{ config.site_dir }}{% include '/etc/passwd' %}",
    "<!-- comment -->",
    "&lt;b&gt;&#60;",
    "| a | b |",
    "{: .klass onclick=alert(7) }",
    "[ref]: javascript:alert(8)",
    "\\u003cscript\\u003e",
)
BODY = """
```sql people
SELECT period, area, area_label AS 名称, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area <> '28100' ORDER BY period, area_sort
```

```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql one
SELECT max(area_label) AS 名前 FROM population_ward WHERE area = '28101'
```

<Filters>
<Dropdown name=area data={areas} value=area label=label title="区"/>
<Dropdown name=名称 data={people} value=名称 label=名称 title="名称" look=buttons/>
</Filters>

文中の値は {one.名前} です。

<Grid>
<LineChart data={people} x=period y=人口 series=名称 title="推移"/>
<DataTable data={people} columns="period 名称 人口" filter=area title="一覧"/>
</Grid>

<Tabs>
<Tab title="一">
<BarChart data={people} x=名称 y=人口 series=period title="比較"/>
</Tab>
</Tabs>
"""


class Elements(HTMLParser):
    """Every element with its attributes, and the text of cells and options."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th", "option"):
            self._inside = tag
            self.texts.append("")

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.texts[-1] += data


def read(html: str) -> Elements:
    parser = Elements()
    parser.feed(html)
    return parser


@pytest.fixture(scope="module")
def wards(city):
    """Ten ward labels at a time, all of them attacks."""
    _, dims, _ = city
    codes = dims["ward"]["code"].to_list()
    return [EVIL[start : start + len(codes)] for start in (0, len(EVIL) - len(codes))]


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1])
def test_labels_of_the_data_stay_text_wherever_they_are_shown(city, wards, write_page, tmp_path, part):
    frames, dims, facts = city
    labels = wards
    dims = {**dims, "ward": dims["ward"].with_columns(label=pl.Series(labels[part]))}
    made = assemble(frames, dims, facts, write_page(BODY), tmp_path / "releases")
    html = (made.path / "sites/staff/people.html").read_text("utf-8")
    seen = read(html)
    clean = assemble(*city, write_page(BODY), tmp_path / "clean")
    expected = read((clean.path / "sites/staff/people.html").read_text("utf-8"))
    assert [tag for tag, _ in seen.elements] == [tag for tag, _ in expected.elements]
    for (_, given), (_, usual) in zip(seen.elements, expected.elements, strict=True):
        assert set(given) == set(usual)
        assert not any(name.startswith("on") or name == "style" for name in given)
        assert _place(given.get("href")) == _place(usual.get("href")) and given.get("src") == usual.get("src")
    for label in labels[part][1:]:
        assert label in seen.texts


def _place(href: str | None) -> str:
    """Where a link leads; a file of figures is named by what it holds, labels among them."""
    return re.sub(r"^data/people/[0-9a-f]{16}\.json$", "data/people/", href or "")


def _titled(folder, slug: str, text: str) -> None:
    """A page whose front matter holds an attack in every text."""
    quoted = "'" + text.replace("'", "''") + "'"
    page = (folder / "pages/people.md").read_text("utf-8").replace("title: 人口の画面", f"title: {quoted}")
    page = page.replace("owner: 政策課", f"owner: {quoted}").replace("[人口]", f"[{quoted}]")
    (folder / f"pages/{slug}.md").write_text(page, "utf-8")


@pytest.mark.parametrize("text", [text for text in EVIL if "<" in text])
def test_front_matter_with_markup_is_refused(write_page, text):
    folder = write_page("")
    _titled(folder, "evil", text)
    with pytest.raises(LoungeError) as caught:
        load_pages(folder)
    assert caught.value.code == "page.front_matter"


@pytest.mark.slow
def test_other_front_matter_stays_text(city, write_page, tmp_path):
    folder = write_page(BODY)
    texts = [text for text in EVIL if "<" not in text]
    for number, text in enumerate(texts):
        _titled(folder, f"evil_{number}", text)
    made = assemble(*city, folder, tmp_path / "releases")
    for path in (made.path / "sites/staff").glob("*.html"):
        seen = read(path.read_text("utf-8"))
        assert not any(name.startswith("on") for _, given in seen.elements for name in given)
        assert not any("javascript" in (given.get("href") or "") for _, given in seen.elements)
        assert "img" not in {tag for tag, _ in seen.elements}
    assert set(texts) <= set(_titles(made))


def _titles(made) -> list[str]:
    import json

    return [one["title"] for one in json.loads((made.path / "sites/staff/catalogue.json").read_text("utf-8"))]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x.md", "sub/../../pages/index.md", "\0"])
def test_a_manual_outside_its_folder_is_refused(write_page, name):
    folder = write_page("")
    path = folder / "pages/people.md"
    quoted = name.replace("\\", "\\\\").replace("\0", "\\0")
    path.write_text(path.read_text("utf-8").replace("manual: manual.md", f'manual: "{quoted}"'), "utf-8")
    with pytest.raises(LoungeError) as caught:
        load_pages(folder)
    assert (caught.value.code, caught.value.at["key"]) == ("page.front_matter", "manual")


@pytest.mark.parametrize("name", ["../../etc", "x/../y", "query__x", "Ä", "a b", "a;b", 'a"b', ""])
def test_a_fence_with_a_path_or_sign_in_its_name_is_refused(write_page, name):
    folder = write_page(f"\n```sql {name}\nSELECT 1 AS a\n```\n\n```sql b\nSELECT * FROM dim_ward\n```\n")
    if name == "query__x":
        assert load_pages(folder)["people"].queries[0].tables == ()
        return
    with pytest.raises(LoungeError) as caught:
        load_pages(folder)
    assert caught.value.code == "query.name"


@pytest.mark.parametrize("text", [e for e in EVIL if e.startswith("<") or "](" in e or "[ref]" in e])
def test_html_and_links_that_leave_are_refused_in_a_body_and_a_manual(write_page, text):
    folder = write_page(f"\n{text}\n")
    if text.startswith("<!--"):
        assert "comment" not in str(load_pages(folder)["people"].nodes)
        return
    with pytest.raises(LoungeError):
        load_pages(folder)
    folder = write_page("")
    (folder / "manuals/manual.md").write_text(text, "utf-8")
    with pytest.raises(LoungeError):
        load_pages(folder)
