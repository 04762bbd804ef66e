"""τ-ARGUS (``pytauargus`` 0.6.0) on the very tables of this benchmark; an environment of its own, never a dependency.

Each job runs in a fresh directory and a process of its own with a time limit. Protection levels are given cell by cell,
so that the interval required is [0, k] (its own frequency rule would protect relative to the value); each cell costs 1.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import highspy
import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model, build_model
from kobe_platform.disclosure.suppression.primary import primary_cells
from kobe_platform.disclosure.table_index import TableIndex

VERSION = "0.6.0"
LONGEST = 330
METHODS = {"modular": "MOD(1,5,1,0,0)", "optimal": "OPT(1,5)"}
_JOB = "import sys; from pytauargus.engine import run_batch; run_batch(sys.argv[1])"


def environment(folder: Path) -> Path:
    """A Python with the peer in it, made in ``folder`` where it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", f"pytauargus=={VERSION}"], check=True)
    return python


def tau_argus(spec, cells, method: str, python: Path) -> dict:
    """Secondaries, seconds, and how many primaries stay narrow, on the peers' terms, for a table by itself.

    Raises:
        subprocess.TimeoutExpired: no result in ``LONGEST`` seconds.
    """
    model = build_model(spec, cells)
    primary = primary_cells(model, np.zeros(model.size, dtype=bool))
    layout = next(iter(model.layouts.values()))
    with tempfile.TemporaryDirectory() as place:
        batch = _written(Path(place), model, layout, primary, METHODS[method])
        began = time.perf_counter()
        job = subprocess.run(
            [python, "-c", _JOB, batch],
            cwd=place,
            capture_output=True,
            timeout=LONGEST,
            check=False,
        )
        seconds = time.perf_counter() - began
        if job.returncode or not (Path(place) / "out.tab").exists():
            return {"error": f"ended with {job.returncode}", "seconds": round(seconds, 2)}
        hidden = _hidden(Path(place) / "out.tab", layout, model)
    return {
        "seconds": round(seconds, 2),
        "secondaries": int((hidden & ~primary).sum()),
        "shown primaries": int((primary & ~hidden).sum()),
        **_narrow(model, hidden, primary),
    }


def _written(place: Path, model: Model, layout: TableIndex, primary: np.ndarray, method: str) -> Path:
    """Table, metadata, hierarchies and batch in the peer's formats."""
    ids = layout.variables.ravel()
    value, named = model.value[ids], primary[ids]
    frame = layout.frame(np.arange(len(ids))).with_columns(
        n=pl.Series(value),
        cost=pl.lit(1),
        state=pl.Series(np.where(named, "u", "s")),
        lower=pl.Series(np.where(named, value, 0)),
        upper=pl.Series(np.where(named, model.k[ids] - value, 0)),
    )
    frame.filter(pl.col("n") > 0).write_csv(place / "t.tab", separator=";", include_header=False)
    lines = ['<SEPARATOR> ";"', '<SAFE> "S"', '<UNSAFE> "U"', '<PROTECT> "P"']
    for column, tree in zip(layout.columns, layout.trees, strict=True):
        lines += [f'{column} "" ""', "  <RECODEABLE>", f'  <TOTCODE> "{tree.codes[0]}"']
        codes = list(_indented(tree, 0, 0))
        if any(code.startswith("@") for code in codes):
            (place / f"{column}.hrc").write_text("\n".join(codes) + "\n")
            lines += ["  <HIERARCHICAL>", f'  <HIERCODELIST> "{place}/{column}.hrc"', '  <HIERLEADSTRING> "@"']
    kinds = {"n": "<NUMERIC>", "cost": "<NUMERIC> <COST>", "state": "<STATUS>"}
    kinds |= {"lower": "<NUMERIC> <LOWERPL>", "upper": "<NUMERIC> <UPPERPL>"}
    lines += [line for name, kind in kinds.items() for line in (f'{name} "" ""', f"  {kind}")]
    (place / "t.rda").write_text("\n".join(lines) + "\n")
    named_columns = "".join(f'"{column}"' for column in layout.columns)
    batch = place / "job.arb"
    batch.write_text(
        f'<OPENTABLEDATA> "{place}/t.tab"\n<OPENMETADATA> "{place}/t.rda"\n'
        f'<SPECIFYTABLE> {named_columns}|"n"||"cost"\n<SAFETYRULE> \n<READTABLE> 0\n'
        f'<SUPPRESS> {method}\n<WRITETABLE> (1,5,SO+,"{place}/out.tab")\n'
    )
    return batch


def _indented(tree, node: int, level: int):
    for child in tree.children[node]:
        yield "@" * level + tree.codes[child]
        yield from _indented(tree, child, level + 1)


def _hidden(path: Path, layout: TableIndex, model: Model) -> np.ndarray:
    """The peer's pattern as one boolean a variable."""
    width = len(layout.columns)
    rows = pl.read_csv(path, separator=";", has_header=False, infer_schema=False)
    state = rows.columns[width + 3]
    marked = rows.filter(pl.col(state).is_in(["M", "U", "B", "D"]))
    codes = marked.select(pl.col(old).alias(new) for old, new in zip(rows.columns, layout.columns, strict=False))
    hidden = np.zeros(model.size, dtype=bool)
    hidden[layout.variables.ravel()[layout.locate(codes, "the peer's pattern")]] = True
    return hidden


def _narrow(model: Model, hidden: np.ndarray, primary: np.ndarray) -> dict[str, int]:
    """Primaries whose interval spans less than k: for an attacker who knows 0 as a bound, and for ours (1)."""
    told = {}
    for name, lower in (("narrow", 0), ("narrow on our terms", 1)):
        bounds = _intervals(model, hidden, np.flatnonzero(primary & hidden), lower)
        told[name] = int(sum(high - low < model.width[cell] - 1e-6 for cell, (low, high) in bounds.items()))
    return told


def _intervals(model: Model, hidden: np.ndarray, wanted: np.ndarray, lower: int) -> dict[int, tuple[float, float]]:
    """Least and greatest value of each wanted cell over all tables that fit: two linear programs each."""
    unknown = np.flatnonzero(hidden)
    part = model.equations[:, unknown].tocsc()
    rows = np.unique(part.indices)
    part = part.tocsr()[rows].tocsc()
    right = part @ model.value[unknown]
    size, height = len(unknown), len(rows)
    program = highspy.Highs()
    program.setOptionValue("output_flag", False)
    program.passModel(
        size, height, part.nnz, 1, 1, 0.0, np.zeros(size), np.full(size, float(lower)), np.full(size, 1e30),
        right, right,
        part.indptr.astype(np.int32), part.indices.astype(np.int32), part.data.astype(float), np.zeros(size, np.int32),
    )  # fmt: skip
    found = {}
    for cell in wanted.tolist():
        at, ends = int(np.searchsorted(unknown, cell)), []
        for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
            program.changeColCost(at, 1.0)
            program.changeObjectiveSense(sense)
            program.run()
            bounded = program.getModelStatus() == highspy.HighsModelStatus.kOptimal
            ends.append(program.getInfo().objective_function_value if bounded else np.inf)
        program.changeColCost(at, 0.0)
        found[cell] = (ends[0], ends[1])
    return found


def main() -> None:
    """``python -m tests.benchmarks.disclosure.peers CASE METHOD FOLDER``: one job, as JSON (for the benchmark)."""
    import json

    from kobe_platform.bench.disclosure_cases import CASES

    name, method, folder = sys.argv[1:]
    try:
        told = tau_argus(*CASES[name].build(), method, environment(Path(folder)))
    except subprocess.TimeoutExpired:
        told = {"error": f"no result in {LONGEST} s"}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
