"""Tables and findings for the cases of the auditors' rules: what the modules of cases have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from kobe_platform.disclosure import Dimension, Rule, Spec, Table
from kobe_platform.disclosure.auditor.dispatch import audit

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
SEX = {"T": None, "m": "T", "f": "T"}
EIGHT = {"city": None, **dict.fromkeys("abcdefgh", "city")}
NINE = {"city": None, **dict.fromkeys("abcdefghi", "city")}
QUARTERS = {"city": None, **dict.fromkeys("pqrs", "city")}
HALVES = Dimension(hierarchy={"city": None, "n": "city", "o": "city"}, of="quarter",
                   consists_of={"n": ("p", "q"), "o": ("r", "s")})  # fmt: skip
ROUNDED = {"method": "rounding", "base": 5}
NOISY = {"method": "cell_key", "noise": {"most": 5, "variance": 4.0}}
SUMS = {"measure": "yen", "largest": ("l1", "l2"), "p_percent": 10.0}


def spec_of(*tables, area=AREA, residual=()) -> Spec:
    described = {
        "area": Dimension(hierarchy=area, residual=residual),
        "sex": Dimension(hierarchy=SEX),
        "kind": Dimension(hierarchy={"T": None, "x": "T", "unknown": "T"}, residual=["unknown"]),
        "quarter": Dimension(hierarchy=QUARTERS),
        "half": HALVES,
    }
    return Spec(rule=Rule(minimum_frequency=5), dimensions=described, tables=tables)


def unchecked(spec: Spec, **update) -> Spec:
    """A specification that says what :class:`Spec` itself would refuse: the auditor must not rely on that."""
    return spec.model_copy(update=update)


def table(method: dict, *columns: str, name: str = "t", **more) -> Table:
    return Table(name=name, dimensions=list(columns) or ["area"], **method, **more)


def figures(*columns: str, rows: Iterable[tuple]) -> pl.DataFrame:
    """Rows of codes and a figure; None is hidden."""
    found = [(*codes, value, "suppressed" if value is None else "published") for *codes, value in rows]
    schema = dict.fromkeys(columns, pl.String) | {"value": pl.Int64, "status": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def areas(**values: int | None) -> pl.DataFrame:
    return figures("area", rows=values.items())


def found_in(case: tuple[Spec, Mapping, set], contributions: Mapping[str, pl.DataFrame] | None = None) -> set:
    """Rules and codes that the audit finds; rules alone where a case names no codes."""
    spec, tables, expected = case
    findings = audit(spec, tables, contributions=contributions).findings
    if any(isinstance(entry, str) for entry in expected):
        return {finding.rule for finding in findings}
    return {(finding.rule, " ".join(finding.coordinates.values())) for finding in findings}


def undecided(case: tuple[Spec, Mapping, set], contributions: Mapping[str, pl.DataFrame] | None = None) -> bool:
    """Whether the audit of a case leaves something undecided."""
    return "undecided" in {finding.rule for finding in audit(*case[:2], contributions=contributions).findings}
