"""Checks compiled pages: they load nothing from outside and show no number that identifies a person by law."""

import re
from collections.abc import Mapping

import dagster as dg

from checks.factory import Verdict
from kobe_platform.intake.leaks import scan_tree
from kobe_platform.lounge.pages import Page
from kobe_platform.privacy.border import border
from kobe_platform.privacy.metadata import allowed
from resources import Releases

EXTERNAL = re.compile(rb"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)


def page_checks(pages: Mapping[str, Page]) -> list[dg.AssetChecksDefinition]:
    """``clean_page`` on each page; blocking."""
    return [_check(page) for page in pages.values()]


def _check(page: Page) -> dg.AssetChecksDefinition:
    words = "外部への参照がなく、識別番号とみられる値もない"
    key = dg.AssetKey(["dashboards", page.slug])

    # A check of one asset has no words for its step, and Dagster shows steps as well.
    @dg.multi_asset_check(
        name=f"clean_page__{page.slug.replace('-', '_')}",
        specs=[dg.AssetCheckSpec("clean_page", asset=key, blocking=True, description=words)],
        description=f"{page.title}:{words}。",
    )
    def clean_page(context: dg.AssetCheckExecutionContext, releases: Releases) -> dg.AssetCheckResult:
        with border(check="clean_page", page=page.slug):
            verdict = inspected(releases.scratch / "pages" / page.slug)
        return dg.AssetCheckResult(
            asset_key=key, check_name="clean_page", passed=verdict.passed, metadata=allowed(verdict.facts)
        )

    return clean_page


def inspected(directory) -> Verdict:
    """Counts of external references and of findings of the leak detector in a compiled page."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    external = sum(len(EXTERNAL.findall(path.read_bytes())) for path in files)
    refusing = sum(finding.refuses for finding in scan_tree(directory))
    return Verdict(bool(files) and not external and not refusing, {"external": external, "findings": refusing})
