"""Searches a built release for numbers that identify by law, before anybody is shown it."""

from __future__ import annotations

from pathlib import Path

from kobe_platform.errors import LoungeError
from kobe_platform.intake.leaks import scan_tree


def refuse_identifiers(building: Path) -> None:
    """Search every file of a built release for numbers that identify by law.

    Raises:
        LoungeError: something was found; nothing is switched to.
    """
    findings = [finding for finding in scan_tree(building) if finding.refuses]
    if findings:
        raise LoungeError(
            "a built release holds what looks like numbers that identify by law",
            code="release.identifiers",
            at={"place": findings[0].place, "rule": findings[0].rule, "findings": len(findings)},
            remedy="find out which page or table they come from; the former release stays",
            ja="公開物に識別番号とみられる値があります。公開しません",
        )
