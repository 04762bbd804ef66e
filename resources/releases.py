"""Gives access to the folder where releases are built and put in force, and to the pages that they hold."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import Field

from kobe_platform.lounge.release import current
from kobe_platform.lounge.sharing import SharedReleases, shared_releases
from resources.shown import shown_as


@shown_as("公開物:公表表とページの版の置き場所。")
class Releases(dg.ConfigurableResource):
    """The release store.

    Attributes:
        root: directory of releases; ``current`` in it names the one in force.
        staging: scratch for compiling pages: published tables only.
        dashboards_path: pages, theme and site configuration.
        keep: releases that the nightly job leaves with their pages and tables; all, where it is None.
        store_url: place that machines share; empty where ``root`` is all there is.
    """

    root: str = Field(description="公開の版のフォルダー。current が公開中の版を指す")
    staging: str = Field(description="ページを組み立てる作業場所(公表表だけを置く)")
    dashboards_path: str = Field(description="ページ・体裁・サイト設定のフォルダー")
    keep: int | None = Field(None, description="画面と表を残す版の数。空ならすべて残す")

    store_url: str = Field("", description="複数の機械で共有する保管場所。空ならこの機械だけで使う")

    @property
    def shared(self) -> SharedReleases | None:
        """Where machines share releases; None for a machine alone."""
        return shared_releases(self.store_url, self.path)

    @property
    def path(self) -> Path:
        """Directory of releases."""
        return Path(self.root)

    @property
    def basis(self) -> str:
        """Where the figures of the release in force come from; ``register`` before the first."""
        release = current(self.path)
        return str(release.facts.get("basis", "register")) if release else "register"

    @property
    def scratch(self) -> Path:
        """Scratch directory; nothing unprotected ever lies in it."""
        return Path(self.staging)

    @property
    def bodies(self) -> Path:
        """Compiled pages by content: what a page's asset worked out, the release takes over."""
        return self.scratch / "bodies"

    @property
    def dashboards(self) -> Path:
        """The pages' directory."""
        return Path(self.dashboards_path)
