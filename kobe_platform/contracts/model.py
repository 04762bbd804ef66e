"""Defines a contract: the form in which a core system delivers, and what the platform may make of each column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kobe_platform.contracts.columns import AnyColumn, Column, History, Never, Protection
from kobe_platform.contracts.published import PublishedTable, table_faults
from kobe_platform.vocabulary.months import FORM

Encoding = Literal["cp932", "utf-8", "utf-8-sig"]
Kind = TypeVar("Kind", bound=Column)
"""A rule of columns."""
ERAS = {"meiji": 1868, "taisho": 1912, "showa": 1926, "heisei": 1989, "reiwa": 2019}
"""Western year of each era's first year."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Consultation(_Strict):
    """A consultation of the city's council.

    Attributes:
        number: number of its answer.
        on: day on which the answer was given.
    """

    number: str = Field(min_length=1)
    on: date


class Legal(_Strict):
    """Why the platform may hold the data: every field is a choice that somebody must make.

    Attributes:
        basis: identifier in the register of legal bases (``assets/vocabulary/legal_bases.toml``).
        consultation: the council's answer; required where the register says that the basis is one, and only there.
        purpose: what the data is held for, in Japanese; required of personal sources.
        retention_months: months after the reference month at whose end the rows are destroyed; required of
            personal sources.
        valid_from, valid_until: days between which the basis holds, both included (left out: no limit).
        other_law: laws that bind beside the act (empty list: none, and somebody said so).
        lifted_by: what allows the use where a law of ``other_law`` forbids it; required there.
        owner_section: the section that owns the data and decides on applications for its use.
    """

    basis: str
    consultation: Consultation | None = None
    purpose: str = ""
    retention_months: int | None = Field(default=None, ge=1)
    valid_from: date | None = None
    valid_until: date | None = None
    other_law: tuple[str, ...]
    lifted_by: str | None = None
    owner_section: str = Field(min_length=1)

    def holds(self, day: date) -> bool:
        """Whether the basis is in force on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


class Dates(_Strict):
    """How the sender writes dates; nothing is guessed.

    Attributes:
        eras: era code → era. Without it no number is read as an era date.
        era_digits: digits of the era code.
        kind: id of the column that says whether a row is in the western calendar.
        western: code of that column for the western calendar; required with ``kind``.
        serials: whether five digits are a spreadsheet's day count.
    """

    eras: dict[str, Literal["meiji", "taisho", "showa", "heisei", "reiwa"]] = {}
    era_digits: Literal[1, 2] = 1
    kind: str | None = None
    western: str | None = None
    serials: bool = False


class Layout(_Strict):
    """How files are laid out.

    Attributes:
        form: how a record is cut into fields: by a delimiter, by the widths of the columns, or as a workbook (XLSX).
        suffix: ends of file names, such as ``.csv``, that tell layouts apart where the manifest names none.
        delimiter: what stands between the fields of delimited files.
        leading: records before the column line (before the first row where there is none); they are passed over.
        leading_mark: first field of the first of them; a file that begins otherwise is refused. Empty: anything.
        trailer: whether a last record counts the rows (fixed width: the mark, then the padded count).
        trailer_mark: first field of that record.
        trailer_field: number of its field with the count, from 1 (not of fixed width).
        table: of public sources: how a table that was made to be looked at is read; a workbook (XLSX) is always one.
    """

    form: Literal["delimited", "fixed", "workbook"]
    suffix: tuple[str, ...]
    delimiter: Literal[",", "\t", ";"] = ","
    leading: int = Field(default=0, ge=0, le=20)
    leading_mark: str = ""
    trailer: bool = False
    trailer_mark: str = Field(default="T", min_length=1)
    trailer_field: int = Field(default=2, ge=2)
    table: PublishedTable | None = None

    @model_validator(mode="after")
    def _tables_fit_their_form(self) -> Self:
        if self.table and (self.form == "fixed" or self.trailer):
            raise ValueError("a published table is delimited or a workbook, and has no trailer")
        if self.form == "workbook" and (not self.table or self.leading_mark):
            raise ValueError("a workbook is a published table ([layouts.table]) and has no leading_mark")
        return self


class Thresholds(_Strict):
    """Shares beyond which a delivery is refused or held.

    Attributes:
        row_change: change against the former month's rows, as a share of them, above which the delivery is held.
        row_change_by_month: calendar month (01 to 12) → its own share instead of ``row_change``.
        row_change_rows: a change of so many rows or fewer is never held: in a small town chance alone exceeds a share.
        set_aside: share of the delivery's rows that are set aside, above which it is rejected.
        exchanged: share of rows whose values are distributed otherwise than the month before, from which on two columns
            are compared with each other (1: never).
        reconciliation: share of the records in which a full extract may differ from what the differences before it
            give, above which it is held.
        stock_and_flow: share of a stock by which it may differ from the stock before with the month's events, beyond
            the rows that were set aside by name.
    """

    row_change: float = Field(default=0.005, ge=0)
    row_change_by_month: dict[str, float] = {"03": 0.015, "04": 0.015}
    row_change_rows: int = Field(default=0, ge=0)
    set_aside: float = Field(default=0.01, ge=0, le=1)
    exchanged: float = Field(default=0.2, gt=0, le=1)
    reconciliation: float = Field(default=0.001, ge=0, le=1)
    stock_and_flow: float = Field(default=0, ge=0, le=1)


class Sum(_Strict):
    """Of each row of a public extract: one column is the sum of others.

    Attributes:
        total: id of the column with the sum.
        parts: ids of the columns that are summed.
    """

    total: str
    parts: tuple[str, ...] = Field(min_length=2)


class Total(_Strict):
    """Of a public extract: one row is the sum of all others.

    Attributes:
        column: id of the column that tells the row of the whole from the others.
        whole: value of that column in the row of the whole.
        of: ids of the columns that are summed.
        by: ids of columns, such as the day: each of their values is compared for itself.
    """

    column: str
    whole: str
    of: tuple[str, ...] = Field(min_length=1)
    by: tuple[str, ...] = ()


class Complete(_Strict):
    """Of a public extract: values that must be there.

    Attributes:
        column: id of the column.
        values: values that must stand in it; left out: each code of the column's ``list``.
    """

    column: str
    values: tuple[str, ...] = ()


class Contract(_Strict):
    """One source: its law, layouts, thresholds and columns.

    Attributes:
        name: the source, as the file's name, folders and asset keys have it.
        title, description: Japanese, for screens.
        sensitivity: ``personal`` goes through abstraction; ``public`` straight to statistics.
        use: required of public sources: ``reference`` (in force until the next) or ``statistics``; personal ones go to
            the ``lake``.
        frequency: ``monthly``: a month that does not come is told as overdue; ``irregular``: figures come once, or when
            there are new ones. It changes nothing in what is taken in, and is no part of a contract's digest.
        kinds: kinds of delivery that are taken.
        encodings: encodings that a manifest may name.
        attained: when an age is attained: ``day_before`` the birthday ends (the law), or on the ``birthday``.
        key: ids of the columns that tell rows apart.
        needs: sources whose raw extract of the same month abstraction reads.
        sums, totals, complete: of public sources: what must hold between figures.
        history: whether several versions of a record may stand in one delivery, told apart by the column with the rule
            ``history``; the latest counts.
        legal: why the platform may hold the data.
        dates: how the sender writes dates.
        layouts: how the sender's files are laid out; one at least.
        thresholds: shares beyond which a delivery is refused or held.
        columns: every column of the extract; one that is not listed rejects the delivery.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    description: str = ""
    sensitivity: Literal["personal", "public"]
    use: Literal["lake", "reference", "statistics"] = "lake"
    frequency: Literal["monthly", "irregular"] = Field("monthly", exclude=True)
    kinds: tuple[Literal["snapshot", "events", "difference", "public"], ...] = Field(min_length=1)
    encodings: tuple[Encoding, ...] = ("cp932", "utf-8", "utf-8-sig")
    attained: Literal["day_before", "birthday"] = "day_before"
    needs: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    history: bool = False
    legal: Legal
    dates: Dates = Dates()
    layouts: tuple[Layout, ...] = Field(min_length=1)
    thresholds: Thresholds = Thresholds()
    columns: tuple[AnyColumn, ...] = Field(min_length=1)
    sums: tuple[Sum, ...] = ()
    totals: tuple[Total, ...] = ()
    complete: tuple[Complete, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("id", [column.id for column in self.columns]),
            ("header", [column.header for column in self.columns]),
            ("lake column", [name for column in self.columns for name in column.outputs]),
        ):
            if twice := [name for name, n in Counter(names).items() if n > 1]:
                raise ValueError(f"{what} {twice[0]} stands twice")
        self._references_exist()
        self._fits_its_sensitivity()
        if fault := next(table_faults(self.layouts, self.columns, self.sensitivity == "public"), None):
            raise ValueError(fault)
        if self.history and not self.having(History):
            raise ValueError("history = true needs a column with the rule history")
        if any(layout.form == "fixed" for layout in self.layouts) and any(c.width is None for c in self.columns):
            raise ValueError("a fixed-width layout needs the width of every column")
        return self

    def _fits_its_sensitivity(self) -> None:
        public = [column.id for column in self.columns if column.class_ == "P"]
        if self.sensitivity == "public":
            if len(public) != len(self.columns):
                raise ValueError("a public contract has columns of class P only")
            if self.use == "lake":
                raise ValueError("a public contract states its use: reference or statistics")
        elif self.sums or self.totals or self.complete:
            raise ValueError("sums, totals and complete belong to public contracts")
        elif public or self.use != "lake":
            raise ValueError("a personal contract has neither columns of class P nor another use than the lake")

    def _references_exist(self) -> None:
        known = {column.id for column in self.columns}
        named = {*self.key}
        for column in self.columns:
            named |= _named_columns(column)
        named |= {name for rule in self.sums for name in (rule.total, *rule.parts)}
        named |= {name for rule in self.totals for name in (rule.column, *rule.of, *rule.by)}
        named |= {rule.column for rule in self.complete}
        if self.dates.kind:
            named.add(self.dates.kind)
        if missing := sorted(named - known):
            raise ValueError(f"column {missing[0]} is referred to but not there")
        unread = {column.id for column in self.columns if not column.read}
        if forbidden := sorted(named & unread):
            raise ValueError(f"column {forbidden[0]} is never read, yet a rule refers to it")

    @property
    def by_header(self) -> Mapping[str, Column]:
        """Columns by the sender's name."""
        return {column.header: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column with this id."""
        return next(column for column in self.columns if column.id == name)

    def having(self, kind: type[Kind]) -> list[Kind]:
        """The columns with one rule, in the contract's order."""
        return [column for column in self.columns if isinstance(column, kind)]

    @property
    def read(self) -> tuple[AnyColumn, ...]:
        """The columns that some rule reads: what raw holds."""
        return tuple(column for column in self.columns if column.read)

    @property
    def codes_by_law(self) -> tuple[Column, ...]:
        """The columns of class C: the delivery's leak set."""
        return tuple(self.having(Never))

    @cached_property
    def references(self) -> tuple[str, ...]:
        """Public reference sources that abstraction reads."""
        named = (getattr(column, "reference", None) for column in self.columns)
        return tuple(sorted({name for name in named if name}))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The lake columns, in the contract's order."""
        return tuple(name for column in self.columns for name in column.outputs)

    @property
    def protection(self) -> Protection | None:
        """The column that marks protected persons, where the source has one."""
        return next(iter(self.having(Protection)), None)


def _named_columns(column: Column) -> set[str]:
    """Ids of other columns that a column's rule refers to."""
    named: set[str] = set()
    fields = [
        "by",
        "of",
        "unknown",
        "on",
        "address",
        "lot",
        "household",
        "person",
        "version",
        "reason",
        "before",
        "after",
        "event_on",
        "processed_on",
        "section",
    ]
    for field in fields:
        value = getattr(column, field, None)
        if isinstance(value, str):
            named.add(value)
    for field in ("with_", "prefer", "households", "lots"):
        named |= set(getattr(column, field, None) or ())
    if only_for := getattr(column, "only_for", None):
        named |= {only_for["column"]} if "column" in only_for else set()
    return named


Month = Annotated[str, Field(pattern=rf"^{FORM}$")]
