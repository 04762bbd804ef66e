"""The registry of abstraction rules, as what a contract may write about a column.

Every rule is a small model: which classes of column may have it, and its parameters. A contract that names another
rule, another parameter or a forbidden class does not load, so what a column's class promises cannot be talked away:
a code that identifies by law (C) can only be ``never``; an identifier (I) is dropped, or read for a join and then
dropped.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kobe_platform.vocabulary import codes as vocabulary

Class = Literal["I", "C", "L", "Q", "S", "X", "T", "P"]
"""I identifier, C code that identifies by law, L link, Q quasi-identifier, S sensitive, X protected, T technical,
P public."""


OnlyFor = dict[Literal["column", "value"], str]
"""Another column and its value: the rule works only on rows that have it."""


class Column(BaseModel):
    """What every column of a contract states.

    Attributes:
        id: name inside the platform.
        header: the sender's name of it.
        class_: its class (``class`` in the file).
        rule: what abstraction does with it.
        width: bytes in the fixed-width layout.
        digits: exact number of digits of a key; lost zeros and exponents then reject the delivery (quirk 5).
        check_digit: how the last digit checks the others; a failure only warns.
        title: Japanese name for screens, where the header is none.
        unit: of a number, for screens.
        labels: our code → Japanese label, for screens, where the vocabulary has none. Such words change no figure, so
            they are no part of a contract's digest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    classes: ClassVar[str] = ""
    read: ClassVar[bool] = True

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    header: str = Field(min_length=1)
    class_: Class = Field(alias="class")
    width: int | None = Field(default=None, ge=1)
    digits: int | None = Field(default=None, ge=1, le=15)
    check_digit: Literal["mod11"] | None = None
    title: str = Field(default="", exclude=True)
    unit: str = Field(default="", exclude=True)
    labels: dict[str, str] = Field(default_factory=dict, exclude=True)

    @model_validator(mode="after")
    def _class_allows_rule(self) -> Self:
        if self.class_ not in self.classes:
            raise ValueError(f"class {self.class_} may not have this rule")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the lake columns that the rule yields."""
        return tuple(name for field in ("to", "to_ward", "to_town") if (name := getattr(self, field, None)))


class Derived(Column):
    """A column whose lake values may be unknown: null, or the code ``unknown``.

    ``unknown_at_most``: above this share of them the quality check of the lake fails (it reports and refuses nothing,
    so it is no part of a contract's digest).
    """

    unknown_at_most: float = Field(default=0.05, ge=0, le=1, exclude=True)


class Never(Column):
    """A code that identifies by law: never written, in any form; in memory it is the delivery's leak set."""

    classes = "C"
    read = False
    rule: Literal["never"]
    shape: Literal["my_number", "resident_code", "residence_card", "other"] = "other"


class Drop(Column):
    """No rule reads it, so it is never written. ``warn_expired`` counts past dates while they are in memory."""

    classes = "ILQSTP"
    read = False
    rule: Literal["drop"]
    warn_expired: bool = False


class Read(Column):
    """Read by the rule of the column ``by``, then dropped."""

    classes = "ILQT"
    rule: Literal["read"]
    by: str


class Pseudonym(Derived):
    """A keyed pseudonym for one purpose, of this column or of it and ``with`` together.

    ``hide_protected``: null for protected persons and their households. ``optional``: may be blank (then null).
    """

    classes = "L"
    rule: Literal["pseudonym"]
    purpose: str = Field(pattern=r"^[a-z_]+$")
    to: str
    with_: tuple[str, ...] = Field(default=(), alias="with")
    hide_protected: bool = False
    optional: bool = False


class History(Column):
    """Version of a record (``history`` of key ``of``): the largest is current, smaller ones are superseded."""

    classes = "T"
    rule: Literal["history"]
    of: str


class Codes(Derived):
    """The sender's codes → the vocabulary's.

    ``codes``: sender's code → ours; ``blank``: for an empty value (absent: null); ``other``: for codes outside the list
    (absent: null); ``list``: codes of a vocabulary list stand for themselves, or those of ``system`` for
    them (``countries``: ISO 3166 alpha-3, alpha-2 or numeric); ``only_for`` {column, value}: the code of
    another column for which alone a value may stand here, and must if ``required``; ``unknown_share``: above it the
    delivery is rejected; ``boolean``: ours are "true" and "false".
    """

    classes = "QS"
    rule: Literal["codes"]
    to: str
    codes: dict[str, str] = {}
    list: str | None = None
    system: Literal["iso-3166-alpha-3", "iso-3166-alpha-2", "iso-3166-numeric"] | None = None
    blank: str | None = None
    other: str | None = None
    unknown_share: float = Field(default=0.01, ge=0, le=1)
    only_for: OnlyFor | None = None
    required: bool = False
    boolean: bool = False

    @property
    def mapping(self) -> dict[str, str]:
        """Every known code of the sender → ours."""
        if self.list and self.system:
            return {**vocabulary.code_system(self.list, self.system), **self.codes}
        listed = {code: code for code in vocabulary.code_list(self.list)} if self.list else {}
        return {**listed, **self.codes}


class Keep(Column):
    """Text as it is: public columns, or quasi-identifiers whose ``pattern`` leaves no room for a person.

    ``list``: the text is a code of this hierarchy (its root included) or code list of the vocabulary. Of public
    columns, ``codes``: the sender's text → what is kept instead; ``system``: how municipalities are written.
    """

    classes = "QP"
    rule: Literal["keep"]
    to: str
    pattern: str | None = None
    list: str | None = None
    codes: dict[str, str] = {}
    system: Literal["jis-x-0402", "local-government"] | None = None

    @model_validator(mode="after")
    def _list_is_known(self) -> Self:
        if self.list and not self.listed:
            raise ValueError(f"the vocabulary has no list {self.list}")
        return self

    @property
    def listed(self) -> tuple[str, ...]:
        """The codes of its list; empty where it has none."""
        return vocabulary.codes_of(self.list) if self.list else ()

    @model_validator(mode="after")
    def _pattern_bounds_personal_text(self) -> Self:
        if self.class_ != "P" and not self.pattern:
            raise ValueError("a kept column that is not public needs a pattern")
        if self.class_ != "P" and (self.codes or self.system):
            raise ValueError("codes and system of a kept column belong to public ones")
        return self


class Number(Column):
    """A whole number; ``breaks`` makes bands of it ([0, 10] = 0-9, 10+).

    ``least``, ``most``: numbers beyond them are as wrong as a text that is none (``value.range``). Texts of a public
    column: ``missing`` that mean that there is no figure, such as …; ``zero`` that mean none, such as －.
    """

    classes = "QP"
    rule: Literal["number"]
    to: str
    breaks: tuple[int, ...] = ()
    least: int | None = None
    most: int | None = None
    missing: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()


class Day(Column):
    """A day of the calendar, of a public column: western or era, with any separator; kept as ``YYYY-MM-DD``.

    ``within``: the delivery's ``month`` or its ``year`` in which the day lies (``any``: anywhere); ``day``: it is the
    month's ``first`` or ``last``, also where only a month is written; ``optional``: may be blank.
    """

    classes = "P"
    rule: Literal["day"]
    to: str
    within: Literal["month", "year", "any"] = "month"
    day: Literal["first", "last", "any"] = "any"
    optional: bool = False


class Age(Derived):
    """Age attained by law at the end of a day: the month's last, or that of the column ``on``.

    ``unknown``: the column that says which parts are unknown; ``kind``: the column that tells the western calendar from
    the Japanese; ``oldest``: top code; ``limit``: above it the row is set aside.
    """

    classes = "Q"
    rule: Literal["age"]
    to: str = "age"
    to_precision: str | None = None
    unknown: str | None = None
    on: str | None = None
    oldest: int = vocabulary.OLDEST_AGE
    limit: int = 120

    @property
    def outputs(self) -> tuple[str, ...]:
        """The age and, where asked for, how much of the birth date was known."""
        return (self.to, self.to_precision) if self.to_precision else (self.to,)


class Duration(Derived):
    """Whole years from the date to the month's end, in bands; null where ``only_for`` does not hold."""

    classes = "QS"
    rule: Literal["duration"]
    to: str
    breaks: tuple[int, ...] = (0, 1, 3, 5, 10)
    only_for: OnlyFor | None = None


class EventMonth(Column):
    """The month that an event is booked in; events of another month are set aside."""

    classes = "QT"
    rule: Literal["event_month"]
    to: str


class Area(Derived):
    """An address code → ward and town. ``outside`` says what an address outside the city's wards does to the row."""

    classes = "Q"
    rule: Literal["area"]
    to_ward: str
    to_town: str | None = None
    town_digits: int = Field(default=8, ge=5, le=11)
    reference: str | None = None
    hide_protected: bool = True
    optional: bool = False


class District(Derived):
    """School district: as given where the dated reference holds it, else derived from town and lot, else unknown."""

    classes = "Q"
    rule: Literal["district"]
    to: str
    address: str
    lot: str | None = None
    reference: str = "town_districts"
    hide_protected: bool = True
    warn_share: float = 0.005


class CoarseArea(Derived):
    """Municipality in the prefecture, else prefecture, else region of the world, of the first filled of ``prefer``.

    ``system``: how the sender writes municipalities: ``jis-x-0402`` (five digits) or ``local-government`` (全国地方公共
    団体コード: the same five and a check digit). Abroad is Z and three letters, unknown 99999.
    """

    classes = "Q"
    rule: Literal["coarse_area"]
    to: str
    system: Literal["jis-x-0402", "local-government"] = "jis-x-0402"
    prefer: tuple[str, ...] = ()
    hide_protected: bool = True


class Filter(Column):
    """Rows whose code is in ``keep`` stay; ``codes`` names the others (sender's code → name in the counts).

    ``pending`` {code, companion}: rows of that code stay while the companion extract holds a departure after the month.
    """

    classes = "T"
    rule: Literal["filter"]
    keep: tuple[str, ...]
    codes: dict[str, str]


class Protection(Column):
    """Marks protected persons: they and their households lose town, district, counterparts and household links.

    ``protected``: codes that protect; ``released``: those that do not (blank among them); any other protects and warns.
    ``person``: the key column; ``households``: the household columns; ``companion``: the extract of the same month in
    which household members are looked up (its columns are ``companion_columns`` person, household, protection).
    """

    classes = "X"
    rule: Literal["protection"]
    protected: tuple[str, ...]
    released: tuple[str, ...]
    person: str
    households: tuple[str, ...]
    companion: str | None = None
    companion_columns: dict[Literal["person", "household", "protection"], str] = {}


RELATIONSHIPS = ("head", "spouse", "child", "parent", "grandchild", "other")
"""Categories that a relationship to the head can have; a child's child shows as other."""


class Relationship(Column):
    """Relationship to the head → category, and from it each household's representative, size and family type."""

    classes = "Q"
    rule: Literal["relationship"]
    to: str = "relationship"
    to_representative: str = "is_representative"
    to_size: str = "household_size"
    to_family: str = "family_type"
    household: str
    codes: dict[str, str]
    unknown_share: float = Field(default=0.01, ge=0, le=1)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Category, then what only the household yields."""
        return self.to, self.to_representative, self.to_size, self.to_family


class Reason(Column):
    """Reason of an event → what it is for statistics.

    ``codes``: the sender's code → a lake reason, ``move`` (ward_move or within_ward, as the two addresses say) or
    ``cancels:<reason>`` (what the cancellation of an earlier month's event is booked as; ``cancels:move_back``
    likewise).
    ``planned``: reasons whose date may lie ahead of the processing day.
    """

    classes = "Q"
    rule: Literal["reason"]
    to: str = "reason"
    codes: dict[str, str]
    before: str
    after: str
    lots: tuple[str, str] | None = None
    event_on: str
    processed_on: str
    planned: tuple[str, ...] = ()
    unknown_share: float = Field(default=0.01, ge=0, le=1)


class Netting(Column):
    """The version of the same ``person`` that this event cancels: both are netted if both are in the delivery."""

    classes = "T"
    rule: Literal["netting"]
    person: str
    version: str
    reason: str


AnyColumn = Annotated[
    Never
    | Drop
    | Read
    | Pseudonym
    | History
    | Codes
    | Keep
    | Number
    | Day
    | Age
    | Duration
    | EventMonth
    | Area
    | District
    | CoarseArea
    | Filter
    | Protection
    | Relationship
    | Reason
    | Netting,
    Field(discriminator="rule"),
]
