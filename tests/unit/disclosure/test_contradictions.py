"""Published figures that cannot all be true: the audit says so, says where, and never takes them for safe."""

from __future__ import annotations

import itertools

import polars as pl

from kobe_platform.disclosure import Dimension, FormerRelease, Rule, Spec, Table, audit

AREA = {"city": None, "w1": "city", "w2": "city", "w3": "city", "w4": "city"}
SEX = {"T": None, "m": "T", "f": "T"}
OTHERS = [Table(name="apart", dimensions=["age"], population="nobody")]
APART = pl.DataFrame({"age": ["T", "1", "2"], "value": [90, 40, 50], "status": ["published"] * 3})
"""A sound table of other people, the last of all: its cells are not to be named."""


def spec_of(*tables, k=10):
    dimensions = {
        "area": Dimension(hierarchy=AREA),
        "sex": Dimension(hierarchy=SEX),
        **{name: Dimension(hierarchy={"T": None, "1": "T", "2": "T"}) for name in ("age", "x", "y", "z")},
    }
    return Spec(rule=Rule(minimum_frequency=k), dimensions=dimensions, tables=(*tables, *OTHERS))


def square(columns, *values):
    codes = itertools.product("T12", repeat=2)
    found = [(*at, n, "suppressed" if n is None else "published") for at, n in zip(codes, values, strict=True)]
    return pl.DataFrame(found, schema=[*columns, "value", "status"], orient="row")


def table(counts, hidden=()):
    """Rows of area × sex; ``counts``: ward → (men, women); ``hidden``: codes that are suppressed."""
    found = []
    for area, sex in itertools.product(AREA, SEX):
        wards = [area] if area in counts else list(counts)
        value = sum(n for w in wards for s, n in zip("mf", counts[w], strict=True) if sex in ("T", s))
        away = (area, sex) in hidden
        found.append((area, sex, None if away else value, "suppressed" if away else "published"))
    return pl.DataFrame(found, schema=["area", "sex", "value", "status"], orient="row")


def contradictions(spec, tables, **more):
    report = audit(spec, {**tables, "apart": APART}, **more)
    assert not report.publishable
    return [(f.table, tuple(f.coordinates.values())) for f in report.findings if f.rule == "contradiction"]


TABLE = Table(name="t", dimensions=["area", "sex"])
COUNTS = {"w1": (41, 13), "w2": (55, 61), "w3": (70, 82), "w4": (33, 47)}


def test_figures_whose_sum_is_another_are_named():
    wrong = table(COUNTS).with_columns(
        value=pl.when((pl.col("area") == "w3") & (pl.col("sex") == "T")).then(153).otherwise("value")
    )
    places = contradictions(spec_of(TABLE), {"t": wrong})
    assert places and all(place == "t" and {"w3", "city"} & {*codes} for place, codes in places)


def test_a_published_ring_that_no_people_fit_is_named():
    """Each two agree in their margins, but who is x 1 is y 1, who is y 1 is z 1, and nobody of x 1 is z 1."""
    ring = [Table(name=name, dimensions=list(name)) for name in ("xy", "yz", "xz")]
    same, other = (20, 10, 10, 10, 10, 0, 10, 0, 10), (20, 10, 10, 10, 0, 10, 10, 10, 0)
    shown = {"xy": square("xy", *same), "yz": square("yz", *same), "xz": square("xz", *other)}
    places = contradictions(spec_of(*ring), shown)
    assert places and {place for place, _ in places} <= {"xy", "yz", "xz"}


def test_hidden_cells_that_nothing_fits_are_named_where_they_are():
    """Of the one person of w1 both sexes are hidden, though each hidden cell is somebody; w2 hangs together with it."""
    hidden = list(itertools.product(("w1", "w2"), "mf"))
    places = contradictions(spec_of(TABLE), {"t": table({**COUNTS, "w1": (1, 0)}, hidden)})
    assert [(place, codes[0]) for place, codes in places] == [("t", "w1")]


HALVES = Dimension(hierarchy={"city": None, "w1+w2": "city", "w3+w4": "city"}, of="area",
                   consists_of={"w1+w2": ("w1", "w2"), "w3+w4": ("w3", "w4")})  # fmt: skip
NOW = {"w1": (40, 13), "w2": (3, 61), "w3": (70, 82), "w4": (33, 47)}
WAS = {**NOW, "w1": (40, 18), "w3": (70, 77)}
ALWAYS = [("w1", "f"), ("w1", "T"), ("w2", "m"), ("w2", "T"), ("w3", "m"), ("w3", "T")]


def after_a_correction(halves, *shown_before):
    """The audit after five women were found in w3 and not in w1; an answer by halves of the city is new.

    No figure differs that both releases show. The men of w1 and the women of w3 are hidden now and were shown.
    """
    spec = spec_of(TABLE, Table(name="halves", dimensions={"area": "halves", "sex": "sex"}))
    spec = spec.model_copy(update={"dimensions": {**spec.dimensions, "halves": HALVES}})
    now = table(NOW, [*ALWAYS, ("w1", "m"), ("w3", "f")])
    before = table(WAS, [*ALWAYS, *{("w1", "m"), ("w3", "f")} - set(shown_before)])
    tables = {"t": now, "halves": halves, "apart": APART}
    return audit(spec, tables, previous=[FormerRelease({"t": before}, spec_of(TABLE))])


def halves_of(counts):
    rows = {"w1+w2": ("w1", "w2"), "w3+w4": ("w3", "w4"), "city": tuple(counts)}
    found = [
        (half, sex, sum(n for w in wards for s, n in zip("mf", counts[w], strict=True) if sex in ("T", s)), "published")
        for half, wards in rows.items()
        for sex in SEX
    ]
    return pl.DataFrame(found, schema=["area", "sex", "value", "status"], orient="row")


def test_a_former_figure_is_believed_though_another_one_cannot_be_true():
    """77 women of w3 cannot be, with 47 in w4 and 129 in both. The 40 men of w1 can: then 3 are left for w2."""
    halves = halves_of(NOW)
    assert after_a_correction(halves).publishable
    alone = after_a_correction(halves, ("w1", "m"))
    assert {(f.rule, *f.coordinates.values()) for f in alone.findings} == {("exact", "w2", "m")}
    both = after_a_correction(halves, ("w1", "m"), ("w3", "f"))
    assert {(f.rule, *f.coordinates.values()) for f in both.findings} == {("exact", "w2", "m")}


def test_what_of_a_former_release_cannot_be_true_is_named():
    report = after_a_correction(halves_of(NOW), ("w3", "f"))
    assert report.publishable and report.counts["corrected"] == 1
    (corrected,) = report.superseded
    assert (corrected.rule, corrected.table, corrected.coordinates) == (
        "corrected", "t", {"area": "w3", "sex": "f", "release": "1"},
    )  # fmt: skip


def test_a_former_release_with_another_figure_is_told_by_the_place_of_that_figure():
    """No reason to refuse: a correction is another truth. But it is said that there was one, and where."""
    before = table({**COUNTS, "w4": (34, 47)})
    report = audit(spec_of(TABLE), {"t": table(COUNTS), "apart": APART}, previous=[{"t": before}])
    assert report.publishable
    (corrected,) = report.superseded
    assert corrected.table == "t" and corrected.coordinates["area"] in ("w4", "city")
