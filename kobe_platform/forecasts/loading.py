"""Loads forecasts: reads the files, compares them with the statistics, tries each on a made-up series."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.components import AGED, DEATHS_BY_AGE, ENTERING, EVENTS, LEAVING
from kobe_platform.forecasts.definition import FlowInput, Forecast, ForecastInput, MethodParameters, SeriesBreak
from kobe_platform.forecasts.methods import BEST, METHODS
from kobe_platform.forecasts.series import cohort_ages, flow_bands
from kobe_platform.forecasts.tables import ForecastTable, scoreboard, vintage_table
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.definition import DISTRICT
from kobe_platform.statistics.trees import below
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies
from kobe_platform.vocabulary.months import shifted
from kobe_platform.vocabulary.municipality import localized
from kobe_platform.vocabulary.nearest import did_you_mean

_MODELS: Mapping[str, type[BaseModel]] = {"": Forecast, "input": ForecastInput, "parameters": MethodParameters,
                                          "breaks": SeriesBreak, "flows": FlowInput}  # fmt: skip
TRIAL_ORIGIN = "2000-12"
_SUMMED = dict.fromkeys((ENTERING, LEAVING), (ENTERING, LEAVING))
"""Events whose tables are added to or taken from each other, band by band; those of any other only with its own."""


def load_forecasts(
    directory: Path, statistics: Mapping[str, Statistic], trials: Trials | None = None
) -> dict[str, Statistic]:
    """The tables of every ``*.toml`` of a folder by name, and the scoreboard where there is any; nothing without files.

    What loads runs: each forecast is made of a made-up series of its own cells, unless the same passed before.

    Raises:
        ConfigurationError: ``forecast.definition`` (file, place, and what to write instead).
    """
    tables = {path.stem: _load(path, statistics) for path in sorted(Path(directory).glob("*.toml"))}
    if not tables:
        return {}
    _try(tables, trials or Trials())
    board = scoreboard(tables)
    for name in (*tables, board.name):
        if name in statistics:
            raise _refusal(f"{name}.toml", "name", "a statistic has this name", "rename the file")
    return {**tables, board.name: board}


def _load(path: Path, statistics: Mapping[str, Statistic]) -> ForecastTable:
    try:
        written = tomllib.loads(localized(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refusal(path.name, "file", f"it is not TOML: {error}", "mend the line") from None
    try:
        forecast = Forecast.model_validate({**written, "name": path.stem})
    except ValidationError as error:
        raise _incomplete(path.name, error) from None
    for place, reason, remedy in _faults(forecast, statistics):
        raise _refusal(path.name, place, reason, remedy)
    return vintage_table(forecast, statistics)


def _faults(forecast: Forecast, statistics: Mapping[str, Statistic]) -> Iterator[tuple[str, str, str]]:
    """Place, reason and remedy of what does not fit the methods and the statistics; the first is told."""
    named = [("method", forecast.method, [*METHODS, BEST]), ("benchmark", forecast.benchmark, [*METHODS])]
    named += [("parameters.among", name, [*METHODS]) for name in forecast.parameters.among]
    for place, name, known in named:
        if name not in known:
            yield place, f"there is no method {name}", did_you_mean(name, known)
    if (forecast.method == BEST) != bool(forecast.parameters.among):
        yield "parameters.among", "best, and nothing else, chooses among methods", "name at least one method in among"
    source = statistics.get(forecast.input.table)
    usable = [name for name, one in statistics.items() if one.kind == "frequency" and one.period == "month"]
    if source is None or source.name not in usable:
        reason = "there is no protected monthly table of counts of this name"
        yield "input.table", reason, did_you_mean(forecast.input.table, usable)
        return
    yield from _input_faults(forecast, source)
    yield from _flow_faults(forecast, statistics)


def _input_faults(forecast: Forecast, source: Statistic) -> Iterator[tuple[str, str, str]]:
    given, columns = forecast.input, list(source.dimensions)
    for place, column in [("area", given.area), *([("age", given.age)] if given.age else []),
                          *((f"at.{name}", name) for name in given.at)]:  # fmt: skip
        if column not in columns:
            yield f"input.{place}", f"{source.name} has no dimension {column}", did_you_mean(column, columns)
            return
    left = [name for name in columns if name not in (given.area, given.age, *given.at)]
    if left:
        yield f"input.at.{left[0]}", "every dimension but area and age is held at one code", "give its code, or total"
    for column, code in given.at.items():
        tree = hierarchies().get(source.dimensions[column])
        codes = [one.code for one in tree.codes] if tree else []
        if tree and code not in codes:
            yield f"input.at.{column}", f"there is no code {code}", did_you_mean(code, codes)
    yield from _area_faults(forecast, source)
    yield from _age_faults(forecast, source)


def _area_faults(forecast: Forecast, source: Statistic) -> Iterator[tuple[str, str, str]]:
    """What does not fit the areas; school districts, which no file lists, take no codes and no sums."""
    if source.dimensions[forecast.input.area] == DISTRICT:
        if forecast.flows:
            yield "input.area", "births, deaths and moves are read by ward", "take another method, or a table by ward"
        for place in ("grouped", "renamed"):
            if getattr(forecast, place):
                yield place, "school districts are forecast by ages that are named, by their own codes", "leave it out"
        return
    areas = [one.code for one in hierarchies()[source.dimensions[forecast.input.area]].codes]
    for number, one in enumerate(forecast.breaks):
        if odd := [code for code in one.areas if code not in areas]:
            yield f"breaks.{number}.areas", f"there is no area {odd[0]}", did_you_mean(odd[0], areas)
    for former, code in forecast.renamed.items():
        if code not in areas:
            yield f"renamed.{former}", f"there is no area {code}", did_you_mean(code, areas)


def _flow_faults(forecast: Forecast, statistics: Mapping[str, Statistic]) -> Iterator[tuple[str, str, str]]:
    component = "cohort_component" in (forecast.method, *forecast.parameters.among)
    named = {flow.event for flow in forecast.flows}
    if component != bool(named):
        yield (
            "flows",
            "cohort_component, and nothing else, reads tables of events",
            "name them as [[flows]], or leave out",
        )
        return
    if lacking := [event for event in EVENTS if component and event not in named]:
        yield "flows.event", f"no table of {lacking[0]} is named", f'add [[flows]] with event = "{lacking[0]}"'
    areas = statistics[forecast.input.table].dimensions[forecast.input.area]
    usable = [name for name, one in statistics.items() if one.kind == "frequency" and one.period == "year"]
    for number, flow in enumerate(forecast.flows):
        place = f"flows.{number}"
        if flow.table not in usable:
            yield (
                f"{place}.table",
                "there is no protected yearly table of counts of this name",
                did_you_mean(flow.table, usable),
            )
            return
        columns = statistics[flow.table].dimensions
        given = [*filter(None, (flow.area, flow.age)), *flow.at]
        if odd := [name for name in given if name not in columns]:
            yield place, f"{flow.table} has no dimension {odd[0]}", did_you_mean(odd[0], columns)
            return
        if left := [name for name in columns if name not in given]:
            yield (
                f"{place}.at.{left[0]}",
                "every dimension but area and age is held at one code",
                "give its code, or total",
            )
        if bool(flow.age) != (flow.event in AGED) or bool(flow.area) == (flow.event == DEATHS_BY_AGE):
            yield (
                place,
                f"{flow.event} does not have these dimensions",
                "births, deaths: area; deaths_by_age: age; else both",
            )
            return
        if flow.area and columns[flow.area] not in (areas, "district"):
            yield f"{place}.area", "its areas are not those of the series", f"take a table by {areas} or by district"
        if flow.age:
            yield from _band_faults(place, flow, hierarchies()[columns[flow.age]])
    yield from _sum_faults(forecast, statistics)


def _sum_faults(forecast: Forecast, statistics: Mapping[str, Statistic]) -> Iterator[tuple[str, str, str]]:
    """Tables that are counted together, band by band, but are read by different bands."""
    bands: dict[tuple[str, ...], tuple[int, ...]] = {}
    for number, flow in enumerate(forecast.flows):
        if not flow.age:
            continue
        lows = tuple(sorted(flow_bands(flow, hierarchies()[statistics[flow.table].dimensions[flow.age]]).values()))
        summed = _SUMMED.get(flow.event, (flow.event,))
        if bands.setdefault(summed, lows) != lows:
            yield (
                f"flows.{number}.ages",
                f"tables of {' and '.join(summed)} are counted together and have to be read by the same bands",
                f"take bands that begin at the ages {', '.join(map(str, bands[summed]))}",
            )


def _band_faults(place: str, flow: FlowInput, ages: Hierarchy) -> Iterator[tuple[str, str, str]]:
    codes = [code.code for code in ages.codes]
    if not ages.breaks:
        yield f"{place}.age", "its ages are not bands of years", "take a table by bands of age"
    elif odd := [code for code in flow.ages if code not in codes]:
        yield f"{place}.ages", f"there is no band {odd[0]}", did_you_mean(odd[0], codes)
    elif flow.ages and sorted(leaf for code in flow.ages for leaf in below(ages, code)) != sorted(ages.leaves):
        yield f"{place}.ages", "the bands leave an age out, or have one twice", f"for example {list(ages.leaves)}"


def _age_faults(forecast: Forecast, source: Statistic) -> Iterator[tuple[str, str, str]]:
    asked = bool(forecast.ages), bool(forecast.grouped)
    if not forecast.input.age:
        if any(asked):
            yield "ages", "a series without age shows none", "leave ages and grouped out, or name input.age"
        return
    if all(asked) or not any(asked):
        yield "ages", "a series by age shows either some ages or a hierarchy of them", "give ages or grouped"
    tree = hierarchies()[source.dimensions[forecast.input.age]]
    single = list(cohort_ages(tree)) if tree.breaks else []
    if len(single) < 2:  # a cohort needs an age and the one after it
        yield "input.age", "its ages are not single years", "take a table by single years of age"
        return
    for code in forecast.ages:
        if code not in single:
            yield "ages", f"there is no single age {code}", did_you_mean(code, single)
    if forecast.grouped and len(single) < len(tree.breaks):
        yield "grouped", f"{source.name} has single ages up to {single[-1]} alone", "give ages"
        return
    shown = hierarchies().get(forecast.grouped)
    if forecast.grouped and (shown is None or not shown.breaks or not {*shown.breaks} <= {*tree.breaks}):
        usable = [name for name, one in hierarchies().items() if one.breaks and {*one.breaks} <= {*tree.breaks}]
        yield "grouped", f"{forecast.grouped} does not group these ages", did_you_mean(forecast.grouped, usable)
    odd = [horizon for horizon in forecast.horizons if horizon % 12]
    if odd:
        yield "horizons", f"{odd[0]}: cohorts grow older by whole years", "give 12, 24, 36 …"


def _try(tables: Mapping[str, ForecastTable], trials: Trials) -> None:
    """Make each forecast that has not passed with this definition of a made-up series of its own cells."""
    texts = {name: f"forecast {name} {table.digest}" for name, table in tables.items()}
    untried = set(trials.untried(texts.values()))
    if not untried:
        return
    from kobe_platform.forecasts.vintages import vintage

    for name, table in tables.items():
        if texts[name] in untried:
            try:
                vintage(table, made_up(table), TRIAL_ORIGIN, {}, made_up_flows(table))
            except ConfigurationError as error:
                place = f"method {table.forecast.method}"
                raise _refusal(f"{name}.toml", place, error.message, error.remedy) from None
    trials.passed(untried)


def made_up(table: ForecastTable, origin: str = TRIAL_ORIGIN, months: int = 0) -> dict[str, pl.DataFrame]:
    """Published months of a made-up input that end with the origin: every cell has its own level and season.

    Args:
        months: how many; by default as few as the forecast may pass its back-test with.
    """
    source = table.forecast.input
    leaves = [f"{number:04d}" for number in range(1, 13)] if table.districts else table.areas.leaves
    areas = pl.DataFrame({source.area: list(leaves)}).with_row_index("_n", 1)
    if table.age_hierarchy:
        ages = pl.DataFrame({source.age: list(hierarchies()[table.age_hierarchy].leaves)}).with_row_index("_m", 1)
        areas = areas.join(ages, how="cross").with_columns(_n=pl.col("_n") + pl.col("_m") % 7).drop("_m")
    keys = [name for name in areas.columns if name != "_n"]
    found = {}
    for back in range(months or table.forecast.least_history):
        month = shifted(origin, -back)
        value = 500 + 40 * pl.col("_n").cast(pl.Int64) + 5 * int(month[5:]) - back
        rows = areas.select(*keys, value=value)
        fixed = [pl.lit(code).alias(column) for column, code in source.at.items()]
        if not (table.districts or table.areas.parts):
            found[month] = rows.with_columns(*fixed, pl.lit("published").alias("status"))
            continue
        city = rows.group_by([k for k in keys if k != source.area]).agg(pl.col("value").sum()) if len(keys) > 1 else (
            rows.select(pl.col("value").sum())
        )  # fmt: skip
        city = city.with_columns(pl.lit(table.areas.root).alias(source.area)).select(*keys, "value")
        found[month] = pl.concat([rows, city]).with_columns(*fixed, pl.lit("published").alias("status"))
    return found


def made_up_flows(
    table: ForecastTable, last: int = int(TRIAL_ORIGIN[:4]), years: int = 3
) -> dict[str, dict[str, pl.DataFrame]]:
    """Published years of made-up tables of events, by table and December: every cell has its own number."""
    found: dict[str, dict[str, pl.DataFrame]] = {}
    for flow, ages in zip(table.forecast.flows, table.flow_ages, strict=True):
        rows = pl.DataFrame({flow.area: [*table.areas.parts, table.areas.root]} if flow.area else {"": [""]})
        if flow.age:
            rows = rows.join(pl.DataFrame({flow.age: list(flow_bands(flow, hierarchies()[ages]))}), how="cross")
        fixed = [pl.lit(code).alias(column) for column, code in flow.at.items()]
        value = 20 + pl.int_range(pl.len()) % 7
        months = [f"{last - back}-12" for back in range(years)]
        made = rows.with_columns(*fixed, value=value, status=pl.lit("published")).drop("", strict=False)
        found[flow.table] = dict.fromkeys(months, made)
    return found


def _incomplete(file: str, error: ValidationError) -> ConfigurationError:
    faults = error.errors(include_input=False, include_url=False)
    unknown = [one for one in faults if one["type"] == "extra_forbidden"]
    first = [*unknown, *faults][0]  # a misspelt key lacks as well
    place = ".".join(str(part) for part in first["loc"]) or "file"
    remedy = "see docs/forecasts.md, How to add a forecast"
    if first["type"] == "extra_forbidden":
        upper, _, key = place.rpartition(".")
        model = _MODELS.get(upper.split(".")[0], Forecast)
        return _refusal(
            file, place, "nothing reads this key", did_you_mean(key, [n for n in model.model_fields if n != "name"])
        )
    return _refusal(file, place, first["msg"], remedy)


def _refusal(file: str, place: str, reason: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"a forecast does not say what it must: {reason}",
        code="forecast.definition",
        at={"file": file, "place": place},
        remedy=remedy,
        ja="見込みの定義ファイルに誤りがあります",
    )
