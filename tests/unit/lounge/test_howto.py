"""The how-to of the documents works at first try: their statistic, their page, their commands."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.lounge.workshop.commands import pages_app
from kobe_platform.settings import PROJECT, Settings


def fenced(document: str, start: str) -> str:
    """The first fenced block of a document that begins with some text."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", (PROJECT / "docs" / document).read_text("utf-8"), re.DOTALL | re.M)
    return next(text for block in blocks if (text := textwrap.dedent(block)).startswith(start))


@pytest.fixture
def city(tmp_path, monkeypatch) -> Path:
    """A copy of the city's files with the documents' statistic among them."""
    for name, source in (
        ("statistics", Settings().statistics),
        ("dashboards", Settings().dashboards),
        ("forecasts", Settings().forecast_files),
        ("unusual", Settings().watch_files),
    ):
        shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("node_modules", "src"))
        monkeypatch.setenv(f"KOBE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    (tmp_path / "statistics/households_by_ward.sql").write_text(fenced("statistics.md", "/*"), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_new_statistic_and_a_new_page_over_it_work_as_the_documents_say(city):
    command = re.search(
        r"`kobe pages new \"(.+?)\"` writes `pages/(\w+)\.md`", (PROJECT / "docs/pages.md").read_text("utf-8")
    )
    runner = CliRunner()
    assert runner.invoke(pages_app, ["new", command[1], "--application", "R7-0001"]).exit_code == 0
    page = city / "dashboards/pages" / f"{command[2]}.md"
    front = page.read_text("utf-8").split("---\n")[1]
    fences = """
```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql periods
SELECT DISTINCT period FROM households_by_ward ORDER BY period
```

```sql people
SELECT period, area, size_label AS 世帯人員, value AS 人口, status FROM households_by_ward WHERE size = 'total'
```
"""
    page.write_text(f"---\n{front}---\n{fences}\n{fenced('pages.md', '<Filters>')}", encoding="utf-8")
    checked = runner.invoke(pages_app, ["check"])
    assert checked.exit_code == 0, checked.stderr


def test_the_documents_name_every_component():
    from kobe_platform.lounge.components import COMPONENTS

    told = (PROJECT / "docs/pages.md").read_text("utf-8")
    assert [name for name in COMPONENTS if f"`{name}`" not in told] == []
