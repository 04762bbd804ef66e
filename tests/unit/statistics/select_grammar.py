"""Statistics at random: what they count, the many ways in which an author may write that, and rows to count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from hypothesis import strategies as st

from kobe_platform.contracts import load_contracts
from kobe_platform.settings import Settings
from kobe_platform.statistics.compute import prepare
from kobe_platform.statistics.select.sources import DISTRICT, SelectSource, SourceColumn, sources_of
from kobe_platform.vocabulary.codes import hierarchies

SOURCES = sources_of(load_contracts(Settings().contracts))
PEOPLE = {name: source for name, source in SOURCES.items() if not source.public and source.row_key}
FRONT = """/*
title = "試し"
description = "試し"
owner = "課"
period = "month"
group = "trial"
population = "trial"
unit = "人"
measure = "{measure}"
minimum_frequency = 10
[dimensions]
{dimensions}
*/
"""


@dataclass(frozen=True)
class Drawn:
    """A statistic: its file as the house writes it, and as somebody else may have."""

    source: SelectSource
    plain: str
    styled: str
    seed: int

    def rows(self, number: int = 300) -> pl.DataFrame:
        """Rows as they are counted, every column drawn by itself."""
        return prepare(raw_rows(self.source, number, self.seed), self.source.columns)


def raw_rows(source: SelectSource, number: int, seed: int) -> pl.DataFrame:
    """Rows as they lie in the lake."""
    rng = np.random.default_rng(seed)
    made_up = source.made_up_rows()
    columns = [made_up[c.name].gather(rng.integers(0, made_up.height, number)) for c in source.stored]
    return pl.DataFrame(columns).with_columns(
        pl.Series(c.name, rng.permutation(number) + 1, dtype=pl.UInt64)
        for c in source.stored
        if c.kind == "link" and made_up[c.name].dtype == pl.UInt64
    )


@st.composite
def statistics(draw) -> Drawn:
    source = draw(st.sampled_from(sorted(PEOPLE.values(), key=lambda one: one.name)))
    fitting = sorted(name for name, column in source.columns.items() if column.hierarchies)
    chosen = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3, unique_by=_origin))
    outputs = {f"d{n}" if draw(st.booleans()) else name: name for n, name in enumerate(chosen)}
    trees = {output: draw(st.sampled_from(source.columns[name].hierarchies)) for output, name in outputs.items()}
    where = draw(st.none() | conditions(source))
    measure = draw(st.sampled_from(["persons", "events", "n"]))
    head = FRONT.format(measure=measure, dimensions="\n".join(f'{o} = "{tree}"' for o, tree in trees.items()))
    selected = [f"{name} AS {output}" for output, name in outputs.items()]
    plain = f"SELECT {', '.join(selected)}, count(*) AS {measure} FROM {source.name}"
    plain += f" WHERE {where}" if where else ""
    styled = draw(_styled(source, outputs, measure, where))
    return Drawn(source, head + plain + " GROUP BY ALL", head + styled, draw(st.integers(0, 1 << 30)))


def _origin(name: str) -> str:
    """What a column is derived from: two groupings of one thing in a table would tell their difference.

    A table goes by district once.
    """
    if name.startswith(DISTRICT):
        return DISTRICT
    return hierarchies()[name].source if name in hierarchies() else name


def conditions(source: SelectSource, depth: int = 2):
    """Conditions that are allowed over a source."""
    single = st.sampled_from(sorted(source.columns.values(), key=lambda one: one.name)).flatmap(
        lambda column: _condition(source, column)
    )
    if not depth:
        return single
    return st.one_of(
        single,
        st.tuples(conditions(source, depth - 1), st.sampled_from(["AND", "OR"]), conditions(source, depth - 1)).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
    )


def _condition(source: SelectSource, column: SourceColumn):
    name = column.name
    if column.kind == "truth":
        return st.sampled_from([name, f"NOT {name}", f"{name} = true", f"{name} <> true", f"{name} IN (false)"])
    if column.kind == "number":
        bounds = st.integers(-3, 95)
        return st.one_of(
            st.tuples(st.sampled_from(["<", "<=", ">", ">=", "=", "<>"]), bounds).map(
                lambda p: f"{name} {p[0]} {p[1]}"
            ),
            st.tuples(bounds, bounds).map(lambda p: f"{name} BETWEEN {p[0]} AND {p[1]}"),
            bounds.map(lambda b: f"{b} <= {name}"),
            st.just(f"{name} IS NOT NULL"),
        )
    known = [code for code in column.codes or ("28203", "0101") if code not in (*column.unknown, "unknown")]
    codes = st.lists(st.sampled_from(known), min_size=1, max_size=4).map(lambda c: ", ".join(f"'{one}'" for one in c))
    forms = [codes.map(lambda c: f"{name} IN ({c})"), st.sampled_from(known).map(lambda c: f"{name} = '{c}'")]
    forms.append(st.just(f"{name} IS NOT NULL"))
    if not column.may_be_unknown:
        forms += [codes.map(lambda c: f"{name} NOT IN ({c})"), st.sampled_from(known).map(lambda c: f"{name} != '{c}'")]
    if column.empty_is_known:
        forms.append(st.just(f"{name} IS NULL"))
    others = sorted(o.name for o in source.columns.values() if {*o.hierarchies} & {*column.hierarchies})
    if others:
        forms.append(st.sampled_from(others).map(lambda other: f"{name} IS DISTINCT FROM {other}"))
    return st.one_of(forms)


@st.composite
def _styled(draw, source: SelectSource, outputs: dict[str, str], measure: str, where: str | None) -> str:
    """The same count, written by somebody else."""
    alias = draw(st.sampled_from(["", "r", "R"]))
    named = draw(st.sampled_from(["", alias or source.name]))
    as_ = draw(st.sampled_from([" AS ", " ", " as "]))
    parts = []
    for output, name in outputs.items():
        column = f"{named}.{name}" if named else name
        parts.append(column if output == name and draw(st.booleans()) else f"{column}{as_}{output}")
    count = draw(st.sampled_from(["count(*)", "count(1)", "COUNT()", "Count ( * )", "count('x')"]))
    gap = draw(st.sampled_from(["\n", " ", "\t", " -- why\n", " /* why */ "]))
    by_name = [draw(st.sampled_from([str(n), o, c])) for n, (o, c) in enumerate(outputs.items(), 1)]
    groups = draw(st.sampled_from(["ALL", ", ".join(by_name), ", ".join(draw(st.permutations(by_name)))]))
    order = draw(st.sampled_from(["", f"{gap}ORDER BY ALL", f"{gap}ORDER BY count(*) DESC"]))
    end = draw(st.sampled_from(["", ";", " -- the end", " /* the end */", "\n\n", ";\n"]))
    selected = f",{gap}".join([*parts, f"{count}{as_}{measure}"])
    text = f"SELECT {selected}{gap}FROM {source.name}{f' {alias}' if alias else ''}"
    text += f"{gap}WHERE {where}" if where else ""
    text += f"{gap}GROUP BY {groups}{order}{end}"
    return draw(st.sampled_from([text, _outside_quotes(text, str.upper), _outside_quotes(text, str.title)]))


def _outside_quotes(text: str, change) -> str:
    pieces = text.split("'")
    return "'".join(piece if place % 2 else change(piece) for place, piece in enumerate(pieces))
