"""The colours of series: seen on white and on dark ground, and told apart by readers with red or green blindness."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import pytest

from tests.unit.lounge.conftest import PROJECT

THEME = PROJECT / "dashboards/theme"
PALETTE = json.loads((THEME / "src/palette.json").read_text("utf-8"))
TOKENS = THEME / "node_modules/@digital-go-jp/design-tokens/dist/tokens.css"
LEAST = 15.0
"""CIEDE2000 between any two series; 2.3 is just noticeable side by side, thin lines need several times that."""
LEAST_OF_MANY = 12.0
"""Of the eighth and ninth, which only flows between wards use: their names stand beside them."""

# Machado, Oliveira & Fernandes 2009, severity 1.0, over linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour: str) -> np.ndarray:
    """sRGB ``#rrggbb`` → linear RGB."""
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> tuple[float, float, float]:
    x = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def ciede2000(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Sharma, Wu & Dalal 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    grey = 1 + 0.5 * (1 - np.sqrt(c7 / (c7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * grey, b1), np.hypot(a2 * grey, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * grey)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = 1 + sum(
        weight * np.cos(np.radians(times * hue - shift))
        for weight, times, shift in ((-0.17, 1, 30), (0.24, 2, 0), (0.32, 3, -6), (-0.20, 4, 63))
    )
    around = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    rotation = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(around)
    dl = (l2 - l1) / (1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh))


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    found = re.finditer(r"--color-primitive-([a-z-]+-\d+): (#[0-9a-f]{6})", TOKENS.read_text("utf-8"))
    return {match[1]: match[2] for match in found}


def test_the_measure_is_the_published_one():
    """Pairs 1, 7, 13 and 25 of the table of Sharma, Wu & Dalal."""
    for one, other, expected in (
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ):
        assert ciede2000(one, other) == pytest.approx(expected, abs=1e-4)


GROUNDS = {"light": ("#ffffff",), "dark": ("#1a1a1a", "#262626")}
"""The grounds of ``ground.css``: the page's and, in dark, that of faint parts."""


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", GROUNDS)
def test_series_are_seen_on_their_ground_and_told_apart(tokens, scheme):
    names = PALETTE[scheme]
    assert len(names) == len(set(names)) == 9
    for name in names:
        for ground in GROUNDS[scheme]:
            assert contrast(tokens[name], ground) >= 3, f"{name} on {ground} (WCAG 1.4.11)"
    for sight, seen in SIGHT.items():
        for (i, one), (j, other) in combinations(enumerate(names), 2):
            apart = ciede2000(lab(seen @ linear(tokens[one])), lab(seen @ linear(tokens[other])))
            least = LEAST if max(i, j) < 7 else LEAST_OF_MANY
            assert apart >= least, f"{one} and {other}, {sight}: {apart:.1f}"


@pytest.mark.parametrize("scheme", GROUNDS)
def test_up_to_three_series_differ_by_hue(tokens, scheme):
    def hue(name: str) -> float:
        _, a, b = lab(linear(tokens[name]))
        return np.degrees(np.arctan2(b, a)) % 360

    for one, other in combinations(PALETTE[scheme][:3], 2):
        apart = abs(hue(one) - hue(other))
        assert min(apart, 360 - apart) >= 60, f"{one} and {other}"


def test_the_grounds_are_those_of_the_style_sheets():
    sheet = (THEME / "src/ground.css").read_text("utf-8")
    assert "--ground: var(--color-neutral-white)" in sheet and "--ground: var(--color-neutral-solid-gray-900)" in sheet
    assert "--faint: #262626" in sheet


def test_no_colour_stands_outside_the_sheet_that_knows_the_grounds():
    """A colour elsewhere would stay as it is on the dark ground."""
    bare = re.compile(r"#[0-9a-fA-F]{3,8}\b(?![^{}]*\{)|rgba?\((?!0 0 0)|var\(--color-")
    for path in (THEME / "src").iterdir():
        if path.suffix == ".css" and path.name != "ground.css":
            assert not bare.search(path.read_text("utf-8")), path.name
        if path.suffix == ".js":
            assert not re.search(r"['\"`]#[0-9a-fA-F]{3,8}['\"`]|--color-", path.read_text("utf-8")), path.name


def test_lines_differ_without_colour_too():
    dashes, markers = PALETTE["dashes"], PALETTE["markers"]
    looks = [(str(dashes[i % len(dashes)]), markers[i % len(markers)]) for i in range(9)]
    assert len(set(looks)) == 9
    assert len(set(markers[4:9])) == 5 and "circle" not in markers[4:9], "beyond four by marker as well"
