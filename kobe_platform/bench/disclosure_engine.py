"""The engine on one case, on both terms: the peers' attacker (hidden ≥ 0, interval [0, k]) and ours (hidden ≥ 1)."""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.disclosure import Spec, audit, protect
from kobe_platform.disclosure.model import build_model
from kobe_platform.disclosure.suppression.primary import primary_cells
from kobe_platform.disclosure.suppression.search import Suppressor


def on_peers_terms(spec: Spec, cells: Mapping[str, pl.DataFrame], rounds: int | None = None) -> dict[str, Any]:
    """Primaries, secondaries and seconds where only zero bounds hidden cells, and narrow primaries (must be 0)."""
    spec = spec.model_copy(update={"costs": spec.costs.model_copy(update={"rounds": rounds})})
    began = time.perf_counter()
    model = build_model(spec, cells)
    model = dataclasses.replace(model, lower=np.zeros_like(model.lower))
    nothing = np.zeros(model.size, dtype=bool)
    primary = primary_cells(model, nothing)
    search = Suppressor(model, primary, nothing, nothing, nothing, secondaries=False)
    pattern = search.run()
    seconds = time.perf_counter() - began
    proofs = pattern.proofs
    return {
        "cells": model.size,
        "primaries": int(primary.sum()),
        "secondaries": int((pattern.hidden & ~primary).sum()),
        "narrow": int((primary & (proofs.spread < model.width)).sum()),
        "not_0_to_k": int((primary & ((proofs.down < model.value) | (proofs.up < model.k - model.value))).sum()),
        "seconds": round(seconds, 2),
        "programs": search.solver.programs,
    }


def on_our_terms(spec: Spec, cells: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Secondaries, seconds, the audit's verdict and seconds against the attacker that the platform promises against."""
    began = time.perf_counter()
    protected = protect(spec, cells)
    seconds = time.perf_counter() - began
    verdict = audit(spec, protected.tables)
    model = build_model(spec, cells)
    primary = int(primary_cells(model, np.zeros(model.size, dtype=bool)).sum())
    return {
        "cells": model.size,
        "primaries": primary,
        "secondaries": verdict.counts["hidden"] - primary,
        "seconds": round(seconds, 2),
        "audit_seconds": round(verdict.seconds, 2),
        "safe": verdict.publishable,
        "findings": len(verdict.findings),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
