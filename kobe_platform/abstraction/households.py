"""Derives a household's size and family type from its members (国勢調査の世帯の家族類型)."""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.ages import earliest, read_column
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import RELATIONSHIPS, Age, Relationship
from kobe_platform.intake.extracts.screening import chained

HEAD, SPOUSE, CHILD, PARENT, GRANDCHILD, OTHER = RELATIONSHIPS
CATEGORIES = (HEAD, SPOUSE, CHILD, PARENT, OTHER)
"""Categories of the lake: a child's child is shown as other."""
FAMILIES = ("single", "couple", "couple_children", "single_parent", "three_generation", "other")
_CATEGORY = pl.Enum(RELATIONSHIPS)


def derive_household(working: Working, column: Relationship) -> None:
    """Categories, and on each household's representative its size and family type.

    Sizes count kept rows, so that they add up to the persons of the lake. The representative is the head; where none is
    set (which the law allows) the first member. Of two heads the younger is set aside (quirk 11).
    """
    codes = working.texts(column.id)
    values = codes.values
    listed = list(column.codes)
    unlisted = ~(values.is_in([*listed, ""]) | chained(values, listed))
    if unlisted.any():
        working.warned["code.unknown"] += int(codes.spread(unlisted).sum())
    categories = values.replace_strict(column.codes, default=OTHER, return_dtype=pl.String)
    category = codes.spread(categories.cast(_CATEGORY))
    household = working.texts(column.household)
    members = pl.DataFrame({"household": household.index, "category": category}).with_row_index("row")
    _set_second_heads_aside(working, members)
    kept = members.filter(working.kept)
    homes = _homes(kept)
    working.warned["household.no_head"] += int((homes["heads"] == 0).sum())
    joined = members.join(homes, left_on="row", right_on="representative", how="left", maintain_order="left")
    working.derive(column.to, codes.spread(categories.replace(GRANDCHILD, OTHER)))
    working.derive(column.to_representative, joined["size"].is_not_null())
    working.derive(column.to_size, joined["size"].cast(pl.Int16))
    working.derive(column.to_family, pl.Series(FAMILIES).gather(joined["family"]))


def _set_second_heads_aside(working: Working, members: pl.DataFrame) -> None:
    births = working.contract.having(Age)
    born = earliest(read_column(working, births[0].id)) if births else members["row"]
    heads = members.with_columns(born.alias("born")).filter(working.kept).filter(pl.col("category") == HEAD)
    heads = heads.filter(heads["household"].is_duplicated()).sort("household", "born", "row", nulls_last=True)
    second = heads.filter(~heads["household"].is_first_distinct())["row"]
    working.mark("set_aside", "household.two_heads", members["row"].is_in(second.implode()))


def _homes(members: pl.DataFrame) -> pl.DataFrame:
    """One row a household: ``representative`` (a row), ``size``, ``heads``, ``family``."""
    is_ = {name: pl.col("category") == name for name in (HEAD, SPOUSE, CHILD, PARENT, GRANDCHILD)}
    counted = (
        members.lazy()
        .group_by("household")
        .agg(
            pl.len().cast(pl.Int32).alias("size"),
            pl.col("row").min().alias("first"),
            pl.when(is_[HEAD]).then("row").min().alias("head"),
            *(condition.sum().cast(pl.Int32).alias(name) for name, condition in is_.items() if name != HEAD),
            is_[HEAD].sum().cast(pl.Int32).alias("heads"),
        )
    )
    return counted.select(
        pl.coalesce("head", "first").alias("representative"), "size", "heads", _family().alias("family")
    ).collect()


def _family() -> pl.Expr:
    """Family type by who lives with the head, as its place among :data:`FAMILIES`.

    Three generations count as such with any other members (census definition). A head with only one or both parents is
    the child of a one-parent family or of a couple. What the relationships cannot tell is ``other``.
    """
    size, heads = pl.col("size"), pl.col("heads")
    spouses, children, parents, grandchildren = (pl.col(name) for name in (SPOUSE, CHILD, PARENT, GRANDCHILD))
    three = ((children > 0) & (parents > 0)) | (grandchildren > 0)
    with_parents = (parents == size - 1) & (parents > 0)
    single, couple, couple_children, single_parent, three_generation, other = (
        pl.lit(place, pl.UInt32) for place in range(len(FAMILIES))
    )
    return (
        pl.when(size == 1)
        .then(single)
        .when(heads == 0)
        .then(other)
        .when(three)
        .then(three_generation)
        .when((spouses == 1) & (size == 2))
        .then(couple)
        .when((spouses == 1) & (children > 0) & (size == children + 2))
        .then(couple_children)
        .when((children > 0) & (size == children + 1))
        .then(single_parent)
        .when(with_parents & (parents == 2))
        .then(couple_children)
        .when(with_parents & (parents == 1))
        .then(single_parent)
        .otherwise(other)
    )
