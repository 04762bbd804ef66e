"""Draws the filters of a page: the values offered, filters that depend on others, and their HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.binding import Bound
from kobe_platform.lounge.formats import ERA
from kobe_platform.lounge.periods import Periods

if TYPE_CHECKING:
    import polars as pl

FILTERS = ("Dropdown", "Period", "Range")
NOTHING_YET = "まだデータがありません"
PARENT = "parent"
"""Column of a cascading Dropdown's query that names the choice of the upper one; every ``dim_…`` has it."""

Fail = Callable[[str, str, str, int], LoungeError]


@dataclass(frozen=True)
class PageFilter:
    """A choice that readers make.

    Attributes:
        options: value, label and group (``optgroup``) in order.
        default: the value that a page opens with.
        under: value → the upper choice that it stands under; without an entry it stands under every one.
    """

    bound: Bound
    options: tuple[tuple[str, str, str], ...]
    default: str
    under: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As components listen to it and the URL carries it."""
        return self.bound["name"]

    @property
    def is_period(self) -> bool:
        """Whether it chooses a month or year."""
        return self.bound.name == "Period"

    @property
    def is_range(self) -> bool:
        """Whether it chooses the first and last period that charts show."""
        return self.bound.name == "Range"

    def as_spec(self) -> dict[str, Any]:
        """What the browser must know."""
        spec = {"name": self.name, "default": self.default, "period": self.is_period}
        if self.is_range:
            return spec | {"range": True}
        return spec | ({"parent": self.bound["parent"], "under": dict(self.under)} if self.bound["parent"] else {})


def read_filter(
    bound: Bound, frame: pl.DataFrame, above: Mapping[str, PageFilter], fail: Fail, periods: Periods
) -> PageFilter:
    """A filter with its options.

    Args:
        frame: rows of its query.
        above: filters that stand before it on the page.
        fail: makes the page's error from code, message, remedy and line.
        periods: what the periods of its query cover.

    Raises:
        LoungeError: the default is none of the values, or a cascade does not fit together.
    """
    options = _options(bound, frame, periods)
    if not options:
        # A table may have no period yet: yearly ones appear with their first December.
        return PageFilter(bound, (("", NOTHING_YET, ""),), "")
    if bound.name == "Range":
        return PageFilter(bound, tuple(options.values()), f"{next(iter(options))}..{next(reversed(options))}")
    under = _under(bound, frame, above, options, fail) if bound["parent"] else {}
    upper = above[bound["parent"]].default if bound["parent"] else ""
    offered = [value for value in options if under.get(value, upper) == upper]
    default = bound["default"] or (offered[-1] if bound.name == "Period" else offered[0])
    if default not in offered:
        raise fail("filter", "default is no value of the filter", "take one of the query", bound.tag.line)
    return PageFilter(bound, tuple(options.values()), default, under)


def _options(bound: Bound, frame: pl.DataFrame, periods: Periods) -> dict[str, tuple[str, str, str]]:
    """Value → value, label, group, in the query's order (periods in that of time)."""
    value, label, group = bound["value"], bound["label"] or bound["value"], bound["group"]
    groups = frame[group].to_list() if group else [""] * frame.height
    found: dict[str, tuple[str, str, str]] = {}
    for code, text, head in zip(frame[value].to_list(), frame[label].to_list(), groups, strict=True):
        found.setdefault(str(code), (str(code), periods.beside(str(text), str(text)), str(head or "")))
    if bound.name in ("Period", "Range"):
        era = bound["fmt"] == ERA
        return {code: (code, periods.label(code, era=era), "") for code in sorted(found)}
    return found


def _under(
    bound: Bound, frame: pl.DataFrame, above: Mapping[str, PageFilter], options: Mapping[str, object], fail: Fail
) -> dict[str, str]:
    """Value → upper choice; every value must stand under one, and every upper choice must have one."""
    name, line = bound["parent"], bound.tag.line
    if bound["look"] == "buttons":
        raise fail("cascade", "a Dropdown under another one is a list", "leave out look=buttons", line)
    if PARENT not in frame.columns:
        message = f"query {bound['data']} gives no column {PARENT}, which a Dropdown under {name} needs"
        raise fail("cascade", message, f"name it: SELECT …, {PARENT}", line)
    upper = [option[0] for option in above[name].options]
    pairs = zip(frame[bound["value"]].to_list(), frame[PARENT].to_list(), strict=True)
    found = {str(value): str(parent) for value, parent in pairs if parent is not None and str(parent)}
    strange = [value for value, parent in found.items() if parent not in upper]
    if strange:
        message = f"{len(strange)} options of {bound['name']} stand under no option of {name} ({strange[0]} is one)"
        raise fail("cascade", message, f"leave them out, or give their {PARENT} the code that {name} offers", line)
    childless = [] if len(found) < len(options) else [code for code in upper if code not in found.values()]
    if childless:
        message = f"option {childless[0]} of {name} has no option of {bound['name']} under it"
        raise fail("cascade", message, f"add a row of that {PARENT}, or one whose {PARENT} is empty for all", line)
    return found


def filter_html(chosen: PageFilter) -> str:
    """A filter as a labelled form control; it works by keyboard and says its state."""
    name, title = escape(chosen.name), escape(chosen.bound["title"])
    if chosen.bound["look"] == "buttons":
        radios = "".join(
            f'<label><input type="radio" name="{name}" value="{escape(v)}"{" checked" if v == chosen.default else ""}>'
            f"<span>{escape(label)}</span></label>"
            for v, label, _ in chosen.options
        )
        return (
            f'<fieldset class="lounge-filter lounge-filter--buttons" data-filter="{name}">'
            f"<legend>{title}</legend><div>{radios}</div></fieldset>"
        )
    if chosen.is_range:
        return _range_html(chosen)
    groups: dict[str, list[str]] = {}
    for value, label, group in chosen.options:
        mark = " selected" if value == chosen.default else ""
        groups.setdefault(group, []).append(f'<option value="{escape(value)}"{mark}>{escape(label)}</option>')
    options = "".join(
        f'<optgroup label="{escape(group)}">{"".join(items)}</optgroup>' if group else "".join(items)
        for group, items in groups.items()
    )
    kind = "period" if chosen.is_period else "list"
    return (
        f'<div class="lounge-filter lounge-filter--{kind}" data-filter="{name}">'
        f'<label for="filter-{name}">{title}</label>'
        f'<select id="filter-{name}" name="{name}">{options}</select></div>'
    )


def _range_html(chosen: PageFilter) -> str:
    """Two lists of the same periods: from the first of them to the last."""
    ends = zip(("から", "まで"), chosen.default.split(".."), strict=False)
    lists = "<span>～</span>".join(
        f'<select aria-label="{escape(chosen.bound["title"])}（{word}）">'
        + "".join(
            f'<option value="{escape(v)}"{" selected" if v == end else ""}>{escape(label)}</option>'
            for v, label, _ in chosen.options
        )
        + "</select>"
        for word, end in ends
    )
    return (
        f'<fieldset class="lounge-filter lounge-filter--range" data-filter="{escape(chosen.name)}">'
        f"<legend>{escape(chosen.bound['title'])}</legend><div>{lists}</div></fieldset>"
    )
