"""Contracts drawn at random: valid-looking tables whose columns name each other, lists and patterns, often wrongly."""

from __future__ import annotations

from hypothesis import strategies as st

IDS = [f"c{n}" for n in range(9)]
names = st.sampled_from(IDS)
outputs = st.sampled_from(["age", "ward", "kind", "level", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9", "X"])
texts = st.sampled_from(
    ["1", "head", "child", "true", "false", "unknown", "other", "move", "cancels:move", "birth", "", " "]
)
codes = st.dictionaries(st.sampled_from(["1", "2", "01", "20", "A", "ア", "1 ", "(", "１"]), texts, max_size=4)
few = st.lists(st.sampled_from(["0", "1", "2", ""]), max_size=3, unique=True)
breaks = st.lists(st.integers(-3, 12), max_size=4)
conditions = st.fixed_dictionaries({"column": names, "value": texts})
patterns = st.sampled_from(
    [r"^\d+$", "^(a|b)$", "(", r"(?=a)b", r"^.*$", "[", r"^A\d\d$", r"\p{Han}", r"^(?P<a>x)(?P=a)$"]
)
flags = st.booleans()
share = st.sampled_from([0, 0.01, 0.5, 1])


def column(rule: str, classes: str, always: dict | None = None, /, **optional) -> st.SearchStrategy:
    fixed = {"rule": st.just(rule), "class": st.sampled_from(classes), **(always or {})}
    return st.fixed_dictionaries(fixed, optional=optional)


def columns() -> st.SearchStrategy:
    """A column of any rule that a personal contract may have."""
    to = {"to": outputs}
    return st.one_of(
        column("never", "C", shape=st.just("other")),
        column("drop", "IQ", warn_expired=flags),
        column("read", "IQT", {"by": names}),
        column(
            "pseudonym",
            "L",
            {"purpose": st.just("person"), **to},
            **{"with": st.lists(names, max_size=2), "optional": flags, "hide_protected": flags},
            digits=st.sampled_from([1, 4, 15]),
            check_digit=st.just("mod11"),
        ),
        column("history", "T", {"of": names}),
        column(
            "codes",
            "QS",
            to,
            codes=codes,
            list=st.sampled_from(["countries", "prefectures", "nowhere", "../x"]),
            blank=texts,
            other=texts,
            only_for=st.one_of(conditions, st.just({"column": "c0"})),
            required=flags,
            boolean=flags,
            unknown_share=share,
            unknown_at_most=share,
        ),
        column("keep", "Q", {**to, "pattern": patterns}),
        column("number", "Q", to, breaks=breaks, least=st.integers(-2, 3), most=st.integers(-2, 3)),
        column(
            "age",
            "Q",
            to_precision=outputs,
            unknown=names,
            on=names,
            oldest=st.integers(-1, 130),
            limit=st.integers(-1, 130),
        ),
        column("duration", "QS", to, breaks=breaks, only_for=conditions),
        column("event_month", "QT", to),
        column(
            "area",
            "Q",
            {"to_ward": outputs},
            to_town=outputs,
            town_digits=st.integers(5, 11),
            reference=st.sampled_from(["town_districts", "resident_register"]),
            optional=flags,
            hide_protected=flags,
        ),
        column("district", "Q", {**to, "address": names}, lot=names, hide_protected=flags),
        column("coarse_area", "Q", to, prefer=st.lists(names, max_size=2)),
        column("filter", "T", {"keep": few, "codes": codes}),
        column(
            "protection",
            "X",
            {"protected": few, "released": few, "person": names, "households": st.lists(names, max_size=2)},
            companion=st.sampled_from(["resident_register", "town_districts"]),
            companion_columns=st.sampled_from(
                [
                    {},
                    {"person": "atena_no", "household": "household_no", "protection": "protection"},
                    {"person": "atena_no", "household": "name", "protection": "protection"},
                ]
            ),
        ),
        column("relationship", "Q", {"household": names, "codes": codes}),
        column(
            "reason",
            "Q",
            {"codes": codes, "before": names, "after": names, "event_on": names, "processed_on": names},
            lots=st.tuples(names, names).map(list),
            planned=st.lists(texts, max_size=2),
        ),
        column("netting", "T", {"person": names, "version": names, "reason": names}),
    )


@st.composite
def tables(draw) -> dict:
    """A contract as its file has it."""
    drawn = draw(st.lists(columns(), min_size=1, max_size=len(IDS)))
    placed = [{"id": name, "header": f"項目{name}", **one} for name, one in zip(IDS, drawn, strict=False)]
    if draw(st.integers(0, 9)):  # most contracts refer to columns that are there, and yield each column once
        placed = [_mended(one, len(placed)) for one in placed]
    return {
        "name": "drawn",
        "title": "試験",
        "sensitivity": "personal",
        "kinds": draw(st.sampled_from([["snapshot"], ["events"], ["snapshot", "difference"]])),
        "key": draw(st.lists(st.sampled_from(IDS[: len(placed)]), max_size=2, unique=True)),
        "attained": draw(st.sampled_from(["day_before", "birthday"])),
        "needs": draw(st.sampled_from([[], ["resident_register"], ["drawn"]])),
        "legal": {
            "basis": "pipa-69-2-2",
            "purpose": "試験",
            "retention_months": 1,
            "other_law": [],
            "owner_section": "試験課",
        },
        "dates": draw(
            st.sampled_from(
                [
                    *([{}] * 6),
                    {"eras": {"1": "showa", "5": "reiwa"}},
                    {"eras": {"S": "showa"}, "serials": True},
                    {"eras": {"(": "showa"}},
                    {"eras": {"01": "showa"}, "era_digits": 2, "kind": "c1", "western": "2"},
                    {"kind": "c1"},
                ]
            )
        ),
        "layouts": [{"form": "delimited", "suffix": [".csv"]}],
        "columns": placed,
    }


_TOS = ("to", "to_ward", "to_town", "to_precision")


def _mended(column: dict, count: int) -> dict:
    """The column with names of columns that are there, and lake columns of its own."""
    told = {key: f"{column['id']}_{key}" if key in _TOS else _present(value, count) for key, value in column.items()}
    if column["rule"] == "age":
        told.setdefault("to", f"{column['id']}_to")
    if column["rule"] == "relationship":
        told |= {key: f"{column['id']}_{key}" for key in ("to", "to_representative", "to_size", "to_family")}
    return told | {"id": column["id"]}


def _present(value, count: int):
    if isinstance(value, str) and value in IDS:
        return IDS[IDS.index(value) % count]
    if isinstance(value, list):
        return [_present(part, count) for part in value]
    if isinstance(value, dict) and set(value) <= {"column", "value"}:
        return {key: _present(part, count) for key, part in value.items()}
    return value
