"""Every page compiles over tables without a row: a page asset is made before anybody knows whether it is shown."""

import pytest

from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.tables import write_tables
from kobe_platform.settings import Settings
from kobe_platform.synthesis.published import published

PAGES = load_pages(Settings().dashboards)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    tables, dims, facts = published()
    write_tables(folder, {name: rows.clear() for name, rows in tables.items()}, dims, facts["tables"])
    with ReleaseDatabase(folder) as database:
        yield database


@pytest.mark.parametrize("slug", sorted(PAGES))
def test_a_page_compiles_without_any_figure(slug, empty, tmp_path):
    compile_page(PAGES[slug], empty, tmp_path)
    assert (tmp_path / f"{slug}.md").is_file()
