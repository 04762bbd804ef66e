"""Defines the abstraction rules as pydantic models: one model a rule, its fields the keys of a column in a contract.

A model states which classes of column may have the rule, and its parameters. A contract that names another
rule, another parameter or a forbidden class does not load, so a column keeps what its class promises: a code that
identifies by law (C) can only be ``never``; an identifier (I) is dropped, or read for a join and then dropped.
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
        class_: how the column is classified; the class decides which rules it may have.
        width: bytes in the fixed-width layout; required where the contract has one.
        digits: exact number of digits of a key; lost zeros and exponents then reject the delivery (quirk 5).
        check_digit: how the last digit checks the others; a failure only warns. It needs ``digits``.
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

    Attributes:
        unknown_at_most: share of unknown values above which the quality check of the lake fails (it reports and refuses
            nothing, so it is no part of a contract's digest).
    """

    unknown_at_most: float = Field(default=0.05, ge=0, le=1, exclude=True)


class Never(Column):
    """A code that identifies by law: never written, in any form; in memory it is the delivery's leak set.

    Attributes:
        shape: which code it is; of ``my_number`` the check digits are verified, and those that fail are counted.
    """

    classes = "C"
    read = False
    rule: Literal["never"]
    shape: Literal["my_number", "resident_code", "residence_card", "other"] = "other"


class Drop(Column):
    """No rule reads it, so it is never written.

    Attributes:
        warn_expired: whether rows whose date lies before the month are counted as a warning, while they are in memory.
    """

    classes = "ILQSTP"
    read = False
    rule: Literal["drop"]
    warn_expired: bool = False


class Read(Column):
    """Read by the rule of another column, then dropped.

    Attributes:
        by: id of the column whose rule reads it.
    """

    classes = "ILQT"
    rule: Literal["read"]
    by: str


class Pseudonym(Derived):
    """A keyed pseudonym for one purpose, of this column or of it and others together.

    Attributes:
        purpose: what it is for; pseudonyms of one purpose have one key, so equal values have equal pseudonyms.
        to: lake column of the pseudonym.
        with_: ids of further columns; the pseudonym is of all values together.
        hide_protected: whether it is null for protected persons and their households.
        optional: whether a key (``digits``) may be blank, which gives null; otherwise a blank one rejects the delivery.
    """

    classes = "L"
    rule: Literal["pseudonym"]
    purpose: str = Field(pattern=r"^[a-z_]+$")
    to: str
    with_: tuple[str, ...] = Field(default=(), alias="with")
    hide_protected: bool = False
    optional: bool = False


class History(Column):
    """Version of a record: the largest is current, smaller ones are superseded.

    Attributes:
        of: id of the column whose equal values are one record.
    """

    classes = "T"
    rule: Literal["history"]
    of: str


class MappedCodes(Derived):
    """The sender's codes → the vocabulary's.

    Attributes:
        to: lake column of the code.
        codes: sender's code → ours.
        list: list of the vocabulary whose codes stand for themselves (or are written in ``system``), beside ``codes``.
        system: of the list ``countries``: the code system that the sender writes; left out: ISO 3166 alpha-3.
        blank: code for an empty value; left out: null.
        other: code for values that are not listed; left out: null.
        unknown_share: share of values that are not listed above which the delivery is rejected.
        only_for: ``column`` (id, rule ``codes``) and ``value``: only rows with this code of that column may have a
            value; others that have one are set aside.
        required: whether rows without a value (of those that ``only_for`` names, where it is given) are set aside.
        boolean: whether the lake column is true or false; our codes are then ``true`` and ``false``.
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

    Attributes:
        to: lake column of the text.
        pattern: regular expression that the text has to contain (write ^ and $ for the whole of it); required unless
            the class is P.
        list: hierarchy (its root included) or code list of the vocabulary of which the text is a code.
        codes: of public columns: the sender's text → what is kept instead.
        system: of public columns: how the sender writes municipalities; six-digit codes are kept as five digits.
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
    """A whole number, or the band that it lies in.

    Attributes:
        to: lake column of the number or band.
        breaks: lower bounds of bands: [0, 10] gives 0-9 and 10+; empty: the number itself.
        least, most: smallest and largest number; one beyond them is as wrong as a text that is no number
            (``value.range``).
        missing: of public columns: texts that mean that there is no figure, such as …
        zero: of public columns: texts that mean none, such as －; they are read as 0.
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

    Attributes:
        to: column of the day.
        within: whether the day lies in the delivery's month, in its year, or anywhere.
        day: which day of its month it is, also where only a month is written; ``any``: the day that is written.
        optional: whether it may be blank.
    """

    classes = "P"
    rule: Literal["day"]
    to: str
    within: Literal["month", "year", "any"] = "month"
    day: Literal["first", "last", "any"] = "any"
    optional: bool = False


class Age(Derived):
    """Age attained by law at the end of a day: the month's last, or that of the column ``on``.

    Attributes:
        to: lake column of the age.
        to_precision: lake column that says how much of the birth date is known; left out: it is not kept.
        unknown: id of the column that says which parts of the birth date are unknown: 1 the day, 2 month and day, 3
            all.
        on: id of the column with the day at whose end the age is counted; left out: the month's last day.
        oldest: top code: older people have this age.
        limit: age in years above which the row is set aside (``birth.too_old``).
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
    """Whole years from the date to the month's end, in bands.

    Attributes:
        to: lake column of the band; ``unknown`` where the date does not tell it.
        breaks: lower bounds of the bands in years; the first is 0.
        only_for: ``column`` (id, rule ``codes``) and ``value``: rows with another code of that column have null.
    """

    classes = "QS"
    rule: Literal["duration"]
    to: str
    breaks: tuple[int, ...] = (0, 1, 3, 5, 10)
    only_for: OnlyFor | None = None


class EventMonth(Column):
    """The month that an event is booked in; events of another month are set aside.

    Attributes:
        to: lake column of the month (YYYY-MM).
    """

    classes = "QT"
    rule: Literal["event_month"]
    to: str


class Area(Derived):
    """An address code (eleven digits) → ward and town; rows with an address outside the city are set aside.

    Attributes:
        to_ward: lake column of the ward (five digits).
        to_town: lake column of the town; left out: it is not kept.
        town_digits: leading digits of the address code that are kept as the town.
        reference: public source with the towns in force; addresses that it lacks are counted as a warning.
        hide_protected: whether the town of protected persons and their households is ``unknown``.
        optional: whether the address may be blank, which gives null; otherwise such rows are set aside.
    """

    classes = "Q"
    rule: Literal["area"]
    to_ward: str
    to_town: str | None = None
    town_digits: int = Field(default=8, ge=5, le=11)
    reference: str | None = None
    hide_protected: bool = True
    optional: bool = False


class District(Derived):
    """School district: as given where the dated reference holds it, else derived from town and lot, else unknown.

    Attributes:
        to: lake column of the district.
        address: id of the column with the row's address (rule ``area``); without an address the district is null.
        lot: id of the column with the lot (番地), for towns that several districts share.
        reference: public source with the districts of towns and ranges of lots.
        hide_protected: whether the district of protected persons and their households is ``unknown``.
        warn_share: share of rows with an unknown district above which they are counted as a warning.
    """

    classes = "Q"
    rule: Literal["district"]
    to: str
    address: str
    lot: str | None = None
    reference: str = "town_districts"
    hide_protected: bool = True
    warn_share: float = 0.005


class CoarseArea(Derived):
    """Municipality in the prefecture, else prefecture, else region of the world.

    Abroad is Z and three letters, unknown 99999.

    Attributes:
        to: lake column of the area.
        system: how the sender writes municipalities: ``jis-x-0402`` (five digits) or ``local-government``
            (全国地方公共団体コード: the same five and a check digit).
        prefer: ids of columns that are read before this one, in order; the first that is filled counts.
        hide_protected: whether the area of protected persons and their households is ``unknown``.
    """

    classes = "Q"
    rule: Literal["coarse_area"]
    to: str
    system: Literal["jis-x-0402", "local-government"] = "jis-x-0402"
    prefer: tuple[str, ...] = ()
    hide_protected: bool = True


class Filter(Column):
    """Rows in a state that counts stay; all others are filtered and counted.

    Attributes:
        keep: the sender's codes of rows that stay.
        codes: the sender's codes of rows that are filtered → the name under which they are counted; a code that is in
            neither list is filtered as ``other``.
    """

    classes = "T"
    rule: Literal["filter"]
    keep: tuple[str, ...]
    codes: dict[str, str]


class Protection(Column):
    """Marks protected persons: they and their households lose town, district, counterparts and household links.

    Attributes:
        protected: codes that protect.
        released: codes that do not protect, "" among them where a blank does not; any code in neither list protects,
            and is counted as a warning.
        person: id of the column that identifies the person.
        households: ids of the columns that identify households.
        companion: source whose extract of the same month tells who shares a household (it is also among ``needs``).
        companion_columns: ``person``, ``household`` and ``protection`` → ids of these columns in the companion.
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
    """Relationship to the head → category, and from it each household's representative, size and family type.

    Attributes:
        to: lake column of the category.
        to_representative: lake column that is true on one row of each household.
        to_size: lake column of the household's size, on the representative's row.
        to_family: lake column of the family type, on the representative's row.
        household: id of the column that identifies the household.
        codes: the sender's relationship → head, spouse, child, parent, grandchild or other (a grandchild is shown as
            other).
        unknown_share: share of values that are not listed above which the delivery is rejected.
    """

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

    Attributes:
        to: lake column of the reason.
        codes: the sender's code → a lake reason, ``move`` (ward_move or within_ward, as the two addresses say) or
            ``cancels:REASON`` (what the cancellation of an earlier month's event is booked as).
        before: id of the column with the address before the event (rule ``area``).
        after: id of the column with the address after the event (rule ``area``).
        lots: ids of the columns with the lots (番地) before and after; they tell whether anybody moved.
        event_on: id of the column with the day of the event.
        processed_on: id of the column with the day on which it was processed.
        planned: lake reasons whose day may still come: events after the month's end are then filtered.
        unknown_share: share of codes that are not listed above which the delivery is rejected.
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
    """The version of the same record that this event cancels: both are netted if both are in the delivery.

    Attributes:
        person: id of the column that identifies the person.
        version: id of the column with the event's own version.
        reason: id of the column with the reason (rule ``reason``), which tells what is a cancellation.
    """

    classes = "T"
    rule: Literal["netting"]
    person: str
    version: str
    reason: str


class Attainment(Derived):
    """Courses of ``courses.toml`` that members of staff completed → the level that each reached, counted once a person.

    Attributes:
        person: id of the column that identifies the person (rule ``pseudonym``).
        section: id of the column with the 所属コード of ``sections.csv`` (rule ``read``).
        smallest: fewest persons of a bureau that is shown apart; those of a smaller one count in the city only.
        section_level: the level whose holders make a section one that has them.
        to_field, to_course_level: lake columns of the course's field and level.
        to_best: true on one row of each person and field: that of the highest level of course.
        to_counted: true on one row of each person.
        to_level: the level that the person reached, or ``none``, on the counted row.
        to_bureau: the person's bureau, on the counted row.
        to_leads: true on one row of each section that has a holder of ``section_level`` or a higher level.
    """

    classes = "Q"
    rule: Literal["attainment"]
    person: str
    section: str
    smallest: int = Field(default=30, ge=2)
    section_level: str = "B"
    to_field: str = "field"
    to_course_level: str = "course_level"
    to_best: str = "is_field_best"
    to_counted: str = "is_counted"
    to_level: str = "level"
    to_bureau: str = "bureau"
    to_leads: str = "leads_section"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Of the row its course's field and level; then what is there once a person or section."""
        once = (self.to_counted, self.to_level, self.to_bureau, self.to_leads)
        return self.to_field, self.to_course_level, self.to_best, *once


AnyColumn = Annotated[
    Never
    | Drop
    | Read
    | Pseudonym
    | History
    | MappedCodes
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
    | Netting
    | Attainment,
    Field(discriminator="rule"),
]
