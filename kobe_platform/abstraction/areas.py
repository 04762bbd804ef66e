"""Derives ward, town and school district from addresses, and coarse areas from places outside the city."""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Area, CoarseArea, District
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.extracts.code_systems import UNPLACED, five_digits, is_place
from kobe_platform.intake.extracts.lots import lot_numbers
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.codes import UNKNOWN

ABROAD = r"^Z([A-Z]{3})$"
NO_LIMIT = 2**30


def derive_area(working: Working, column: Area) -> None:
    """Ward (five digits) and town; rows outside the city are set aside; retired towns only warn (quirk 14)."""
    codes = working.texts(column.id)
    values = codes.values
    ward = values.str.slice(0, 5)
    inside = ward.is_in(list(vocabulary.wards())) & values.str.contains(r"^\d{11}$")
    blank = values == ""
    outside = ~inside & ~blank if column.optional else ~inside
    working.mark("set_aside", "area.outside", codes.spread(outside))
    table = pl.DataFrame({"inside": inside, "ward": ward, "town": values.str.slice(0, column.town_digits)})
    areas = table.select(pl.when("inside").then(name).alias(name) for name in ("ward", "town"))
    working.derive(column.to_ward, codes.spread(areas["ward"]))
    if column.to_town:
        working.derive(column.to_town, codes.spread(areas["town"]))
    if column.reference:
        in_force = reference_in_force(working, column.reference)
        retired = inside & ~values.is_in(in_force["town_code"].implode())
        working.warned["area.town_retired"] += int((codes.spread(retired) & working.kept).sum())


def reference_in_force(working: Working, name: str) -> pl.DataFrame:
    """The rows of the dated reference table that hold at the month's end.

    Raises:
        ConfigurationError: ``abstraction.reference``: the source has not been delivered.
    """
    if name not in working.references:
        raise ConfigurationError(
            "a reference source that abstraction reads is not there",
            code="abstraction.reference",
            at={"source": working.contract.name, "reference": name, "month": working.month},
            remedy="deliver it for this month or an earlier one",
        )
    return vocabulary.in_force(working.references[name], working.month)


def derive_district(working: Working, column: District) -> None:
    """The given district where it holds and lies in the row's ward; else derived; else unknown (quirk 15)."""
    given, address = working.texts(column.id), working.texts(column.address)
    table = reference_in_force(working, column.reference)
    ward_of = dict(table.select("district_code", "ward_code").unique().sort("ward_code").iter_rows())
    wards = pl.Enum(sorted({*ward_of.values()} - {None}))
    lies_in = given.values.replace_strict(ward_of or {"": ""}, default=None, return_dtype=pl.String)
    its_ward = given.spread(lies_in.cast(wards, strict=False))
    ward = address.spread(address.values.str.slice(0, 5).cast(wards, strict=False))
    present = address.spread(address.values != "")
    fits = (its_ward == ward).fill_null(False)
    derived = _from_town(working, column, table, (present & ~fits).arg_true())
    frame = pl.DataFrame({"given": given.spread(given.values), "fits": fits, "present": present})
    shown = pl.when(pl.col("present") & pl.col("fits")).then("given").when("present").then(pl.lit(UNKNOWN))
    district = frame.select(shown).to_series().scatter(derived["row"], derived["derived"].fill_null(UNKNOWN))
    working.derive(column.to, district)
    unknown = int(((district == UNKNOWN) & working.kept).fill_null(False).sum())
    if unknown > column.warn_share * max(int(working.kept.sum()), 1):
        working.warned["district.unknown"] += unknown


def _from_town(working: Working, column: District, table: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """``row, derived`` for the rows whose town, with the lot's number, leads to one district."""
    address = working.texts(column.address)
    asked = pl.DataFrame({"row": rows.cast(pl.UInt32), "town_code": address.values.gather(address.index.gather(rows))})
    lots = pl.Series("lot", [None], dtype=pl.Int32).new_from_index(0, len(rows))
    if column.lot:
        texts = working.texts(column.lot)
        numbers = lot_numbers(texts.values)
        lots = numbers.gather(texts.index.gather(rows)).rename("lot")
        unread = (numbers.is_null() & (texts.values != "")).gather(texts.index.gather(rows))
        working.warned["lot.unread"] += int((unread & working.kept.gather(rows)).sum())
    asked = asked.with_columns(lots.alias("lot"))
    pairs = asked.select("town_code", "lot").unique()
    ranges = table.select(
        "town_code",
        "district_code",
        pl.col("lot_from").fill_null(0),
        pl.col("lot_to").fill_null(NO_LIMIT),
        (pl.col("lot_from").is_null() & pl.col("lot_to").is_null()).alias("whole"),
    )
    candidates = pairs.join(ranges, on="town_code")
    by_lot = _unambiguous(candidates.filter(pl.col("lot").is_between("lot_from", "lot_to") & ~pl.col("whole")))
    by_town = _unambiguous(candidates.filter(pl.col("whole")))
    only_one = _unambiguous(candidates)
    found = pl.concat([by_lot, by_town, only_one]).unique(["town_code", "lot"], keep="first", maintain_order=True)
    joined = asked.join(found, on=["town_code", "lot"], nulls_equal=True)
    return joined.select("row", derived="district_code")


def _unambiguous(candidates: pl.DataFrame) -> pl.DataFrame:
    """Town and lot with their district, where there is exactly one."""
    found = candidates.group_by("town_code", "lot").agg(
        pl.col("district_code").first(), pl.col("district_code").n_unique().alias("n")
    )
    return found.filter(pl.col("n") == 1).select("town_code", "lot", "district_code")


def coarsen_area(working: Working, column: CoarseArea) -> None:
    """Municipality in the home prefecture, else prefecture, else region of the world; blank stays null."""
    result = pl.Series([None], dtype=pl.String).new_from_index(0, working.height)
    for name in (*column.prefer, column.id):
        texts = working.texts(name)
        coarse, odd = _coarse(five_digits(texts.values, column.system))
        working.warned["code.unknown"] += int(texts.spread(odd).sum())
        frame = pl.DataFrame({"first": result, "second": texts.spread(coarse)})
        result = frame.select(pl.coalesce("first", "second")).to_series()
    working.derive(column.to, result)


def coarse_areas() -> list[str]:
    """Every code that :func:`coarsen_area` can yield."""
    city = vocabulary.hierarchies()["ward"].root
    elsewhere = [code for code in vocabulary.code_list("prefectures") if code != city[:2]]
    world = sorted(set(vocabulary.regions("countries").values()))
    return [city, *vocabulary.neighbours(), *elsewhere, *world, UNKNOWN]


def _coarse(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The coarse area of each distinct code, and which codes no list knows."""
    city = vocabulary.hierarchies()["ward"].root
    home = city[:2]
    near, prefectures, world = (
        vocabulary.neighbours(),
        vocabulary.code_list("prefectures"),
        vocabulary.regions("countries"),
    )
    code = pl.col("code")
    prefecture = code.str.slice(0, 2)
    own = code.is_in([city, *vocabulary.wards()])
    foreign = code.str.extract(ABROAD, 1).replace_strict(world, default=None, return_dtype=pl.String)
    domestic = pl.lit(is_place(values))
    area = (
        pl.when(code == "")
        .then(None)
        .when(own)
        .then(pl.lit(city))
        .when(code.is_in(list(near)))
        .then(code)
        .when(domestic & (prefecture != home) & prefecture.is_in(list(prefectures)))
        .then(prefecture)
        .otherwise(foreign.fill_null(UNKNOWN))
    )
    frame = pl.DataFrame({"code": values}).with_columns(area.alias("area"))
    odd = (pl.col("area") == UNKNOWN) & ~code.is_in([UNPLACED])
    return frame["area"], frame.select(odd.fill_null(False)).to_series()
