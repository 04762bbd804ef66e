"""Makes vintages of forecasts and scores them, from published partitions and nothing else: the steps of their assets.

What is read has passed every blocking check of its publication (the disclosure audit among them), so a forecast adds
nothing that an outsider could not work out from the same release.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from kobe_platform.errors import DisclosureError
from kobe_platform.forecasts.inputs import (
    flow_years,
    input_months,
    is_newest,
    score_inputs,
    scored_vintages,
    vintage_inputs,
)
from kobe_platform.forecasts.scoreboard import month_scores
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.forecasts.vintages import incoherent, told, vintage
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.verdicts import green
from kobe_platform.release.collect import BACKTEST, COVERS, content_digest
from kobe_platform.release.required_checks import published_checks
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.history import recorded_content
from kobe_platform.vocabulary.months import shifted


def make_vintage(
    store: PartitionStore, table: ForecastTable, origin: str, statistics: Mapping[str, Statistic]
) -> Partition:
    """Make the vintage of an origin and commit it; one that is there stays, unless its origin is the newest.

    Raises:
        LakeError: the origin's input is not there. DisclosureError: ``forecast.unaudited``.
        ConfigurationError: ``forecast.*``: the method cannot read the series.
    """
    id, source = PartitionId("published", table.name, origin), statistics[table.forecast.input.table]
    held, inputs = store.settled(id), vintage_inputs(store, table, origin)
    months = store.months("published", source.name)
    if held is not None and (dict(held.inputs) == inputs or not is_newest(table, origin, months)):
        return held
    store.present(PartitionId("published", source.name, origin))
    came = [month for ahead in table.forecast.horizons if (month := shifted(origin, ahead)) in months]
    read = input_months(store, table, origin)
    published = audited(store, source, [*read, *came])
    years = _whole_years(store, table, origin)
    flows = {name: audited(store, statistics[name], held) for name, held in years.items()}
    made = vintage(
        table, {month: published[month] for month in read}, origin, {month: published[month] for month in came}, flows
    )
    backtest = {"origin": origin, **told(made), "released": _released(store, source, read)}
    if years:
        backtest["years"] = sorted({month[:4] for held in years.values() for month in held})
    compared, differing = incoherent(table, made.rows)
    facts = {
        **counted(made.rows),
        "content": content_digest(made.rows, [json.dumps(backtest, sort_keys=True)]),
        "basis": basis_of(store, source, read),
        "totals": compared,
        "totals_differing": differing,
        BACKTEST: backtest,
    }
    return store.write(id, made.rows, facts=facts, inputs=inputs)


def score_month(
    store: PartitionStore, board: Scoreboard, target: str, statistics: Mapping[str, Statistic]
) -> Partition:
    """Compare the vintages that said something of a month with its figures, and commit the scores.

    Raises:
        DisclosureError: ``forecast.unaudited``.
    """
    id, inputs = PartitionId("published", board.name, target), score_inputs(store, board, target)
    held = store.settled(id)
    if held is not None and dict(held.inputs) == inputs:
        return held
    scored = scored_vintages(store, board, target)
    sources = {name: statistics[board.scored[name].forecast.input.table] for name, _ in scored}
    rows = month_scores(
        board,
        target,
        {(name, ahead): store.read(PartitionId("published", name, shifted(target, -ahead))) for name, ahead in scored},
        {name: audited(store, source, [target])[target] for name, source in sources.items()},
    )
    basis = {basis_of(store, source, [target]) for source in sources.values()}
    facts = {
        **counted(rows),
        "content": content_digest(rows),
        "basis": "synthetic" if "synthetic" in basis else "register",
    }
    return store.write(id, rows, facts=facts, inputs=inputs)


def _whole_years(store: PartitionStore, table: ForecastTable, origin: str) -> dict[str, list[str]]:
    """The years of events of which all twelve months were counted: of a part of a year no rate follows."""
    return {
        name: [m for m in months if len(store.present(PartitionId("published", name, m)).facts.get(COVERS, ())) == 12]
        for name, months in flow_years(store, table, origin).items()
    }


def audited(store: PartitionStore, source: Statistic, months: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Published months of a table, each with every blocking check passed on the very generation read.

    Raises:
        DisclosureError: one has not: nothing is made from what may not be published.
    """
    ids = [PartitionId("published", source.name, month) for month in dict.fromkeys(months)]
    checks = [check for check, blocks in published_checks(source).items() if blocks]
    for id in ids:
        passed = green(store, store.present(id))
        red = [check for check in checks if check not in passed]
        if red:
            raise DisclosureError(
                "published tables alone are read here, and a check of this one has not passed",
                code="forecast.unaudited",
                at={"table": id.source, "month": id.month, "check": red[0]},
                remedy="look at the check of the table; what is made from it follows when it passes",
                ja="検査に合格していない公表表からは、見込みなどを作りません",
            )
    return dict(zip([id.month for id in ids], store.read_all(ids), strict=True))


def _released(store: PartitionStore, source: Statistic, months: Sequence[str]) -> dict[str, Any]:
    """Which of the months had been released when they were read: how many, and one digest over their records."""
    records = [told for month in months if (told := recorded_content(store, source.key, month))]
    return {"months": len(records), "digest": hashlib.sha256("\n".join(records).encode()).hexdigest()[:16]}


def basis_of(store: PartitionStore, source: Statistic, months: Sequence[str]) -> str:
    """``synthetic`` as soon as one of the table's months is of a made-up city, else ``register``."""
    held = [store.current(PartitionId("published", source.name, month)) for month in months]
    told = {one.facts.get("basis", "register") for one in held if one is not None}
    return "synthetic" if "synthetic" in told else "register"


def counted(rows: pl.DataFrame) -> dict[str, int]:
    """Rows of a published partition, and how many of them are shown and hidden."""
    suppressed = int((rows["status"] == "suppressed").sum())
    return {"rows": rows.height, "published": rows.height - suppressed, "suppressed": suppressed}
