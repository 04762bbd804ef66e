"""Loads the files of watched series and compares them with the statistics; what loads runs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from kobe_platform.errors import ConfigurationError
from kobe_platform.statistics import Statistic
from kobe_platform.unusual.definition import Watch, WatchInput, WatchParameters
from kobe_platform.unusual.tables import USUAL_RANGES, usual_ranges
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.municipality import localized
from kobe_platform.vocabulary.nearest import did_you_mean

_MODELS: Mapping[str, type[BaseModel]] = {"": Watch, "input": WatchInput, "parameters": WatchParameters}
_AREAS = ("ward", "city")


def load_watches(directory: Path, statistics: Mapping[str, Statistic]) -> dict[str, Statistic]:
    """The table of usual ranges by name, over every ``*.toml`` of a folder; nothing without files.

    Raises:
        ConfigurationError: ``watch.definition`` (file, place, and what to write instead).
    """
    watches = {path.stem: _load(path, statistics) for path in sorted(Path(directory).glob("*.toml"))}
    if not watches:
        return {}
    if USUAL_RANGES in statistics:
        raise _refusal(f"{USUAL_RANGES}.sql", "name", "the table of usual ranges has this name", "rename the file")
    return {USUAL_RANGES: usual_ranges(watches, statistics)}


def _load(path: Path, statistics: Mapping[str, Statistic]) -> Watch:
    try:
        written = tomllib.loads(localized(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refusal(path.name, "file", f"it is not TOML: {error}", "mend the line") from None
    try:
        watch = Watch.model_validate({**written, "name": path.stem})
    except ValidationError as error:
        raise _incomplete(path.name, error) from None
    for place, reason, remedy in _faults(watch, statistics):
        raise _refusal(path.name, place, reason, remedy)
    return watch


def _faults(watch: Watch, statistics: Mapping[str, Statistic]) -> Iterator[tuple[str, str, str]]:
    """Place, reason and remedy of what does not fit the statistics; the first is told."""
    told = watch.input
    source = statistics.get(told.table)
    usable = [name for name, one in statistics.items() if one.kind == "frequency" and one.period == "month"]
    if source is None or source.name not in usable:
        reason = "there is no protected monthly table of counts of this name"
        yield "input.table", reason, did_you_mean(told.table, usable)
        return
    columns = list(source.dimensions)
    named = [("area", told.area), ("by", told.by), *((f"at.{name}", name) for name in told.at)]
    for place, column in named:
        if column and column not in columns:
            yield f"input.{place}", f"{source.name} has no dimension {column}", did_you_mean(column, columns)
            return
    left = [name for name in columns if name not in (told.area, told.by, *told.at)]
    if left:
        yield f"input.at.{left[0]}", "every dimension but area and by is held at one code", "give its code, or total"
    if told.area and source.dimensions[told.area] not in _AREAS:
        yield "input.area", "wards and the city are watched; school districts open and close", "watch their wards"
    if told.by and source.dimensions[told.by] not in hierarchies():
        yield "input.by", "its codes follow from the data", "take a dimension of the vocabulary"
    for column, code in told.at.items():
        tree = hierarchies().get(source.dimensions[column])
        codes = [one.code for one in tree.codes] if tree else []
        if tree and code not in codes:
            yield f"input.at.{column}", f"there is no code {code}", did_you_mean(code, codes)


def _incomplete(file: str, error: ValidationError) -> ConfigurationError:
    faults = error.errors(include_input=False, include_url=False)
    unknown = [one for one in faults if one["type"] == "extra_forbidden"]
    first = [*unknown, *faults][0]  # a misspelt key lacks as well
    place = ".".join(str(part) for part in first["loc"]) or "file"
    if first["type"] == "extra_forbidden":
        upper, _, key = place.rpartition(".")
        model = _MODELS.get(upper, Watch)
        known = [name for name in model.model_fields if name != "name"]
        return _refusal(file, place, "nothing reads this key", did_you_mean(key, known))
    return _refusal(file, place, first["msg"], "see docs/unusual.md, How to watch a series")


def _refusal(file: str, place: str, reason: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"a watched series does not say what it must: {reason}",
        code="watch.definition",
        at={"file": file, "place": place},
        remedy=remedy,
        ja="「いつもと違う動き」の定義ファイルに誤りがあります",
    )
