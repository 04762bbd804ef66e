"""Draws the Map component: areas shaded by a figure, as SVG that is shown with or without JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from kobe_platform.lounge.binding import Bound
from kobe_platform.lounge.boundaries import WIDTH, Boundaries, Shape
from kobe_platform.lounge.classes import Classes, classes_of
from kobe_platform.lounge.formats import SUPPRESSED, Cell, Format

DARK = 5
"""The first shade on which names are white."""
NAME_WIDTH = 42
"""Units that a name of three characters needs; areas with less room are named where the reader points."""
FEW = 20
"""So many areas are worth a stop of the keyboard each; of more, the table and the lists are the way."""


def map_html(
    boundaries: Boundaries, names: Sequence[str], values: Sequence[Cell], fmt: Format, bound: Bound, identity: str
) -> str:
    """The map for one choice of the filters.

    Args:
        names, values: areas and their figures; areas without one are drawn as not available.
        identity: the component's id, to which the hatching of suppressed areas belongs.
    """
    held = dict(zip(names, values, strict=True))
    known = [v for v in values if isinstance(v, int | float)]
    classes = classes_of(known, free=bound["base"] == "free", quantile=bound["classes"] == "quantile")
    chooses = bool(bound["select"] or bound["drill"]) and len(boundaries.shapes) <= FEW
    figures = [(shape, held.get(shape.name)) for shape in boundaries.shapes]
    areas = "".join(_area(shape, cell, classes, fmt, identity, chooses) for shape, cell in figures)
    labels = "".join(_label(shape, cell, classes, fmt, boundaries.tiles) for shape, cell in figures)
    hatch = (
        f'<pattern id="{identity}-x" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect class="lounge-map__ground" width="6" height="6"/><path class="lounge-map__line" d="M0,0v6"/></pattern>'
    )
    role = 'role="group"' if chooses else 'role="img"'
    alternative = escape(f"{bound['title']}（地図）。数値は直後の表にあります。")
    kind = " lounge-map__svg--tiles" if boundaries.tiles else ""
    svg = (
        f'<svg class="lounge-map__svg{kind}" viewBox="0 0 {WIDTH} {boundaries.height:g}" {role} '
        f'aria-label="{alternative}"><defs>{hatch}</defs>{areas}<g aria-hidden="true">{labels}</g></svg>'
    )
    credit = "" if boundaries.tiles or not boundaries.credit else boundaries.credit
    below = f'<p class="lounge-map__credit">{escape(credit)}</p>' if credit else ""
    return f'{svg}<p class="lounge-map__told" aria-live="polite"></p>{_scale(classes, fmt)}{below}'


def told(name: str, cell: Cell, fmt: Format) -> str:
    """An area and its figure in words."""
    return f"{name}：{'X（秘匿）' if cell == SUPPRESSED else fmt.text(cell)}"


def _area(shape: Shape, cell: Cell, classes: Classes, fmt: Format, identity: str, chooses: bool) -> str:
    if isinstance(cell, int | float):
        look = f'class="lounge-map__area lounge-f{classes.shade(cell)}"'
    elif cell == SUPPRESSED:
        look = f'class="lounge-map__area is-x" fill="url(#{identity}-x)"'
    else:
        look = 'class="lounge-map__area is-absent"'
    text = escape(told(shape.name, cell, fmt))
    name = escape(shape.name)
    stop = f' role="button" tabindex="0" aria-label="{text}"' if chooses else ""
    return f'<path {look} data-area="{name}"{stop} fill-rule="evenodd" d="{shape.path}"><title>{text}</title></path>'


def _label(shape: Shape, cell: Cell, classes: Classes, fmt: Format, tiles: bool) -> str:
    """The name where it has room; on tiles the figure below it."""
    if shape.room < NAME_WIDTH:
        return ""
    small = " lounge-map__label--small" if shape.room < 2 * NAME_WIDTH and not tiles else ""
    dark = " is-dark" if isinstance(cell, int | float) and classes.shade(cell) >= DARK else ""
    name, x = escape(shape.name), f"{shape.x:g}"
    y = f"{shape.y - 9 * tiles:g}"
    figure = f'<tspan class="lounge-map__figure" x="{x}" dy="1.35em">{escape(fmt.text(cell, unit=False))}</tspan>'
    return (
        f'<text class="lounge-map__label{small}{dark}" data-area-label="{name}" x="{x}" y="{y}">{name}'
        f"{figure if tiles else ''}</text>"
    )


def _scale(classes: Classes, fmt: Format) -> str:
    """The classes with their upper ends, and what the hatching means."""
    firsts = [fmt.text(classes.low, unit=False), *("" for _ in classes.ends[1:])][: len(classes.ends)]
    items = "".join(
        f'<li><i class="lounge-h{shade}"></i><span>{escape(first)}～{escape(fmt.text(end))}</span></li>'
        for shade, first, end in zip(classes.shades, firsts, classes.ends, strict=True)
    )
    return f'<ul class="lounge-map__scale">{items}<li><i class="lounge-map__swatch"></i><span>X 秘匿</span></li></ul>'
