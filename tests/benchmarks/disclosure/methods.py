"""The table that suppression does not end on in useful time, by the other methods: seconds, audit and what is lost."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping

import polars as pl

from kobe_platform.disclosure import Spec, audit, protect

STEPS = [{"column": "age"}, {"column": "reason", "keep": 3, "into": "other"}]
METHODS: dict[str, dict] = {
    "rounding to 10": {"method": "rounding", "base": 10},
    "cell key, D 12, V 25": {"method": "cell_key", "noise": {"most": 12, "variance": 25.0}},
    "coarsened: age groups": {"coarsen": {"until": 0.5, "steps": STEPS[:1]}},
    "coarsened: and 4 reasons": {"coarsen": {"until": 1.0, "steps": STEPS}},
}


def by_methods(spec: Spec, cells: Mapping[str, pl.DataFrame]) -> dict[str, dict]:
    """Each method on the one table of ``spec``: processor seconds, verdict, mean change and what is hidden.

    Returns:
        Method → ``rows``, ``seconds``, ``audit_seconds``, ``safe``, ``mean_change`` (of non-zero figures),
        ``beyond_one_step`` (rounding), ``cells_shown`` and ``persons_hidden`` (shares), ``peak_mb``.
    """
    return {name: _measured(spec, cells, keys) for name, keys in METHODS.items()}


def _measured(spec: Spec, cells: Mapping[str, pl.DataFrame], keys: Mapping[str, object]) -> dict:
    (table,) = spec.tables
    tables = [{**table.model_dump(exclude_none=True), **keys}]
    changed = Spec(rule=spec.rule, dimensions=spec.dimensions, tables=tables)
    began = time.process_time()
    protected = protect(changed, cells, secret=bytes(range(32)))
    between = time.process_time()
    verdict = audit(protected.spec, protected.tables)
    ended = time.process_time()
    (report,) = protected.report.tables
    return {
        "rows": report.cells,
        "seconds": round(between - began, 2),
        "audit_seconds": round(ended - between, 2),
        "safe": verdict.publishable,
        "mean_change": report.quality.get("mean_change", 0.0),
        "beyond_one_step": report.quality.get("beyond_one_step", 0),
        "cells_shown": round(report.share_published, 3),
        "persons_hidden": round(1 - report.share_shown, 3),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def show(record: Mapping[str, Mapping], seconds: float) -> None:
    """Print one line a method; ``seconds`` is what was to be reached."""
    for name, one in record.items():
        print(
            f"  {name}: {one['rows']:,} rows, {one['seconds']} s (ratio {one['seconds'] / seconds:.2f}), audit "
            f"{one['audit_seconds']} s {'safe' if one['safe'] else 'NOT SAFE'}, mean change {one['mean_change']}, "
            f"beyond one step {one['beyond_one_step']}, cells shown {one['cells_shown']:.1%}, "
            f"persons hidden {one['persons_hidden']:.1%}, peak {one['peak_mb']} MB"
        )
