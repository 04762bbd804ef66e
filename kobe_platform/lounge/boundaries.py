"""Turns areas into shapes for maps: an operator's GeoJSON, projected and rounded, or a map of tiles.

Both lie in ``boundaries/`` beside the pages, by the name of the areas (``wards``, ``districts``). The browser gets
finished paths in one plane of :data:`WIDTH` units, with borders that neighbours share still shared.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from kobe_platform.errors import LoungeError
from kobe_platform.vocabulary.municipality import own

WIDTH = 480
"""Units from the western to the eastern end."""
GRID = 2
"""Steps of a unit that points are rounded to: neighbours round alike, so no gap opens between them."""
MARGIN = 2
TILE = 76
"""Units of a tile's side; four more lie between two of them."""

Ring = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Shape:
    """One area: its path (SVG, even-odd), and where its name stands with so many units of room."""

    name: str
    path: str
    x: float
    y: float
    room: float


@dataclass(frozen=True)
class Boundaries:
    """All areas of a map in a plane of :data:`WIDTH` × ``height`` units.

    Attributes:
        shapes: in the order of the file.
        tiles: whether it is a map of tiles.
        credit: what the licence of the boundaries asks to be shown.
    """

    shapes: tuple[Shape, ...]
    height: float
    tiles: bool = False
    credit: str = ""


def boundaries_files(folder: Path, kind: str) -> list[Path]:
    """The files that decide how a map of ``kind`` looks, as far as they are there."""
    return [path for path in (folder / f"{kind}.geojson", folder / f"{kind}.toml") if path.is_file()]


def load_boundaries(folder: Path, kind: str, names: Sequence[str]) -> Boundaries | None:
    """Shapes of the areas ``names``: GeoJSON where it lies there, else tiles, else None.

    Tiles that say whose they are (``municipality``) are drawn for that one alone.

    Raises:
        LoungeError: a file is not what it must be, or has no shape for some name.
    """
    settings = _settings(folder / f"{kind}.toml")
    path = folder / f"{kind}.geojson"
    if path.is_file():
        found = _projected(_named(_features(path), names, path), str(settings.get("credit", "")))
    elif "tiles" in settings and settings.get("municipality", own().code) == own().code:
        path, found = folder / f"{kind}.toml", _tiles(settings["tiles"], folder / f"{kind}.toml")
    else:
        return None
    missing = [name for name in names if name not in {shape.name for shape in found.shapes}]
    if missing:
        raise _fault(path, f"it has no shape for {len(missing)} areas of the table, the first being {missing[0]}")
    return found


def _settings(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _fault(path, f"it is no TOML ({type(error).__name__})") from None


def _features(path: Path) -> list[tuple[Mapping[str, Any], list[list[Ring]]]]:
    """(properties, polygons) of every feature; a polygon is its outer ring and its holes."""
    try:
        collection = json.loads(path.read_text("utf-8"))
        told = collection["features"] if collection["type"] == "FeatureCollection" else None
        return [(dict(one["properties"]), _polygons(one["geometry"], path, at)) for at, one in enumerate(told or (), 1)]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise _fault(path, "it is no GeoJSON feature collection with properties") from None


def _polygons(geometry: Mapping[str, Any], path: Path, at: int) -> list[list[Ring]]:
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        raise _fault(path, f"feature {at} is a {kind}, not a polygon")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    for point in (point for polygon in polygons for ring in polygon for point in ring):
        longitude, latitude = float(point[0]), float(point[1])
        if not (-180 <= longitude <= 180 and -85 <= latitude <= 85):
            raise _fault(path, f"feature {at} has a point outside longitude and latitude: WGS 84 is needed")
    return polygons


def _named(features: list, names: Sequence[str], path: Path) -> dict[str, list[list[Ring]]]:
    """Polygons by area, by the property whose values name most of the areas."""
    wanted = set(names)
    keys = sorted({key for properties, _ in features for key in properties})
    matched = {key: len(wanted & {str(properties.get(key)) for properties, _ in features}) for key in keys}
    key = max(keys, key=lambda name: matched[name], default="")
    if not matched.get(key):
        raise _fault(path, f"none of its properties ({', '.join(keys) or 'it has none'}) names the areas of the table")
    found: dict[str, list[list[Ring]]] = {}
    for properties, polygons in features:
        found.setdefault(str(properties.get(key)), []).extend(polygons)
    return found


def _projected(areas: Mapping[str, list[list[Ring]]], credit: str) -> Boundaries:
    """Equirectangular about the middle latitude: a city is small enough for it."""
    points = [p for polygons in areas.values() for polygon in polygons for ring in polygon for p in ring]
    west, east = min(p[0] for p in points), max(p[0] for p in points)
    south, north = min(p[1] for p in points), max(p[1] for p in points)
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = (WIDTH - 2 * MARGIN) / max((east - west) * squeeze, 1e-9)

    def place(point: Sequence[float]) -> tuple[int, int]:
        x = (point[0] - west) * squeeze * scale + MARGIN
        return round(x * GRID), round(((north - point[1]) * scale + MARGIN) * GRID)

    shapes = []
    for name, polygons in areas.items():
        rings = [[place(p) for p in ring] for polygon in polygons for ring in polygon]
        largest = max((polygon[0] for polygon in polygons), key=lambda ring: abs(_area([place(p) for p in ring])))
        shapes.append(Shape(name, "".join(_path(ring) for ring in rings), *_middle([place(p) for p in largest])))
    return Boundaries(tuple(shapes), math.ceil((north - south) * scale + 2 * MARGIN), False, credit)


def _path(ring: Sequence[tuple[int, int]]) -> str:
    """Relative moves in half units; points that rounding made one, and rings that it made nothing, are left out."""
    kept = [point for before, point in zip([None, *ring], ring, strict=False) if point != before]
    if len(set(kept)) < 3:
        return ""
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(kept)]
    if kept[0] == kept[-1]:
        steps.pop()
    moves = " ".join(f"{_unit(x)},{_unit(y)}" for x, y in steps)
    return f"M{_unit(kept[0][0])},{_unit(kept[0][1])}l{moves}z"


def _unit(steps: float) -> str:
    return f"{steps / GRID:g}"


def _area(ring: Sequence[tuple[int, int]]) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)) / 2


def _middle(ring: Sequence[tuple[int, int]]) -> tuple[float, float, float]:
    """Where a name stands best: the middle of the widest level stretch inside the ring, and that stretch's length."""
    top, bottom = min(y for _, y in ring), max(y for _, y in ring)
    best: tuple[float, float, float] = (ring[0][0], ring[0][1], 0.0)
    for number in range(1, 12):
        y = top + (bottom - top) * number / 12 + 0.01
        crossings = sorted(_crossings(ring, y))
        for left, right in zip(crossings[::2], crossings[1::2], strict=False):
            # Stretches near the middle are preferred: names there look at home.
            weight = (right - left) * (1 - abs(number - 6) / 18)
            if weight > best[2]:
                best = ((left + right) / 2, y, weight)
    return round(best[0] / GRID, 1), round(best[1] / GRID, 1), round(best[2] / GRID, 1)


def _crossings(ring: Sequence[tuple[int, int]], y: float) -> Iterator[float]:
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y1 > y) != (y2 > y):
            yield x1 + (y - y1) * (x2 - x1) / (y2 - y1)


def _tiles(told: Any, path: Path) -> Boundaries:
    shapes, height = [], 0.0
    if not isinstance(told, dict) or not told:
        raise _fault(path, "[tiles] names no area")
    for name, place in told.items():
        if not (isinstance(place, list) and len(place) == 4 and all(isinstance(n, int) and n >= 0 for n in place)):
            raise _fault(path, f"the tile {name} is not [column, row, width, height]")
        column, row, wide, high = place
        x, y = column * (TILE + 4) + MARGIN, row * (TILE + 4) + MARGIN
        w, h = wide * (TILE + 4) - 4, high * (TILE + 4) - 4
        shapes.append(Shape(name, f"M{x},{y}h{w}v{h}h{-w}z", x + w / 2, y + h / 2, float(w)))
        height = max(height, y + h + MARGIN)
    return Boundaries(tuple(shapes), height, True)


def _fault(path: Path, what: str) -> LoungeError:
    return LoungeError(
        f"a file of boundaries cannot be drawn: {what}",
        code="lounge.boundaries",
        at={"file": f"boundaries/{path.name}"},
        remedy="see docs/pages.md, Map; without the file, wards are drawn as tiles",
        ja="地図の境界データを使えません",
    )
