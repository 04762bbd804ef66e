"""The command ``kobe demo``: makes a synthetic city, runs the platform on its deliveries, reports the result."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.cli.run import RunReport, process, tell
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.coordinates import place

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
FOLDED = ("理由 reason", "内容", "場所 where")
SYSTEMS = ("training",)
"""Core systems that the made-up city has beside the resident register."""
MISFILED = "2026-01"
"""A month whose folder gets a delivery that says it is of another month: what a rejection looks like."""


def demo(
    residents: Annotated[int, typer.Option(help="People of the synthetic city.")] = 200_000,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "2025-07",
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "2025-12",
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 0,
) -> None:
    """The main job on a synthetic city: deliveries, the graph, a release, and a report a person can read."""
    from rich.console import Console

    settings, console = Settings(), Console(highlight=False)
    started = time.perf_counter()
    prepare(settings, residents, first, last, seed, console)
    console.rule("2 取込み・抽象化・統計化・秘匿・公開  process")
    report = process(settings, console=console)
    console.rule("3 結果  result")
    show(settings, report, console, time.perf_counter() - started)
    raise typer.Exit(0 if report.plan.empty else 1)


def prepare(settings: Settings, residents: int, first: str, last: str, seed: int, console: Console) -> None:
    """Make the key store and the synthetic deliveries, unless they are there."""
    from kobe_platform.custody.opening import KeyPlace, create_key_service
    from kobe_platform.synthesis.deliveries import CityPlan, synthesize

    console.rule("1 合成都市と鍵  synthetic city and keys")
    if not (settings.keys / "root.json").exists():
        create_key_service(KeyPlace.of(settings))
        console.print("made a key store")
    if (settings.inbox / settings.municipality).exists():
        console.print(f"the inbox {settings.inbox} holds deliveries already: nothing is synthesized")
        return
    plan = CityPlan(settings.inbox, residents, first, last, seed, history=True, systems=SYSTEMS)
    with console.status("synthesize …") as status:
        written = synthesize(plan, lambda step: status.update(step))
    misfiled = _misfile(settings.inbox / settings.municipality / "town_districts")
    rows = sum(delivery.rows for delivery in written)
    console.print(f"{len(written)} deliveries of a made-up city of {residents:,}: {rows:,} rows in {settings.inbox}")
    if misfiled:
        console.print(f"わざと月の違うフォルダに1件 one is misfiled on purpose and refused: town_districts/{MISFILED}")


def _misfile(source: Path) -> bool:
    """Put a delivery into the folder of a month that its manifest does not name; not where that month is delivered."""
    delivered = sorted(path for path in source.iterdir() if path.is_dir())
    target = source / MISFILED
    if not delivered or target.exists():
        return False
    shutil.copytree(delivered[0], target)
    return True


def show(settings: Settings, report: RunReport, console: Console, seconds: float) -> None:
    """Print what came of the run: everything is read from receipts, manifests and the release, not from memory."""
    if report.nothing_new:
        console.print(f"[bold]新しい提供データはありません。nothing new to do[/] ({report.seconds:.1f} s)")
    for table in (
        *deliveries_tables(settings),
        partitions_table(settings),
        cells_table(settings),
        *release_table(settings),
    ):
        if table is not None:
            console.print(table)
    tell(report, console)
    console.print(
        f"{seconds:.0f} s  次に next: [bold]make serve[/] サイトを見る, [bold]make dev[/] Dagster, kobe --help"
    )


def receipts_of(settings: Settings) -> list[dict]:
    """Every receipt that can be read, by source and month."""
    from kobe_platform.intake.receipts import read_receipt

    folder = settings.receipts / settings.municipality
    paths = [path for path in sorted(folder.glob("*/*/*.json")) if not path.name.endswith(".approved.json")]
    return [receipt for path in paths if (receipt := read_receipt(path)) is not None]


def deliveries_tables(settings: Settings) -> list[Table]:
    """Deliveries by source and outcome, each refusal with its reason; then rows set aside by rule."""
    receipts = receipts_of(settings)
    table = _table(
        "提供 deliveries", "データ source", "受理 accepted", "却下 rejected", "保留 held", "行 rows", "有効 kept"
    )
    for source in sorted({receipt["source"] for receipt in receipts}):
        own = [receipt for receipt in receipts if receipt["source"] == source]
        status = Counter(receipt["status"] for receipt in own)
        facts = [receipt["facts"] for receipt in own if "facts" in receipt]
        counts = [str(status[name]) for name in ("accepted", "rejected", "held")]
        totals = [f"{sum(int(fact.get(name, 0)) for fact in facts):,}" for name in ("rows", "kept")]
        table.add_row(source, *counts, *totals)
    tables = [table]
    refused = [receipt for receipt in receipts if receipt["status"] != "accepted"]
    if refused:
        reasons = _table("却下・保留の理由 reasons", "月 month", "データ source", "規則 rule", "理由 reason")
        for receipt in refused:
            error = receipt["error"]
            reasons.add_row(receipt["month"], receipt["source"], error["code"], error["ja"] + place(error["at"]))
        tables.append(reasons)
    return [*tables, _rules_table(receipts)]


def _rules_table(receipts: list[dict]) -> Table:
    from kobe_platform.vocabulary.rules import rules

    titles = {
        "set_aside": "除外 set aside",
        "superseded": "取消等 superseded",
        "filtered": "対象外 filtered",
        "warned": "警告 warned",
    }
    table = _table("行の扱い rows by rule", "扱い", "規則 rule", "内容", "行 rows")
    for kind, title in titles.items():
        counts: Counter[str] = Counter()
        for receipt in receipts:
            told = receipt.get("facts", {}).get(kind, {})
            counts.update(told if isinstance(told, dict) else {"": told})
        for rule, rows in sorted(counts.items()):
            if rows:
                table.add_row(title, rule, rules()[rule].ja if rule in rules() else "", f"{rows:,}")
    return table


def partitions_table(settings: Settings) -> Table:
    """Partitions in force by stage."""
    from kobe_platform.lake import STAGES

    table = _table("蓄積(すべて暗号化) encrypted store", "段階 stage", "区画 partitions", "月 months", "MB")
    for stage in STAGES:
        heads = sorted((settings.store / stage).glob("*/*/head.json"))
        size = sum(path.stat().st_size for path in (settings.store / stage).glob("*/*/*/data.parquet"))
        months = sorted({path.parent.name for path in heads})
        table.add_row(stage, str(len(heads)), f"{months[0]} – {months[-1]}" if months else "–", f"{size / 1e6:.1f}")
    return table


def cells_table(settings: Settings) -> Table:
    """Published and suppressed cells by protection group, with the auditor's verdict as the manifests keep it."""
    from kobe_platform.published import load_published
    from kobe_platform.release.collect import published_partitions
    from kobe_platform.trials import Trials

    statistics = load_published(
        settings.statistics, settings.forecast_files, trials=Trials(settings.trials), unusual=settings.watch_files
    )
    held = published_partitions(_store(settings), statistics)
    counts: dict[str, Counter[str]] = {}
    for name, partitions in held.items():
        own = counts.setdefault(statistics[name].key if statistics[name].group else statistics[name].kind, Counter())
        own["tables"] += 1
        for partition in partitions:
            facts = partition.facts
            own.update({key: int(facts.get(key, 0)) for key in ("published", "suppressed")})
            own["unsafe"] += not facts.get("audit_safe", not statistics[name].is_protected)
    table = _table(
        "公表値 cells", "群 group", "表 tables", "公表 published", "秘匿 suppressed", "割合 share", "監査 audit"
    )
    for group, own in sorted(counts.items()):
        share = own["published"] / max(own["published"] + own["suppressed"], 1)
        verdict = "—" if "/" not in group else "安全 safe" if not own["unsafe"] else f"{own['unsafe']} unsafe"
        table.add_row(
            group, str(own["tables"]), f"{own['published']:,}", f"{own['suppressed']:,}", f"{share:.1%}", verdict
        )
    return table


def release_table(settings: Settings) -> list[Table]:
    """The release in force, or nothing."""
    from kobe_platform.lounge.release import current

    release = current(settings.releases)
    if release is None:
        return []
    table = _table("公開 release in force", "公開 release", "ページ pages", "表 tables", "サイト sites", "場所 where")
    where = str(settings.releases / "current")
    table.add_row(release.id, str(len(release.pages)), str(len(release.tables)), str(len(release.sites)), where)
    return [table]


def _table(title: str, *headings: str) -> Table:
    """A table in which nothing is cut: names and numbers stand on one line, sentences and paths are folded."""
    from rich.table import Table

    table = Table(title=title)
    for heading in headings:
        table.add_column(heading.replace(" ", "\n", 1), overflow="fold", no_wrap=heading not in FOLDED)
    return table


def _store(settings: Settings):
    from kobe_platform.lake.opening import open_partitions

    return open_partitions(settings)
