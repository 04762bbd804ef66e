"""The command ``kobe bench``, which compares the platform's time and memory with a plain script's."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobe_platform.errors import ConfigurationError

if TYPE_CHECKING:
    import polars as pl
    import rich.table

bench_app = typer.Typer(no_args_is_help=True, help="Measure the platform.", add_completion=False)

Residents = Annotated[int, typer.Option(help="People of the synthetic city.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


@bench_app.callback()
def bench() -> None:
    """Measure the platform."""


@bench_app.command()
def month(
    residents: Annotated[list[int] | None, typer.Option(help="People of the synthetic city; 1,500,000.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often each size is measured; medians are told.")] = 3,
    compare: Annotated[Path | None, typer.Option(help="An earlier report (--json): how many times as much.")] = None,
    as_json: AsJson = False,
) -> None:
    """One month from the inbox to the release in force, stage by stage, against a plain script of the same run."""
    from kobe_platform.bench import month as bench_month

    earlier = _earlier(compare)
    tell = lambda step: typer.echo(step, err=True)  # noqa: E731
    with tempfile.TemporaryDirectory(prefix="kobe-bench-") as scratch:
        report = bench_month.measure(Path(scratch), residents or [1_500_000], runs, tell)
    if earlier:
        report["compared"] = bench_month.compared(report, earlier)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for size, case in report["cases"].items():
        title = f"{int(size):,} residents, {bench_month.MONTH}, CP932 delimited; medians of {runs} (least to most)"
        table = Table("stage", "seconds", "processor s", "share", title=title)
        for name, used in case["cpu"].items():
            elapsed = case["seconds"].get(name)
            shared = not name.startswith(("plain", "least")) and name != "process"
            share = f"{used[0] / case['cpu']['total'][0]:.0%}" if shared else ""
            table.add_row(name, _ranged(elapsed) if elapsed else "", _ranged(used), share)
        console.print(table)
        for name, ratio in case["ratios"].items():
            script = "the least that is promised" if name.endswith("to_least") else "the plain script"
            console.print(f"{name}: {ratio:.2f} × {script}, {case['cpu_ratios'][name]:.2f} × in processor s")
        console.print(f"peak {case['peak_mb']:,} MB (plain script {case['plain_peak_mb']:,} MB)")
        if told := report.get("compared", {}).get(size):
            console.print("before: " + ", ".join(f"{kind} × {ratio}" for kind, ratio in told.items()))
    if exponents := report.get("exponents"):
        console.print("exponents: " + ", ".join(f"{name} {slope:.2f}" for name, slope in exponents.items()))


def _ranged(spread: list[float]) -> str:
    middle, least, most = spread
    return f"{middle:.1f} ({least:.1f}–{most:.1f})"


@bench_app.command()
def growth(
    residents: Residents = 60_000,
    years: Annotated[int, typer.Option(min=1, help="Years of months (and six months more) in one home.")] = 11,
    keep: Annotated[Path | None, typer.Option(help="Folder that stays; the next run goes on where it ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver month after month into one home: what the last months cost beside the fourth to the sixth."""
    from kobe_platform.bench import growth as bench_growth

    tell = lambda step: typer.echo(step, err=True)  # noqa: E731
    with tempfile.TemporaryDirectory(prefix="kobe-bench-") as scratch:
        report = bench_growth.measure(keep or Path(scratch), residents, years, tell)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "early", "late", "ratio", title=f"{residents:,} residents, {report['months']} months")
    for name, (early, late) in report["medians"].items():
        table.add_row(name, f"{early:,.1f}", f"{late:,.1f}", f"{late / early:.2f}" if early else "")
    Console().print(table)


def _earlier(report: Path | None) -> dict[str, Any]:
    """An earlier report, read before anything is measured; empty where none is named.

    Raises:
        ConfigurationError: ``bench.report``: there is no such report.
    """
    if report is None:
        return {}
    with suppress(OSError, ValueError):
        told = json.loads(report.read_text("utf-8"))
        if isinstance(told, dict) and isinstance(told.get("cases"), dict):
            return told
    raise ConfigurationError(
        "there is no earlier report to compare with",
        code="bench.report",
        at={"file": report.name},
        remedy="Name a file that this command wrote with --json.",
        ja="比べる計測結果がありません",
    )


TARGETS = {
    "site": 15.0,
    "changed_text": 2.0,
    "changed_query": 2.0,
    "first_chart_cold": 0.8,
    "first_chart_next_page": 0.4,
    "filter_district_known": 0.05,
    "filter_period": 0.05,
    "first_load": 400,
    "next_page": 100,
    "external_requests": 0,
    "console_errors": 0,
    "axe_serious": 0,
}
"""What the lounge is to reach: seconds, kilobytes, counts."""


@bench_app.command()
def rows(
    municipalities: Annotated[int, typer.Option(min=1, help="Homes, each with keys of its own.")] = 1741,
    residents: Annotated[int, typer.Option(min=1, help="Rows of all together.")] = 125_000_000,
    runs: Annotated[int, typer.Option(min=1, help="How often each way is measured; medians are told.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Count the encrypted rows of many municipalities by three of twenty columns, beside plain Parquet files."""
    from kobe_platform.bench import rows as bench_rows

    report = bench_rows.measure(municipalities, residents, runs)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{report['rows']:,} rows of {municipalities:,} municipalities; medians of {runs} (least to most)"
    table = Table("way", "seconds", "processor s", "peak MB", "MB on the disk", title=title)
    for way in bench_rows.WAYS:
        spent = (_ranged(report[kind][way]) for kind in ("seconds", "processor_seconds", "peak_mb"))
        table.add_row(way, *spent, f"{report['mb'][way]:,.0f}")
    console = Console()
    console.print(table)
    console.print("lake ÷ plain: " + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in report["ratios"].items()))


@bench_app.command()
def lounge(
    as_json: AsJson = False,
    pages: Annotated[int, typer.Option(help="Pages of the site.")] = 90,
    browser: Annotated[bool, typer.Option(help="Measure in Chromium as well.")] = True,
) -> None:
    """Compile ninety pages over twelve years and 165 districts; open them in Chromium."""
    from kobe_platform.bench import lounge as bench_lounge

    with tempfile.TemporaryDirectory(prefix="kobe-bench-") as scratch:
        tell = lambda step: typer.echo(f"… {step}", err=True)  # noqa: E731
        report = bench_lounge.measure(Path(scratch), tell, pages=pages, browser=browser)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "to reach", title=f"{pages} pages, 12 years, 165 districts")
    for kind, unit in (("seconds", "s"), ("kilobytes", "KB"), ("counts", "")):
        for name, value in report.get(kind, {}).items():
            target = f"≤ {TARGETS[name]:g} {unit}" if name in TARGETS else ""
            table.add_row(name, f"{value:g} {unit}", target)
    console = Console()
    console.print(table)
    console.print(f"site: {report['ratios']['site_to_plain_mkdocs']:.2f} × plain MkDocs over the same words")


@bench_app.command()
def lake(
    residents: Residents = 1_500_000,
    rounds: Annotated[int, typer.Option(help="How often each way is measured; medians are told.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Write and read a month as encrypted partitions and as plain Parquet, in turn."""
    from kobe_platform.bench import lake as bench_lake

    report = bench_lake.measure(residents, rounds)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "lake s", "plain s", "ratio (processor s)", title=f"{residents:,} rows × 20 columns")
    for step in bench_lake.STEPS:
        elapsed = [f"{report['seconds'][way][step]:.3f}" for way in ("lake", "plain")]
        table.add_row(step, *elapsed, f"{report['ratios'][step]:.2f}")
    console = Console()
    console.print(table)
    for way in ("lake", "plain"):
        speed = report["mb_per_second"][way]
        console.print(
            f"{way}: {report['mb'][way]} MB, written at {speed['write']:.0f} MB/s, read at {speed['read']:.0f} MB/s, "
            f"peak {report['peak_mb'][way]:,} MB"
        )


@bench_app.command()
def disclosure(
    cases: Annotated[list[str] | None, typer.Argument(help="Tables (docs/disclosure.md, 6); four small ones.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often each table is measured; medians are told.")] = 3,
    compare: Annotated[Path | None, typer.Option(help="An earlier report (--json): how many times as long.")] = None,
    districts: Annotated[
        list[int] | None, typer.Option(min=18, help="Instead: a city of so many school districts; repeat it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Protect and audit made-up tables of a large city, beside a script that only hides small counts."""
    from kobe_platform.bench import disclosure as bench_disclosure

    earlier = _earlier(compare)
    if districts:
        report = bench_disclosure.measure_districts(districts, runs)
    else:
        report = bench_disclosure.measure(cases or bench_disclosure.USUAL, runs)
    if earlier:
        report["compared"] = bench_disclosure.compared(report, earlier)
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        from rich.console import Console
        from rich.table import Table

        heads = ("table", "rows", "hidden", "protect s", "audit s", "plain s", "ratio", "peak MB", "before")
        table = Table(*heads, title=f"processor seconds, medians of {runs}")
        for name, case in report["cases"].items():
            spent = [f"{case['cpu'][step]:.3f}" for step in ("protect", "audit", "plain")]
            before = f"× {report['compared'][name]}" if name in report.get("compared", {}) else ""
            facts = (f"{case['cells']:,}", f"{case['hidden']:,}", *spent, f"{case['ratio']:g}", f"{case['peak_mb']}")
            table.add_row(name, *facts, before)
        Console().print(table)
        if "exponents" in report:
            grown = ", ".join(f"{name} {power}" for name, power in report["exponents"].items())
            Console().print(f"exponents over the districts: {grown}")
    unsafe = [name for name, case in report["cases"].items() if not case["safe"]]
    if unsafe:
        typer.echo(f"the auditor refuses: {', '.join(unsafe)}", err=True)
        raise typer.Exit(1)


@bench_app.command()
def prefecture(
    municipalities: Annotated[list[int] | None, typer.Argument(min=1, help="How many; 1, 5, 10, 20 and 41.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Protect totals over made-up municipalities, each with tables of its own: seconds, memory and the exponent."""
    from kobe_platform.bench import prefecture as bench_prefecture

    made = [
        bench_prefecture.measure(bench_prefecture.prefecture(number), workers)
        for number in municipalities or bench_prefecture.USUAL
    ]
    power = bench_prefecture.exponent(made)
    if as_json:
        print(json.dumps({"measured": [asdict(one) for one in made], "exponent": power}, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    heads = ("municipalities", "circles", "processor s", "wall s", "peak MB", "totals shown", "hidden")
    table = Table(*heads, title=f"{workers} processes; seconds grow by the power {power} of municipalities")
    for one in made:
        facts = (one.municipalities, one.circles, one.seconds, one.wall, one.peak_mb, one.shown, one.hidden)
        table.add_row(*map(str, facts))
    Console().print(table)


@bench_app.command()
def forecasts(
    data: Annotated[Path, typer.Option(help="Folder with the City of Kobe's open data as CSV (docs/forecasts.md).")],
    learned: Annotated[bool, typer.Option(help="Try the methods of the extras `ets` and `ml` as well.")] = True,
    as_json: AsJson = False,
) -> None:
    """Back-test the methods of forecasting on a real city's register and moves: errors in %, and which are withheld."""
    from kobe_platform.bench import forecasts as bench_forecasts

    report = bench_forecasts.measure(data, learned=learned)
    if as_json:
        print(json.dumps({name: table.to_dicts() for name, table in report.items()}, indent=1))
        return
    from rich.console import Console

    for name, scored in report.items():
        Console().print(_errors_table(bench_forecasts.TITLES[name], scored))


@bench_app.command()
def unusual(
    data: Annotated[Path, typer.Option(help="Folder with the City of Kobe's open data as CSV (docs/unusual.md).")],
    as_json: AsJson = False,
) -> None:
    """Put shocks of 10, 20 and 30 % into a real city's series: how many are found, and what is listed without any."""
    from kobe_platform.bench import unusual as bench_unusual

    report = bench_unusual.measure(data)
    if as_json:
        print(json.dumps({name: table.to_dicts() for name, table in report.items()}, indent=1))
        return
    from rich.console import Console

    for name, table in report.items():
        Console().print(_errors_table(bench_unusual.TITLES[name], table))


def _errors_table(title: str, scored: pl.DataFrame) -> rich.table.Table:
    """One line a method and horizon or flow."""
    from rich.table import Table

    table = Table(*scored.columns, title=title)
    for row in scored.iter_rows():
        table.add_row(
            *("…" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row)
        )
    return table
