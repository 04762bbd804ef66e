"""One Chromium, one release of the project's own pages over made-up tables and its site, for every browser test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.synthesis.published import published
from tests.browser.chromium import Chromium, StandsStill
from tests.browser.tabs import CHROMIUM, PROJECT, Visit
from tests.serving import serving

_HERE = Path(__file__).parent
PATIENCE = 30_000
"""Milliseconds that a page may take on a busy machine until it shows what is expected of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs Chromium, and is done once more where Chromium itself stood still."""
    absent = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
    again = pytest.mark.flaky(reruns=1, only_rerun=[StandsStill.__name__])
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(absent)
            item.add_marker(again)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function):
    """Tell a wait that ended because the browser drew nothing from one that the page is to blame for."""
    try:
        return (yield)
    except Exception as error:
        chromium = pyfuncitem.funcargs.get("browser")
        if isinstance(chromium, Chromium) and chromium.stands_still(error):
            raise StandsStill from error
        raise


@pytest.fixture(scope="package")
def release(tmp_path_factory):
    """A release of the project's own pages over made-up tables."""
    return assemble(*published(), PROJECT / "dashboards", tmp_path_factory.mktemp("lounge") / "releases")


@pytest.fixture(scope="package")
def site(release) -> Iterator[str]:
    """Address of the staff's site."""
    with serving(release.path.parent, "staff") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="package")
def browser():
    """Debian's Chromium. It ends with this folder's tests: its loop would stand in the way of others."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Without --disable-gpu, Debian's Chromium draws through a GPU that is made up by software.
        options = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        chromium = Chromium(lambda: playwright.chromium.launch(executable_path=CHROMIUM, args=options))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, site) -> Iterator[Visit]:
    """A new tab at the desk."""
    tab = Visit(browser, site)
    yield tab
    tab.context.close()
