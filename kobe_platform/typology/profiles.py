"""Reads what districts are compared by (``assets/typology.toml``), and their profile from published tables."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.typology.medoids import Typing, distances, medoids_of, silhouette, typed
from kobe_platform.vocabulary.codes import hierarchies

MOST_DISTRICTS = 2000
"""More places than this would need another method: all distances are held at once."""


class Cell(BaseModel):
    """A published table, and the code of each of its dimensions but the area."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    at: dict[str, str] = {}


class Feature(BaseModel):
    """What districts are compared by: the share of one published figure in another, in percent.

    Attributes:
        title: Japanese name.
        of, per: the figure, and that of which it is a share.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    of: Cell
    per: Cell


class Typology(BaseModel):
    """The file: how many types there are, and by which features; types are numbered by the first, highest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: int = Field(ge=2, le=8)
    features: tuple[Feature, ...] = Field(min_length=2)


@dataclass(frozen=True)
class Profiles:
    """Published shares of districts.

    Attributes:
        month: the newest month that all tables have.
        districts: codes of those all of whose figures are shown, sorted.
        hidden: codes of those with a hidden figure: they have no type.
        shares: districts × features, in percent.
    """

    month: str
    districts: tuple[str, ...]
    hidden: tuple[str, ...]
    shares: np.ndarray


def load_typology(path: Path) -> Typology:
    """The file of a city.

    Raises:
        ConfigurationError: ``typology.file`` with the place.
    """
    try:
        return Typology.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError):
        place = "file"
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False, include_url=False)[0]["loc"]))
    raise _wrong(place)


def profiles(typology: Typology, tables: Path) -> Profiles:
    """The profile of every district in a release's tables.

    Raises:
        ConfigurationError: ``typology.file``: a table, dimension or code is not there, or no month is in all tables.
    """
    areas = pl.read_parquet(tables / "dim_district.parquet")
    districts = areas.filter(pl.col("level") == 2)["code"].sort()
    figures = [(_figures(one.of, tables), _figures(one.per, tables)) for one in typology.features]
    months = set.intersection(*(set(frame["period"]) for pair in figures for frame in pair))
    if not months:
        raise _wrong("features: no month is in all tables")
    month = max(months)
    places = pl.DataFrame({"area": districts})
    shares = []
    for of, per in figures:
        both = places.join(_of_month(of, month), on="area", how="left", maintain_order="left")
        both = both.join(_of_month(per, month), on="area", how="left", maintain_order="left", suffix="_per")
        share = 100 * both["value"] / both["value_per"].replace(0, None)
        shares.append(share.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    found = np.stack(shares, axis=1)
    known = np.isfinite(found).all(axis=1)
    if known.sum() > MOST_DISTRICTS:
        raise _wrong(f"more than {MOST_DISTRICTS} districts")
    kept, gone = (tuple(districts.filter(pl.Series(mask))) for mask in (known, ~known))
    return Profiles(month, kept, gone, found[known])


def types_of(profile: Profiles, k: int) -> Typing:
    """The types of districts, numbered by the first feature of their medoids, highest first.

    Raises:
        ConfigurationError: fewer than three districts a type are shown (``typology.few``).
    """
    if len(profile.districts) < 3 * k:
        raise ConfigurationError(
            "too few districts have a published profile for so many types",
            code="typology.few",
            at={"districts": len(profile.districts), "types": k},
            remedy="ask for fewer types, or for features that are shown in more districts",
        )
    found = typed(distances(profile.shares), k)
    order = np.argsort(-profile.shares[found.medoids, 0], kind="stable")
    place = np.empty(k, dtype=int)
    place[order] = np.arange(k)
    return Typing(found.medoids[order], place[found.member], found.together, found.stability[order], found.silhouette)


def separation(profile: Profiles) -> dict[int, float]:
    """Number of types → mean silhouette, for as many types as there are three districts each (at most eight)."""
    apart = distances(profile.shares)
    most = min(8, len(profile.districts) // 3)
    return {k: silhouette(apart, apart[:, medoids_of(apart, k)].argmin(axis=1)) for k in range(2, most + 1)}


def as_delivery(profile: Profiles, found: Typing) -> str:
    """The CSV of the public source ``district_types``: of each district type and stability (%), and who is a medoid."""
    medoids = set(found.medoids.tolist())
    lines = ["district,type,figure,value"]
    for place, code in enumerate(profile.districts):
        number = int(found.member[place]) + 1
        lines.append(f"{code},{number},stability,{round(100 * float(found.together[place]))}")
        if place in medoids:
            lines.append(f"{code},{number},medoid,1")
    return "\r\n".join([*lines, ""])


def _figures(cell: Cell, tables: Path) -> pl.DataFrame:
    path = tables / f"{cell.table}.parquet"
    if not path.is_file():
        raise _wrong(f"table {cell.table}")
    frame = pl.read_parquet(path)
    others = {name for name in frame.columns if name not in ("period", "area", "value", "status")}
    if others != set(cell.at) or "area" not in frame.columns:
        raise _wrong(f"{cell.table}: at states each of {', '.join(sorted(others))}")
    rows = frame.filter(*(pl.col(name) == code for name, code in cell.at.items()))
    if rows.is_empty():
        raise _wrong(f"{cell.table}: no row has these codes")
    return rows.with_columns(pl.when(pl.col("status") == "published").then("value").alias("value"))


def _of_month(frame: pl.DataFrame, month: str) -> pl.DataFrame:
    return frame.filter(pl.col("period") == month).select("area", "value")


def names_of_types() -> Mapping[str, str]:
    """Number of a type → the name that people gave it (hierarchy ``district_type``)."""
    tree = hierarchies()["district_type"]
    return {code: tree.label(code) for code in tree.leaves}


def _wrong(place: str) -> ConfigurationError:
    return ConfigurationError(
        "what districts are compared by is not as it must be",
        code="typology.file",
        at={"file": "typology.toml", "place": place},
        remedy="compare the file with docs/typology.md",
    )
