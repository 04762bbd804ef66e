"""Makes the map of the synthetic city: wards, school districts of unequal size, towns and plots.

A *plot* is what an address resolves to: a town (11-digit address code), a range of 番地, and the one district that it
belongs to. Most towns are one plot; some are divided between two districts by 番地, as school districts are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.synthesis.parameters import Parameters

HIGHEST_LOT = 99
SPLIT_AT = 50
"""番地 from this number on belong to the second district of a divided town."""
NO_DISTRICT = -1
UNLISTED, ABOLISHED = "990000", "980001"
"""Last six digits of a ward's address that the district table never knew, and of one that it knew once."""
STEMS = [
    "青",
    "若",
    "光",
    "泉",
    "桜",
    "梅",
    "松",
    "竹",
    "藤",
    "楓",
    "橘",
    "椿",
    "柏",
    "桂",
    "楠",
    "霞",
    "朝",
    "夕",
    "星",
    "月",
    "雲",
    "虹",
    "潮",
    "浪",
    "渚",
    "汐",
    "磯",
    "浜",
    "鶴",
    "亀",
    "鷺",
    "雁",
    "鹿",
    "駒",
    "錦",
    "瑞",
    "常",
    "千",
    "万",
    "玉",
]
ENDINGS = [
    "葉",
    "丘",
    "台",
    "谷",
    "野",
    "原",
    "が崎",
    "が浜",
    "が峰",
    "坂",
    "塚",
    "池",
    "沢",
    "瀬",
    "辻",
    "森",
    "園",
    "里",
    "宮",
    "橋",
    "津",
    "江",
    "岬",
    "嶺",
    "畑",
]
CHOME = ["一", "二", "三", "四", "五", "六", "七", "八", "九"]
FOUNDED = "1980-04-01"
REDRAWN = "2009-04-01"
"""First day of the present districts; towns abolished on the day before stay in the table with their last day."""


@dataclass(frozen=True)
class Geography:
    """Plots as parallel arrays, and the tables that name them.

    Attributes:
        plot_ward: index of the ward (order of the city's list) of each plot.
        plot_district: index into ``districts``, or -1 where the district table does not know the address.
        plot_code: address code, 11 digits. plot_postal: seven digits.
        lot_low, lot_high: 番地 of the plot, both included.
        weight: share of the ward's households that live there, roughly.
        wards: five-digit ward codes. districts: district codes (``0301`` = third ward, first district).
        reference: the delivery ``town_districts`` as text columns.
        abolished: one address code a ward that is no longer in force.
    """

    plot_ward: np.ndarray
    plot_district: np.ndarray
    plot_code: np.ndarray
    plot_postal: np.ndarray
    lot_low: np.ndarray
    lot_high: np.ndarray
    weight: np.ndarray
    wards: tuple[str, ...]
    districts: tuple[str, ...]
    reference: pl.DataFrame
    abolished: tuple[str, ...]

    def settle(self, wards: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A plot, a 番地 and a 号 for each household of ``wards`` (ward indices): three arrays of the same length."""
        plots = np.empty(len(wards), dtype=np.int32)
        for ward in np.unique(wards):
            here = np.flatnonzero(wards == ward)
            choice = np.flatnonzero(self.plot_ward == ward)
            share = np.cumsum(self.weight[choice])
            plots[here] = choice[np.searchsorted(share / share[-1], rng.random(len(here)), side="right")]
        low, high = self.lot_low[plots], self.lot_high[plots]
        lots = (low + rng.random(len(wards)) * (high - low + 1)).astype(np.int16)
        return plots, lots, rng.integers(0, 40, len(wards), dtype=np.int16)


def district_counts(parameters: Parameters, residents: int) -> list[int]:
    """Number of school districts of each ward: one for about ``residents_per_district`` residents, at least one."""
    shares = np.array([ward.share for ward in parameters.wards])
    shares = shares / shares.sum()
    total = max(len(shares), round(residents / parameters.city.residents_per_district))
    ideal = shares * total
    counts = np.maximum(1, np.floor(ideal).astype(int))
    while counts.sum() < total:
        counts[np.argmax(ideal - counts)] += 1
    while counts.sum() > total:
        counts[np.argmax(np.where(counts > 1, counts - ideal, -np.inf))] -= 1
    return counts.tolist()


def build_geography(parameters: Parameters, residents: int, rng: np.random.Generator) -> Geography:
    """The city's map for a number of residents; the same generator state gives the same map."""
    plots: list[tuple] = []
    reference: list[tuple] = []
    districts: list[str] = []
    stems = rng.permutation(len(STEMS) * len(ENDINGS))
    for index, count in enumerate(district_counts(parameters, residents)):
        reference += _ward_plots(parameters, rng, stems, plots, districts, index, count)
    ward_of, district_of, code, low, high, weight = zip(*plots, strict=True)
    return Geography(
        np.array(ward_of, dtype=np.int8),
        np.array(district_of, dtype=np.int16),
        np.array(code),
        np.array([f"65{w}{c[5:8]}{int(c[8:]) % 10}" for w, c in zip(ward_of, code, strict=True)]),
        np.array(low, dtype=np.int16),
        np.array(high, dtype=np.int16),
        np.array(weight, dtype=float),
        tuple(ward.code for ward in parameters.wards),
        tuple(districts),
        pl.DataFrame(reference, schema=REFERENCE_COLUMNS, orient="row"),
        tuple(ward.code + ABOLISHED for ward in parameters.wards),
    )


def _ward_plots(parameters, rng, stems, plots, districts, index, count) -> list[tuple]:
    """Append a ward's plots and district codes; returns its rows of the reference table."""
    ward, first = parameters.wards[index], len(districts)
    codes = [f"{index + 1:02d}{n + 1:02d}" for n in range(count)]
    names = [_stem(stems, first + n, parameters) for n in range(count)]
    districts += codes
    sizes = rng.lognormal(0.0, 0.35, count)
    for n in range(count):
        _district_plots(parameters, rng, plots, index, first, n, count, sizes[n])
    named = dict(zip(codes, names, strict=True))
    rows = _reference_rows(ward.code, plots, index, districts, named, _town_names(parameters, stems, first, count))
    former = (ward.code + ABOLISHED, "旧" + names[0] + "町", ward.code, "", "", codes[0], names[0] + "小学校区")
    unlisted = parameters.city.unlisted_address_share / (1 - parameters.city.unlisted_address_share)
    here = sum(plot[5] for plot in plots if plot[0] == index)
    plots.append((index, NO_DISTRICT, ward.code + UNLISTED, 1, HIGHEST_LOT, here * unlisted))
    return [*rows, (*former, FOUNDED, "2009-03-31")]


REFERENCE_COLUMNS = [
    "town_code", "town_name", "ward_code", "lot_from", "lot_to",
    "district_code", "district_name", "valid_from", "valid_to",
]  # fmt: skip


def _stem(stems: np.ndarray, number: int, parameters: Parameters) -> str:
    """Name of a district: that of its first town."""
    return _words(stems[number * parameters.city.towns_per_district % len(stems)])


def _words(number: int) -> str:
    return STEMS[number % len(STEMS)] + ENDINGS[number // len(STEMS)]


def _town_names(parameters: Parameters, stems: np.ndarray, first: int, count: int) -> list[str]:
    start = first * parameters.city.towns_per_district
    return [_words(stems[(start + n) % len(stems)]) + "町" for n in range(count * parameters.city.towns_per_district)]


def _district_plots(parameters, rng, plots, ward, first, n, count, size) -> None:
    """Append the plots of one district: (ward, district, code, lot_low, lot_high, weight)."""
    city = parameters.city
    code = parameters.wards[ward].code
    weights = rng.lognormal(0.0, 0.6, (city.towns_per_district, city.chome_per_town))
    weights = weights / weights.sum() * size
    divided = rng.random(weights.shape) < (city.split_town_share if count > 1 else 0.0)
    for town in range(city.towns_per_district):
        for chome in range(city.chome_per_town):
            address = f"{code}{n * city.towns_per_district + town + 1:03d}{chome + 1:03d}"
            weight = weights[town, chome]
            if divided[town, chome]:
                neighbour = first + (n + 1) % count
                plots.append((ward, first + n, address, 1, SPLIT_AT - 1, weight / 2))
                plots.append((ward, neighbour, address, SPLIT_AT, HIGHEST_LOT, weight / 2))
            else:
                plots.append((ward, first + n, address, 1, HIGHEST_LOT, weight))


def _reference_rows(ward_code, plots, ward, districts, names, town_names) -> list[tuple]:
    """Rows of ``town_districts`` for one ward: blank 番地 means the whole town."""
    rows = []
    for index, district, code, low, high, _ in plots:
        if index != ward:
            continue
        whole = low == 1 and high == HIGHEST_LOT
        lots = ("", "") if whole else (str(low), str(high) if low == 1 else "9999")
        town = town_names[int(code[5:8]) - 1] + CHOME[int(code[8:]) - 1] + "丁目"
        name = names[districts[district]] + "小学校区"
        rows.append((code, town, ward_code, *lots, districts[district], name, REDRAWN, ""))
    return rows
