"""Measures protection and audit of made-up tables for ``kobe bench disclosure``, beside a plain script of the same run.

The plain script sums the same table over its hierarchies and hides the counts below k: what somebody would do who does
not know that a hidden count can be worked out. Its time also says how fast the machine was, so two runs are compared by
the ratio to it. Every run of a case is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, TypeVar

import numpy as np
import polars as pl

from kobe_platform.bench.apart import run_apart
from kobe_platform.bench.disclosure_cases import CASES, many_districts
from kobe_platform.disclosure import Spec, audit, protect
from kobe_platform.errors import ConfigurationError

USUAL = ("district", "small", "ward_nation", "linked")
"""Cases of a few seconds each; the others are named by whoever has the time."""
PLAIN_TURNS = 20
"""The plain script takes milliseconds, so that many turns of it are one measurement."""
STEPS = ("plain", "protect", "audit")
T = TypeVar("T")


def measure(cases: Sequence[str], runs: int) -> dict[str, Any]:
    """Every case so many times; medians over the runs.

    Returns:
        ``runs``; ``cases``: by name ``cells``, ``hidden`` (rows), ``safe``, ``peak_mb``, ``cpu`` and ``seconds``
        (elapsed) by step, and ``ratio``: processor seconds of protection and audit by the plain script's.

    Raises:
        ConfigurationError: ``bench.case`` for a case that there is not.
        subprocess.CalledProcessError: a run failed; its words are on standard error.
    """
    for name in cases:
        if name not in CASES or CASES[name].other_methods:
            raise ConfigurationError(
                "no such case",
                code="bench.case",
                at={"case": name},
                remedy=f"Name some of {', '.join(n for n, c in CASES.items() if not c.other_methods)}.",
            )
    return {"runs": runs, "cases": {name: _middle([_apart(name) for _ in range(runs)]) for name in cases}}


def measure_districts(numbers: Sequence[int], runs: int) -> dict[str, Any]:
    """Made-up cities of so many school districts (:func:`disclosure_cases.many_districts`).

    Returns:
        ``runs``, ``cases`` as :func:`measure` has them, by number of districts; ``exponents``, where there are several
        numbers: of ``protect``, ``audit`` and ``plain`` (processor seconds) and of ``peak_mb`` over the districts.
    """
    cases = {str(number): _middle([_apart(str(number)) for _ in range(runs)]) for number in sorted(set(numbers))}
    figures = {step: [case["cpu"][step] for case in cases.values()] for step in STEPS}
    figures["peak_mb"] = [case["peak_mb"] for case in cases.values()]
    grown = {name: exponent([int(n) for n in cases], values) for name, values in figures.items()}
    return {"runs": runs, "cases": cases, **({"exponents": grown} if len(cases) > 1 else {})}


def exponent(sizes: Sequence[float], figures: Sequence[float]) -> float:
    """The slope of figures over sizes, both as logarithms: 1 is linear."""
    return round(float(np.polyfit(np.log(sizes), np.log(figures), 1)[0]), 2)


def compared(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, float]:
    """By case that both reports have: how many times as long as before, each run measured by its own plain script."""
    both = [name for name in now["cases"] if name in before["cases"]]
    return {name: round(now["cases"][name]["ratio"] / before["cases"][name]["ratio"], 2) for name in both}


def _apart(name: str) -> dict[str, Any]:
    return json.loads(run_apart(__name__, name)[0])


def _middle(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    told = dict(records[0]) | {"safe": all(record["safe"] for record in records)}
    told["peak_mb"] = max(record["peak_mb"] for record in records)
    for kind in ("cpu", "seconds"):
        told[kind] = {step: round(median(record[kind][step] for record in records), 4) for step in STEPS}
    told["ratio"] = round((told["cpu"]["protect"] + told["cpu"]["audit"]) / told["cpu"]["plain"], 1)
    return told


def run_case(name: str) -> dict[str, Any]:
    """One run of a case, or of a number of districts, in this process: the plain script, protection, the audit."""
    import resource

    spec, cells = many_districts(int(name)) if name.isdecimal() else CASES[name].build()
    cpu: dict[str, float] = {}
    seconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], T], turns: int = 1) -> T:
        began, spent = time.perf_counter(), time.process_time()
        for _ in range(turns):
            done = work()
        cpu[step] = (time.process_time() - spent) / turns
        seconds[step] = (time.perf_counter() - began) / turns
        return done

    timed("plain", lambda: [hidden_below(spec, table, frame) for table, frame in cells.items()], PLAIN_TURNS)
    protected = timed("protect", lambda: protect(spec, cells))
    verdict = timed("audit", lambda: audit(spec, protected.tables))
    return {
        "cells": sum(table.height for table in protected.tables.values()),
        "hidden": sum(table.filter(pl.col("status") == "suppressed").height for table in protected.tables.values()),
        "safe": verdict.publishable,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cpu": cpu,
        "seconds": seconds,
    }


def hidden_below(spec: Spec, name: str, cells: pl.DataFrame) -> pl.DataFrame:
    """The plain script: a table with all its totals, its counts below k hidden. It protects nothing.

    Returns:
        One row for each combination of codes that occurs: the table's columns and ``value``, null where it is hidden.
    """
    table = next(table for table in spec.tables if table.name == name)
    summed = cells.select(*table.dimensions, value="persons")
    for column, dimension in table.dimensions.items():
        known = spec.dimension(dimension)
        parents = known.hierarchy or dict.fromkeys(summed[column].unique().to_list(), known.total)
        level, levels = summed, [summed]
        while not level.is_empty():
            up = pl.col(column).replace_strict(parents, default=None, return_dtype=pl.String)
            level = level.with_columns(up).filter(pl.col(column).is_not_null())
            level = level.group_by(*table.dimensions).agg(pl.col("value").sum())
            levels.append(level)
        summed = pl.concat(levels).group_by(*table.dimensions).agg(pl.col("value").sum())
    return summed.with_columns(pl.when(pl.col("value") >= spec.rule.minimum_frequency).then(pl.col("value")))


if __name__ == "__main__":
    print(json.dumps(run_case(sys.argv[1])))
