"""Synthetic tables of the city's shape for the disclosure benchmark: 1.51 M residents, some 50,000 foreigners.

Districts are log-normal in size, nationalities follow Zipf's law; ages follow the register's profile. Every case is a
specification and its finest cells, the same for every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure import Dimension, Inclusion, Rule, Spec, Table

RESIDENTS, FOREIGNERS, WARDS = 1_510_000, 50_000, 9
AGES = [f"a{i:02d}" for i in range(21)]
AGE_TREE: dict[str, str | None] = {
    "T": None, "g0": "T", "g1": "T", "g2": "T",
    **{code: "g0" if i < 3 else "g1" if i < 13 else "g2" for i, code in enumerate(AGES)},
}  # fmt: skip
PROFILE = np.array(
    [3.6, 4.0, 4.2, 4.5, 5.5, 5.2, 5.1, 5.5, 6.2, 7.2, 7.8, 6.6, 5.8, 5.8, 6.9, 6.3, 4.7, 3.0, 1.6, 0.5, 0.1]
)
SEXES = ["m", "f"]


@dataclass(frozen=True)
class Case:
    """A row of the benchmark's table.

    Attributes:
        title: of the table; reach: seconds and secondaries to reach (None: no number given).
        other_methods: measured by rounding, cell keys and coarsening instead of suppression alone.
        prototype: seconds and secondaries of the greedy prototype on another machine, for the ratio.
    """

    title: str
    build: Callable[[], tuple[Spec, dict[str, pl.DataFrame]]]
    reach: tuple[float, int | None]
    argus: str
    audit_reach: float | None = None
    other_methods: bool = False


def _districts(number: int, in_wards: int = WARDS) -> dict[str, str | None]:
    wards = [f"w{i}" for i in range(in_wards)]
    return {"T": None, **dict.fromkeys(wards, "T"), **{f"d{i:03d}": wards[i % in_wards] for i in range(number)}}


def _leaves(tree: Mapping[str, str | None]) -> list[str]:
    inner = set(tree.values())
    return [code for code in tree if code not in inner]


def _cells(columns: Mapping[str, Sequence[str]], expected: np.ndarray, seed: int) -> pl.DataFrame:
    counts = np.random.default_rng(seed).poisson(expected).ravel()
    codes = list(itertools.product(*columns.values()))
    frame = pl.DataFrame(codes, schema=list(columns), orient="row").with_columns(persons=pl.Series(values=counts))
    return frame.filter(pl.col("persons") > 0)


def _by_age(areas: int, people: float, seed: int, sexes: int = 2, spread: float = 0.55) -> np.ndarray:
    """Expected counts areas × ages × sexes."""
    random = np.random.default_rng(seed)
    size = random.lognormal(0, spread, areas)
    local = PROFILE * random.lognormal(0, 0.12, (areas, len(AGES)))
    local /= local.sum(axis=1, keepdims=True)
    oldest = np.arange(len(AGES)) > 16
    ratio = np.stack([np.where(oldest, 0.35, 0.48), np.where(oldest, 0.65, 0.52)], axis=1)[:, :sexes]
    return people * (size / size.sum())[:, None, None] * local[:, :, None] * ratio[None]


def district_age_sex(districts: int = 165) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """165 (or fewer) districts in 9 wards × 21 ages in 3 groups × sex."""
    tree = _districts(districts)
    expected = _by_age(districts, RESIDENTS * districts / 165, 1)
    cells = _cells({"district": _leaves(tree), "age": AGES, "sex": SEXES}, expected, 2)
    dimensions = {
        "district": Dimension(hierarchy=tree),
        "age": Dimension(hierarchy=AGE_TREE),
        "sex": Dimension(total="T"),
    }
    table = Table(name="t", dimensions=["district", "age", "sex"])
    return Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=(table,)), {"t": cells}


def many_districts(number: int) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """So many school districts of some 800 residents, eighteen in a ward; foreigners are part of the residents."""
    tree = _districts(number, max(1, number // 18))
    people = _by_age(number, 800 * number, 13, spread=0.35)
    abroad = people.sum(axis=1) * np.random.default_rng(14).lognormal(-3.6, 0.6, (number, 1))
    areas = _leaves(tree)
    others = _cells({"district": areas, "age": AGES, "sex": SEXES}, people, 15)
    foreigners = _cells({"district": areas, "sex": SEXES}, abroad, 16)
    most = others.group_by("district", "sex").agg(pl.col("persons").sum().alias("most"))
    foreigners = foreigners.join(most, on=["district", "sex"], maintain_order="left").select(
        "district", "sex", persons=pl.min_horizontal("persons", "most")
    )
    dimensions = {
        "district": Dimension(hierarchy=tree),
        "age": Dimension(hierarchy=AGE_TREE),
        "sex": Dimension(total="T"),
    }
    tables = (
        Table(name="residents", dimensions=["district", "age", "sex"], population="residents"),
        Table(name="foreigners", dimensions=["district", "sex"], population="foreigners"),
    )
    within = (Inclusion(part="foreigners", whole="residents"),)
    spec = Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=tables, includes=within)
    return spec, {"residents": others, "foreigners": foreigners}


def _nationalities(number: int, exponent: float) -> np.ndarray:
    weight = 1 / np.arange(1, number + 1) ** exponent
    return weight / weight.sum()


def ward_nationality_sex() -> tuple[Spec, dict[str, pl.DataFrame]]:
    """9 wards × 40 nationalities × sex."""
    return _nationality({f"w{i}": "T" for i in range(WARDS)}, 0.7, 3)


def district_nationality_sex() -> tuple[Spec, dict[str, pl.DataFrame]]:
    """165 districts in 9 wards × 40 nationalities × sex: most non-zero cells are primary."""
    return _nationality(_districts(165), 1.43, 4)


def _nationality(links: dict[str, str | None], exponent: float, seed: int) -> tuple[Spec, dict[str, pl.DataFrame]]:
    tree = {"T": None, **links}
    areas = _leaves(tree)
    random = np.random.default_rng(seed)
    size = random.lognormal(0, 0.5, len(areas))
    mix = _nationalities(40, exponent) * random.lognormal(0, 0.35, (len(areas), 40))
    mix /= mix.sum(axis=1, keepdims=True)
    expected = FOREIGNERS * (size / size.sum())[:, None, None] * mix[:, :, None] * np.array([0.5, 0.5])
    cells = _cells({"district": areas, "nation": [f"n{i:02d}" for i in range(40)], "sex": SEXES}, expected, seed + 10)
    dimensions = {"district": Dimension(hierarchy=tree), "nation": Dimension(total="T"), "sex": Dimension(total="T")}
    table = Table(name="t", dimensions=["district", "nation", "sex"])
    return Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=(table,)), {"t": cells}


def linked_foreigners() -> tuple[Spec, dict[str, pl.DataFrame]]:
    """Two linked tables: ward × nationality × sex and ward × nationality × status."""
    random = np.random.default_rng(6)
    size = random.lognormal(0, 0.5, WARDS)
    mix = _nationalities(40, 0.6) * random.lognormal(0, 0.35, (WARDS, 40))
    mix /= mix.sum(axis=1, keepdims=True)
    status = _nationalities(5, 0.5)
    expected = FOREIGNERS * (size / size.sum())[:, None, None, None] * mix[:, :, None, None]
    expected = expected * np.array([0.5, 0.5])[None, None, :, None] * status
    columns = {
        "district": [f"w{i}" for i in range(WARDS)],
        "nation": [f"n{i:02d}" for i in range(40)],
        "sex": SEXES,
        "permit": [f"s{i}" for i in range(5)],
    }
    cells = _cells(columns, expected, 7)
    frames = {
        name: cells.group_by("district", "nation", name).agg(pl.col("persons").sum()) for name in ("sex", "permit")
    }
    dimensions = {name: Dimension(total="T") for name in columns}
    tables = tuple(Table(name=name, dimensions=["district", "nation", name]) for name in frames)
    return Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=tables), frames


def ward_ward_age_reason() -> tuple[Spec, dict[str, pl.DataFrame]]:
    """Origin ward × destination ward × 24 ages in groups × 6 reasons: a year's moves, most cells small."""
    random = np.random.default_rng(8)
    wards = [f"w{i}" for i in range(WARDS)]
    pull = random.lognormal(0, 0.4, (WARDS, WARDS))
    pull /= pull.sum()
    ages = PROFILE * np.where(np.arange(21) < 8, 2.0, 0.6)
    ages /= ages.sum()
    reason = _nationalities(6, 1.0)
    expected = 70_000 * pull[:, :, None, None] * ages[None, None, :, None] * reason
    columns = {"origin": wards, "destination": wards, "age": AGES, "reason": [f"r{i}" for i in range(6)]}
    dimensions = {name: Dimension(total="T") for name in columns} | {"age": Dimension(hierarchy=AGE_TREE)}
    table = Table(name="t", dimensions=list(columns))
    spec = Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=(table,))
    return spec, {"t": _cells(columns, expected, 9)}


def towns_age(towns: int = 2850) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """2,850 towns in 165 districts in 9 wards × 21 ages in 3 groups, one sex."""
    tree = _districts(165) | {f"t{i:04d}": f"d{i % 165:03d}" for i in range(towns)}
    expected = _by_age(towns, RESIDENTS, 11, sexes=1, spread=0.3)
    columns = {"district": _leaves(tree), "age": AGES}
    dimensions = {"district": Dimension(hierarchy=tree), "age": Dimension(hierarchy=AGE_TREE)}
    table = Table(name="t", dimensions=["district", "age"])
    spec = Spec(rule=Rule(minimum_frequency=10), dimensions=dimensions, tables=(table,))
    return spec, {"t": _cells(columns, expected[:, :, 0], 12)}


CASES: dict[str, Case] = {
    "district": Case("165 districts × 21 ages × sex", district_age_sex, (1.5, 441), "8.6–16 s, 442", 2.0),
    "small": Case("40 districts × 21 ages × sex", lambda: district_age_sex(40), (0.3, 131), "1.5 s, 133 (92 s, 130)"),
    "ward_nation": Case("ward × 40 nationalities × sex", ward_nationality_sex, (0.1, 41), "1.1 s, 41"),
    "district_nation": Case(
        "district × 40 nationalities × sex", district_nationality_sex, (10, 363), "killed at 330 s"
    ),
    "linked": Case("two linked tables of foreigners", linked_foreigners, (1, None), "2 exact, 10 narrow"),
    "moves": Case("ward × ward × age × reason", ward_ward_age_reason, (60, None), "killed at 330 s", None, True),
    "towns": Case("2,850 towns × 21 ages", towns_age, (60, None), "–", 10),
}
