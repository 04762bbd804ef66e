"""The project's own pages: over the register's data none is shown without an approval that covers it."""

from __future__ import annotations

from datetime import date

from kobe_platform.contracts import load_contracts
from kobe_platform.governance import applications as book
from kobe_platform.governance.application import Draft
from kobe_platform.lounge.pages import load_pages
from kobe_platform.release.collect import uses, withheld_pages
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics

DAY = date(2026, 6, 1)
FILES = (
    load_pages(Settings().dashboards),
    load_statistics(Settings().statistics),
    load_contracts(Settings().contracts),
)
OWNERS = {name: contract.legal.owner_section for name, contract in FILES[2].items()}


def test_exactly_the_pages_over_personal_sources_need_an_application():
    needing = {use.slug for use in uses(*FILES) if use.sources}
    assert "ward_population" in needing
    for slug, page in FILES[0].items():
        drawn = {source for table in page.tables if table in FILES[1] for source in FILES[1][table].sources}
        personal = any(FILES[2][source].sensitivity == "personal" for source in drawn)
        assert (slug in needing) == personal, slug


def test_a_page_is_shown_once_approved_and_leaves_when_the_approval_ends(database, staff):
    use = next(use for use in uses(*FILES) if use.slug == "ward_population")
    needing = {use.slug for use in uses(*FILES) if use.sources}
    assert set(withheld_pages(database, *FILES, "register", DAY)) == needing
    assert withheld_pages(database, *FILES, "synthetic", DAY) == {}
    draft = Draft(
        "区別人口", "施策の検討", use.audience, tuple(use.sources), (use.slug,), date(2026, 4, 1), date(2027, 3, 31)
    )
    app = book.create(database, staff["tanaka"], draft, number=use.application)
    app = book.submit(database, staff["tanaka"], app.number, app.version)
    assert withheld_pages(database, *FILES, "register", DAY)[use.slug] == "application.not_live"
    app = book.decide(database, staff["sato"], app.number, "approve", OWNERS, app.version)
    assert set(withheld_pages(database, *FILES, "register", DAY)) == needing - {use.slug}
    assert set(withheld_pages(database, *FILES, "register", date(2027, 4, 1))) == needing
    book.withdraw(database, staff["tanaka"], app.number, app.version)
    assert set(withheld_pages(database, *FILES, "register", DAY)) == needing
