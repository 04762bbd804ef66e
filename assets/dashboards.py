"""Defines the assets of the dashboards: each page is compiled and checked, then all enter one release."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from assets.columns import page_reads
from assets.conventions import spec
from kobe_platform.contracts import Contract
from kobe_platform.governance.applications import expire
from kobe_platform.governance.trail import PLATFORM, note
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.database import at_hand, let_go
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.release import Release, assemble, record_inputs, sources_digest
from kobe_platform.planning.rules import release_inputs
from kobe_platform.privacy.border import border
from kobe_platform.privacy.metadata import allowed
from kobe_platform.release.collect import collect, insist_on_figures, staged_tables, withheld_pages
from kobe_platform.release.gate import pass_gate
from kobe_platform.release.identifiers import refuse_identifiers
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.steps import record_released
from kobe_platform.vocabulary.clock import today
from resources import Governance, Lake, Releases


def dashboard_assets(
    pages: Mapping[str, Page], statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract]
) -> list[dg.AssetsDefinition]:
    """One asset a page, which depends on exactly the tables that it queries, and the release."""
    return [*(_page(page, statistics) for page in pages.values()), _release(pages, statistics, contracts)]


def _page(page: Page, statistics: Mapping[str, Statistic]) -> dg.AssetsDefinition:
    tables = [dg.AssetKey(["published", name]) for name in page.tables if name in statistics]
    described = spec(
        "dashboards",
        page.slug,
        description=f"{page.title}:公表表だけを読んで組み立てるページ。",
        owner=page.meta.owner,
        deps=[dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in tables],
        definition=page_definition([page]),
        metadata=page_reads(page, statistics),
    )

    @dg.multi_asset(
        name=f"dashboards__{page.slug.replace('-', '_')}",
        description=f"{page.title}:公表表からページを組み立てる。",
        specs=[described],
    )
    def compile_one(context: dg.AssetExecutionContext, lake: Lake, releases: Releases) -> dg.MaterializeResult:
        with border(stage="dashboards", page=page.slug):
            directory, basis = staged_tables(lake.store, statistics, releases.scratch)
            out, bodies = page_directory(releases, page.slug), Bodies(releases.bodies)
            compiled = compile_page(page, at_hand(directory), out, basis=basis, bodies=bodies)
            facts = {"components": compiled.components, "slices": compiled.slices, "bytes": compiled.bytes}
            return dg.MaterializeResult(metadata=allowed({**facts, "cells": compiled.cells}))

    return compile_one


def _release(
    pages: Mapping[str, Page], statistics: Mapping[str, Statistic], contracts: Mapping[str, Contract]
) -> dg.AssetsDefinition:
    described = spec(
        "dashboards",
        "release",
        description="公開:公表前検査がすべて合格のときだけ、表とサイトを一度に差し替える。",
        deps=[dg.AssetDep(["dashboards", slug]) for slug in sorted(pages)],
        definition=page_definition(list(pages.values())),
    )

    @dg.multi_asset(
        name="dashboards__release",
        description="公表前検査を確かめ、表とサイトを一度に差し替える。中身が同じなら、いまの公開のまま。",
        specs=[described],
        pool="release",
    )
    def release(
        context: dg.AssetExecutionContext, lake: Lake, releases: Releases, governance: Governance
    ) -> dg.MaterializeResult:
        with border(stage="dashboards", release="assemble"):
            let_go()
            looked = lake.store.steady()
            collected = collect(lake.store, statistics, releases.scratch, looked)
            insist_on_figures(collected)
            gate = pass_gate(lake.store, collected.months, statistics, looked)
            expire(governance.database, today())
            basis = str(collected.facts["basis"])
            held_back = withheld_pages(governance.database, pages, statistics, contracts, basis, today())
            inputs = release_inputs(looked, statistics, sources_digest(releases.dashboards), held_back)

            def inspected(building: Path) -> None:
                refuse_identifiers(building)
                record_released(lake.store, collected, statistics)

            made = assemble(
                collected.tables,
                collected.dims,
                collected.facts,
                releases.dashboards,
                releases.path,
                withheld=held_back,
                inspect=inspected,
                bodies=releases.bodies,
                shared=releases.shared,
            )
            record_inputs(releases.path, made, inputs, releases.shared)
            note(governance.database, PLATFORM, "release", made.id, detail={"pages": len(made.pages), **held_back})
            counts = {
                **release_facts(made),
                **gate,
                "withheld": len(held_back),
                "without_figures": len(pages) - len(held_back) - len(made.pages),
            }
            return dg.MaterializeResult(metadata=allowed(counts))

    return release


def page_definition(pages: Sequence[Page]) -> str:
    """SHA-256 over the pages as their authors wrote them, manuals included."""
    digest = hashlib.sha256()
    for page in pages:
        digest.update(page.path.read_bytes() + page.manual.encode())
    return digest.hexdigest()


def release_facts(release: Release) -> dict[str, object]:
    """A release in counts and identifiers."""
    return {
        "release": int(release.id.split("-")[0]),
        "content": release.content,
        "made": release.made,
        "pages": len(release.pages),
        "tables": len(release.tables),
        "sites": len(release.sites),
    }


def page_directory(releases: Releases, slug: str) -> Path:
    """Where a page is compiled to before any release is built."""
    return releases.scratch / "pages" / slug
