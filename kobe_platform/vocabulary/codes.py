"""Reads code lists and hierarchies of codes, and derives from a lake column the finest code of each row.

A hierarchy is a dimension that statistics are published by: a tree from the total to the finest codes. The lists are
data (``assets/vocabulary``), so that a city can change its bands, groups and labels. School districts open and close,
so their hierarchy is built for each month from the dated reference table in the inbox (see :func:`districts`).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.hierarchy_tables import HierarchyTable, LabelledCode
from kobe_platform.vocabulary.municipality import localized, own

LISTS = Path(__file__).resolve().parents[2] / "assets" / "vocabulary"
UNKNOWN = "unknown"
OLDEST_AGE = 90
"""Ages of 90 and more are recorded as 90 (top-coding, privacy.md §3)."""


@dataclass(frozen=True)
class Code:
    """One code of a hierarchy; ``parent`` is None at the root."""

    code: str
    label: str
    parent: str | None


@dataclass(frozen=True)
class Hierarchy:
    """A dimension: a tree of codes, the rule that derives the finest from a lake column, and the codes not shown.

    Attributes:
        name: as a statistic's front matter names it.
        title: Japanese name for screens.
        codes: root first, then in display order, parents before children.
        source: the lake column that :meth:`expression` reads.
        residual: finest codes that are counted in totals only.
        breaks: lower bounds of numeric bands (empty for coded columns); the last band is open.
        keep, patterns, mapping: rules from source code to finest code; see ``hierarchies.toml``.
        other: code of values that no rule names, or None where the source's codes are used as they are.
        unknown: code of unknown values: a residual code, or one that counts them with its own.
    """

    name: str
    title: str
    codes: tuple[Code, ...]
    source: str
    residual: tuple[str, ...] = ()
    breaks: tuple[int, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    other: str | None = None
    unknown: str = UNKNOWN

    @property
    def root(self) -> str:
        """Code of the total."""
        return self.codes[0].code

    @property
    def leaves(self) -> tuple[str, ...]:
        """The finest codes in display order, residual ones left out."""
        parents = {code.parent for code in self.codes}
        return tuple(c.code for c in self.codes if c.code not in parents and c.code not in self.residual)

    @property
    def parts(self) -> tuple[str, ...]:
        """The finest codes below the root: none where the root is the only code, as of a city without wards."""
        return tuple(code for code in self.leaves if code != self.root)

    def label(self, code: str) -> str:
        """Japanese label of a code; the code itself where the list has none."""
        return next((c.label for c in self.codes if c.code == code), code)

    def expression(self) -> pl.Expr:
        """The finest code of each row (text, never null) from the lake column ``source``."""
        column = pl.col(self.source)
        if self.breaks:
            band = pl.lit(pl.Series(self.breaks[1:])).search_sorted(column, side="right")
            label = pl.lit(pl.Series(band_codes(self.breaks))).gather(band)
            return pl.when(column.is_null()).then(pl.lit(self.unknown)).otherwise(label).alias(self.name)
        code = column.cast(pl.String)
        if self.patterns:
            chain: pl.Expr = pl.lit(self.other)
            for target, pattern in reversed(list(self.patterns.items())):
                chain = pl.when(code.str.contains(pattern)).then(pl.lit(target)).otherwise(chain)
            unknown = code.is_null() | (code == UNKNOWN)
            return pl.when(unknown).then(pl.lit(self.unknown)).otherwise(chain).alias(self.name)
        if self.other is not None:
            code = code.replace_strict({UNKNOWN: UNKNOWN, **self.mapping}, default=self.other, return_dtype=pl.String)
            code = pl.when(column.is_null()).then(pl.lit(UNKNOWN)).otherwise(code)
        return code.fill_null(UNKNOWN).alias(self.name)

    def frame(self) -> pl.DataFrame:
        """``code, label, parent, level, sort`` of every shown code, as a release publishes it (``dim_*``)."""
        level: dict[str, int] = {}
        rows = []
        for sort, c in enumerate(c for c in self.codes if c.code not in self.residual):
            level[c.code] = 0 if c.parent is None else level[c.parent] + 1
            rows.append((c.code, c.label, c.parent, level[c.code], sort))
        schema = {"code": pl.String, "label": pl.String, "parent": pl.String, "level": pl.Int8, "sort": pl.Int32}
        return pl.DataFrame(rows, schema=schema, orient="row")


@cache
def hierarchies() -> Mapping[str, Hierarchy]:
    """Every hierarchy of ``assets/vocabulary/hierarchies.toml`` by name; the one of districts is not among them.

    Raises:
        ConfigurationError: a table lacks a key, has one that nothing reads, or names a code twice (coordinates: the
            hierarchy's name and the place in it).
    """
    tables = tomllib.loads(localized((LISTS / "hierarchies.toml").read_text(encoding="utf-8")))
    return {name: _hierarchy(name, table) for name, table in tables.items()}


def wards() -> tuple[str, ...]:
    """Codes of the wards in the order of the list; of a municipality without wards its own code alone."""
    return hierarchies()["ward"].leaves


def unknown_district(ward: str) -> str:
    """The residual code of one ward: its residents whose school district is unknown or protected."""
    return f"{ward}-{UNKNOWN}"


def in_force(reference: pl.DataFrame, month: str) -> pl.DataFrame:
    """The rows of a dated reference table that hold at the end of ``month`` (YYYY-MM).

    Args:
        reference: has ``valid_from`` and ``valid_to`` (ISO dates as text; the end blank or null while in force).
    """
    begins, ends = (pl.col(name).cast(pl.String).fill_null("") for name in ("valid_from", "valid_to"))
    return reference.filter((begins.str.slice(0, 7) <= month) & ((ends == "") | (ends.str.slice(0, 7) > month)))


def districts(reference: pl.DataFrame, month: str) -> Hierarchy:
    """City → ward → school district as the dated reference table has them at the end of ``month`` (YYYY-MM).

    Args:
        reference: text columns ``ward_code, district_code, district_name, valid_from, valid_to`` (others are ignored;
            dates are ISO, ``valid_to`` blank or null while in force).
    """
    ward = hierarchies()["ward"]
    rows = in_force(reference, month).select("ward_code", "district_code", "district_name").unique()
    rows = rows.sort("ward_code", "district_code")
    children: dict[str, list[Code]] = {code: [] for code in ward.leaves}
    for ward_code, code, label in rows.iter_rows():
        if ward_code in children:
            children[ward_code].append(Code(code, label, ward_code))
    codes = list(ward.codes)
    for code in ward.leaves:
        codes += children[code]
        codes.append(Code(unknown_district(code), "不明", code))
    residual = tuple(unknown_district(code) for code in ward.leaves)
    return Hierarchy("district", "区・小学校区", tuple(codes), "district", residual)


@cache
def codes_of(name: str) -> tuple[str, ...]:
    """All codes of a hierarchy (a root without a label left out) or of a code list; empty where there is neither."""
    if name in hierarchies():
        return tuple(code.code for code in hierarchies()[name].codes if code.label or code.parent is not None)
    return tuple(code_list(name)) if (LISTS / f"{name}.csv").is_file() else ()


@cache
def code_list(name: str) -> Mapping[str, str]:
    """``code → label`` of one CSV list (``countries``, ``prefectures``, ``municipalities``)."""
    return {row["code"]: row["label"] for row in _rows(f"{name}.csv")}


def neighbours() -> Mapping[str, str]:
    """``code → label`` of the other municipalities of the prefecture."""
    return own().neighbours


def is_list(name: str) -> bool:
    """Whether ``assets/vocabulary`` has such a list of codes."""
    return name in {path.stem for path in LISTS.glob("*.csv")}


COLUMNS_OF_SYSTEMS = {"iso-3166-alpha-3": "code", "iso-3166-alpha-2": "alpha2", "iso-3166-numeric": "numeric"}
"""System of codes → column of ``countries.csv``."""


@cache
def code_system(name: str, system: str) -> Mapping[str, str]:
    """A system's codes → the list's own codes; codes that the system does not have are left out."""
    column = COLUMNS_OF_SYSTEMS[system]
    return {row[column]: row["code"] for row in _rows(f"{name}.csv") if row.get(column)}


@cache
def regions(name: str) -> Mapping[str, str]:
    """``code → region`` of the lists that group their codes (``countries``, ``prefectures``)."""
    return {row["code"]: row["region"] for row in _rows(f"{name}.csv")}


def _rows(file_name: str) -> list[dict[str, str]]:
    with (LISTS / file_name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def band_codes(breaks: Iterable[int]) -> list[str]:
    """Names of bands by their lower bounds: (0, 1, 3) gives ``0``, ``1-2``, ``3+``."""
    lower = list(breaks)
    closed = [str(low) if low == high - 1 else f"{low}-{high - 1}" for low, high in pairwise(lower)]
    return [*closed, f"{lower[-1]}+"]


def _band_label(code: str, unit: str) -> str:
    if code.endswith("+"):
        return f"{code[:-1]}{unit}以上"
    return f"{code.replace('-', '〜')}{unit}"


def _hierarchy(name: str, table: object) -> Hierarchy:
    try:
        written = HierarchyTable.model_validate(table)
        root = Code(written.root.code, written.root.label, None)
        codes, mapping = _codes(written, root)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _incomplete(name, ".".join(map(str, first["loc"])) or first["msg"]) from None
    except (KeyError, OSError, ValueError):
        raise _incomplete(name, "list" if written.list else "groups") from None
    other = written.other
    if isinstance(other, LabelledCode):
        if all(code.code != other.code for code in codes):
            codes.append(Code(other.code, other.label, root.code))
        other = other.code
    codes += [Code(code, "不明", root.code) for code in written.residual]
    named = [root.code, *(c.code for c in codes)]
    if len(set(named)) != len(named):
        raise ConfigurationError(
            "a hierarchy names a code twice", code="vocabulary.duplicate", at={"hierarchy": name}, remedy="rename one"
        )
    if written.patterns and other is None:
        other = UNKNOWN
    return Hierarchy(
        name,
        written.title,
        (root, *codes),
        written.source,
        written.residual,
        written.breaks or (),
        mapping,
        {c: pattern for c, pattern in written.patterns.items() if c in written.kept},
        other,
        written.unknown,
    )


def _incomplete(name: str, place: str) -> ConfigurationError:
    return ConfigurationError(
        "a hierarchy is incomplete",
        code="vocabulary.incomplete",
        at={"file": "hierarchies.toml", "hierarchy": name, "place": place},
        remedy="give it title, root, source and one of codes, breaks, keep; no other key than the reference has",
    )


def _codes(written: HierarchyTable, root: Code) -> tuple[list[Code], dict[str, str]]:
    """The codes below the root, and value of the source → finest code."""
    if written.breaks is not None:
        return _banded(written, root, written.breaks), {}
    if written.keep is not None:
        labels = {row["code"]: row["label"] for row in _rows(str(written.list))}
        return [Code(c, labels[c], root.code) for c in written.keep], {c: c for c in written.keep}
    if written.within is not None:
        inside = [row for row in _rows(str(written.list)) if row["within"] == written.within]
        return [Code(row["code"], row["label"], root.code) for row in inside], {}
    labelled = {written.first.code: written.first.label} if written.first else {}
    labelled |= {c: label for c, label in (written.codes or {}).items() if c not in labelled and c in written.kept}
    codes = [Code(c, label, written.parents.get(c, root.code)) for c, label in labelled.items()]
    return codes, written.map or {c.code: c.code for c in codes}


def _banded(written: HierarchyTable, root: Code, breaks: tuple[int, ...]) -> list[Code]:
    unit, groups = written.unit, written.groups
    bands = band_codes(breaks)
    if not groups:
        label = {band: _band_label(band, unit) + ("・不詳" if band == written.unknown else "") for band in bands}
        return [Code(band, label[band], root.code) for band in bands]
    codes: list[Code] = []
    for index, (low, group) in enumerate(zip(groups, band_codes(groups), strict=True)):
        high = groups[index + 1] if index + 1 < len(groups) else None
        codes.append(Code(group, _band_label(group, unit), root.code))
        inside = [b for b, start in zip(bands, breaks, strict=True) if start >= low and (high is None or start < high)]
        codes += [Code(band, _band_label(band, unit), group) for band in inside]
    return codes
