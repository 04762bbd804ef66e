"""Lists the columns of a source that a statistic can name, what they hold, and which identify people.

All of it follows from the source's contract and the vocabulary, so a new core system brings its own columns, its own
pseudonyms and its own guards with its contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from kobe_platform.abstraction.areas import coarse_areas
from kobe_platform.abstraction.households import CATEGORIES, FAMILIES
from kobe_platform.abstraction.movements import booked_reasons
from kobe_platform.contracts import Contract
from kobe_platform.contracts import columns as rules
from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary.codes import UNKNOWN, Hierarchy, band_codes, hierarchies, wards
from kobe_platform.vocabulary.courses import NO_LEVEL, load_courses

if TYPE_CHECKING:
    import polars as pl

DISTRICT = "district"
"""The hierarchy of the month's school districts, which is in no file of the vocabulary."""
TRIAL_ROWS = 60
_PRIMES = (1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)


@dataclass(frozen=True)
class SourceColumn:
    """One column of a source.

    Attributes:
        kind: what its values compare with: ``text`` (codes), ``number``, ``truth``, or ``link``.
        codes: every code that may stand in it; None where the list is not known (districts, open text).
        unknown: codes that say that the value is not known.
        may_be_unknown: whether a row can be without a known value, by one of these codes or by being empty.
        empty_is_known: whether an empty value says something: an address outside the city.
        hierarchies: whose finest codes it holds.
        example: values of made-up rows.
    """

    name: str
    kind: Literal["text", "number", "truth", "link"]
    codes: tuple[str, ...] | None = None
    unknown: tuple[str, ...] = (UNKNOWN,)
    may_be_unknown: bool = True
    empty_is_known: bool = False
    hierarchies: tuple[str, ...] = ()
    example: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class SelectSource:
    """One source of rows or of public figures; one object for each content of a contract.

    Attributes:
        columns: what a statistic can name, by name: the contract's columns and the hierarchies that derive from them.
        withheld: columns that no statistic may name: they tell rows apart, or protected persons from others
            (privacy.md §4).
        row_key: the pseudonym in whose order rows are chosen; empty where the source has none.
        stored: the columns as they lie in the lake, for made-up rows.
        public: figures that are published already.
    """

    name: str
    columns: Mapping[str, SourceColumn] = field(repr=False)
    withheld: frozenset[str]
    row_key: str
    stored: tuple[SourceColumn, ...] = field(repr=False)
    public: bool

    def made_up_rows(self, rows: int = TRIAL_ROWS) -> pl.DataFrame:
        """Rows that nobody is behind, with every value that a column can have: what a SELECT is tried on."""
        import polars as pl

        made = {}
        for place, column in enumerate(self.stored):
            step = _PRIMES[place % len(_PRIMES)]
            values = column.example or (None,)
            made[column.name] = pl.Series(
                [values[row * step % len(values)] for row in range(rows)], dtype=_type(column)
            )
        return pl.DataFrame(made)


def _type(column: SourceColumn) -> pl.DataType:
    import polars as pl

    kinds = {"text": pl.String(), "number": pl.Int64(), "truth": pl.Boolean(), "link": pl.UInt64()}
    return pl.String() if isinstance((column.example or ("",))[0], str) else kinds[column.kind]


def sources_of(contracts: Mapping[str, Contract]) -> dict[str, SelectSource]:
    """The sources of all contracts by name.

    Raises:
        ConfigurationError: a rule makes columns that are not described here (``statistics.source``).
    """
    return {name: _source(contract.model_dump_json(by_alias=True)) for name, contract in contracts.items()}


@lru_cache(maxsize=64)
def _source(contract_json: str) -> SelectSource:
    contract = Contract.model_validate_json(contract_json)
    stored = [made for column in contract.columns for made in _made(column)]
    public = contract.sensitivity == "public"
    withheld = {column.name for column in stored if column.kind == "link"}
    columns = {column.name: column for column in stored if column.kind != "link"}
    if not public:
        columns |= {tree.name: _derived(tree) for tree in hierarchies().values() if _derives(tree, columns)}
    keys = [c.to for c in contract.having(rules.Pseudonym) if c.id in contract.key]
    return SelectSource(contract.name, columns, frozenset(withheld), next(iter(keys), ""), tuple(stored), public)


def _derives(tree: Hierarchy, columns: Mapping[str, SourceColumn]) -> bool:
    """Whether the finest codes of a hierarchy follow from one of the columns (a city's only code does not)."""
    return tree.source in columns and len(tree.codes) > 1


def _derived(tree: Hierarchy) -> SourceColumn:
    return SourceColumn(
        name=tree.name,
        kind="text",
        codes=(*tree.leaves, *tree.residual),
        unknown=tree.residual,
        may_be_unknown=bool(tree.residual),
        hierarchies=(tree.name,),
    )


def _made(column: rules.Column) -> Iterator[SourceColumn]:
    """The columns that a contract's column becomes in the lake."""
    if not column.outputs:
        return
    describe = RULES.get(type(column))
    if describe is None:
        raise ConfigurationError(
            "statistics do not know what an abstraction rule makes",
            code="statistics.source",
            at={"rule": type(column).__name__},
            remedy="describe the rule in kobe_platform/statistics/select/sources.py",
        )
    yield from describe(column)


def _pseudonym(column: rules.Pseudonym) -> Iterator[SourceColumn]:
    yield SourceColumn(column.to, "link", example=tuple(range(1, TRIAL_ROWS + 1)))


def _codes(column: rules.MappedCodes) -> Iterator[SourceColumn]:
    if column.boolean:
        yield SourceColumn(column.to, "truth", may_be_unknown=False, example=(True, False))
        return
    codes = tuple(dict.fromkeys([*column.mapping.values(), *(c for c in (column.blank, column.other) if c)]))
    always = column.required and column.only_for is None and UNKNOWN not in codes
    example = codes[:8] if always else (*codes[:7], UNKNOWN, None)
    yield SourceColumn(column.to, "text", codes, may_be_unknown=not always, example=example)


def _keep(column: rules.Keep) -> Iterator[SourceColumn]:
    yield SourceColumn(column.to, "text", example=("a", "b", None))


def _day(column: rules.Day) -> Iterator[SourceColumn]:
    last = None if column.optional else "2025-07-02"
    days = ("2025-07-01", "2025-07-31", last)
    yield SourceColumn(column.to, "text", may_be_unknown=column.optional, example=days)


def _number(column: rules.Number) -> Iterator[SourceColumn]:
    if column.breaks:
        yield _banded(column.to, column.breaks)
    else:
        yield SourceColumn(column.to, "number", unknown=(), example=(1, 5, 20, 100, None))


def _age(column: rules.Age) -> Iterator[SourceColumn]:
    ages = (*range(0, column.oldest + 1, 7), column.oldest, None)
    yield SourceColumn(column.to, "number", unknown=(), example=ages)
    if column.to_precision:  # says whose birth date is not known
        yield SourceColumn(column.to_precision, "link", example=("day", "month", "year", UNKNOWN))


def _duration(column: rules.Duration) -> Iterator[SourceColumn]:
    yield _banded(column.to, column.breaks)


def _banded(name: str, breaks: tuple[int, ...]) -> SourceColumn:
    codes = tuple(band_codes(breaks))
    return SourceColumn(name, "text", (*codes, UNKNOWN), example=(*codes, UNKNOWN, None))


def _event_month(column: rules.EventMonth) -> Iterator[SourceColumn]:
    yield SourceColumn(column.to, "text", may_be_unknown=False, example=("2025-07",))


def _area(column: rules.Area) -> Iterator[SourceColumn]:
    example = (*wards()[:3], None) if column.optional else wards()[:3]
    yield SourceColumn(
        column.to_ward, "text", wards(), hierarchies=("ward",), example=example,
        may_be_unknown=column.optional, empty_is_known=True, unknown=(),
    )  # fmt: skip
    if column.to_town:
        yield SourceColumn(column.to_town, "link", example=(f"{wards()[0]}001", UNKNOWN))


def _district(column: rules.District) -> Iterator[SourceColumn]:
    example = ("0101", "0102", "0101", "0102", UNKNOWN)
    yield SourceColumn(column.to, "text", hierarchies=(DISTRICT,), example=example)


def _coarse_area(column: rules.CoarseArea) -> Iterator[SourceColumn]:
    codes = tuple(coarse_areas())
    yield SourceColumn(column.to, "text", codes, example=(*codes[:: max(1, len(codes) // 8)], UNKNOWN))


def _relationship(column: rules.Relationship) -> Iterator[SourceColumn]:
    yield SourceColumn(column.to, "text", CATEGORIES, (), may_be_unknown=False, example=CATEGORIES)
    yield SourceColumn(column.to_representative, "truth", may_be_unknown=False, example=(True, True, False))
    yield SourceColumn(column.to_size, "number", unknown=(), example=(1, 2, 3, 7, None))
    yield SourceColumn(column.to_family, "text", FAMILIES, example=(*FAMILIES, None))


def _reason(column: rules.Reason) -> Iterator[SourceColumn]:
    codes = tuple(booked_reasons(column))
    yield SourceColumn(column.to, "text", codes, (), may_be_unknown=False, example=codes)


def _attainment(column: rules.Attainment) -> Iterator[SourceColumn]:
    fields, levels = hierarchies()["training_field"].leaves, tuple(load_courses().levels)
    bureaus = hierarchies()["bureau"].leaves
    yield SourceColumn(column.to_field, "text", fields, example=(*fields, UNKNOWN))
    yield SourceColumn(column.to_course_level, "text", levels, example=(*levels, UNKNOWN))
    yield SourceColumn(column.to_best, "truth", may_be_unknown=False, example=(True, False))
    yield SourceColumn(column.to_counted, "truth", may_be_unknown=False, example=(True, True, False))
    yield SourceColumn(column.to_level, "text", (NO_LEVEL, *levels), example=(NO_LEVEL, *levels, None))
    yield SourceColumn(column.to_bureau, "text", bureaus, example=(*bureaus[:5], UNKNOWN, None))
    yield SourceColumn(column.to_leads, "truth", may_be_unknown=False, example=(True, False))


RULES: Mapping[type[rules.Column], Callable[[Any], Iterator[SourceColumn]]] = {
    rules.Pseudonym: _pseudonym,
    rules.MappedCodes: _codes,
    rules.Keep: _keep,
    rules.Day: _day,
    rules.Number: _number,
    rules.Age: _age,
    rules.Duration: _duration,
    rules.EventMonth: _event_month,
    rules.Area: _area,
    rules.District: _district,
    rules.CoarseArea: _coarse_area,
    rules.Relationship: _relationship,
    rules.Reason: _reason,
    rules.Attainment: _attainment,
}
"""Rule of a contract → its columns as statistics see them; the other rules make none."""
