from __future__ import annotations

import sys
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest

from sklearn_groupcross.analysis import KINDS, measurable_kinds
from sklearn_groupcross.groups import Dihedral, Symmetric
from sklearn_groupcross.plotting import (
    KIND_COLORS,
    KIND_MARKERS,
    SelfProfileDisplay,
    TransformBlockDisplay,
)
from sklearn_groupcross.plotting._style import MARKERS, PALETTE, style_of

# Machado, Oliveira & Fernandes 2009, severity 1, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(color, vision="normal"):
    """CIELAB (D65) of a colour as it is seen."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(VISION[vision] @ linear, 0, 1)
    xyz = TO_XYZ @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one, other):
    """CIEDE2000 (Sharma, Wu & Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(c**7 / (c**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + dh / 2) % 360
    t = 1.0
    for weight, times, shift in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63)):
        t += weight * np.cos(np.radians(times * h + shift))
    in_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    in_chroma, in_hue = (c2 - c1) / (1 + 0.045 * c), d_hue / (1 + 0.015 * c * t)
    turn = np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))
    rotation = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(turn)
    total = in_light**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    return float(np.sqrt(total))


def closest(colors, vision):
    seen = {name: lab(color, vision) for name, color in colors.items()}
    return min((difference(seen[a], seen[b]), a, b) for a, b in combinations(seen, 2))


def test_the_difference_is_the_published_one():
    # pairs 1, 7 and 17 of the test data of Sharma, Wu and Dalal
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ]
    for one, other, expected in pairs:
        assert difference(one, other) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("group", [Dihedral(24), Symmetric(3)], ids=repr)
@pytest.mark.parametrize("vision", VISION)
def test_kinds_that_meet_are_told_apart_with_any_color_vision(group, vision):
    kinds = [*measurable_kinds(group), "dead"]
    assert len(kinds) == (7 if group == Dihedral(24) else 4)
    distance, *pair = closest({kind: KIND_COLORS[kind] for kind in kinds}, vision)
    assert distance >= 20, pair


def test_the_test_sees_colors_that_are_confused():
    before = {"grid": "#CC79A7", "other": "#999999"}
    assert closest(before, "normal")[0] > 20
    assert closest(before, "deuteranopia")[0] < 7


@pytest.mark.parametrize("vision", VISION)
def test_the_palette_is_told_apart_and_seen_on_white(vision):
    assert closest(dict(zip(PALETTE, PALETTE, strict=True)), vision)[0] >= 20
    assert all(lab(color, vision)[0] < 76 for color in PALETTE)


@pytest.mark.parametrize("group", [Dihedral(24), Symmetric(3)], ids=repr)
def test_kinds_that_meet_have_markers_of_their_own(group):
    markers = [KIND_MARKERS[kind] for kind in measurable_kinds(group)]
    assert len(set(markers)) == len(markers)


def test_every_kind_has_both():
    assert set(KIND_COLORS) == set(KIND_MARKERS) == {*KINDS, "dead"}
    assert set(KIND_MARKERS.values()) <= set(MARKERS)
    assert all(marker in mpl.lines.Line2D.markers for marker in MARKERS.values())


def test_the_sheet_has_the_palette():
    with style_of(None):
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    assert [f"#{color.lstrip('#')}".upper() for color in cycle] == list(PALETTE)


def test_settings_of_the_host_stay_and_hold_where_the_sheet_is_silent(analysis):
    host = {"font.family": ["monospace"], "axes.linewidth": 3.0, "axes.titlesize": 30.0}
    with mpl.rc_context(host):
        before = dict(mpl.rcParams)
        own = TransformBlockDisplay.from_estimator(analysis, 0).plot()
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
        given = TransformBlockDisplay.from_estimator(analysis, 0).plot(ax)
        assert dict(mpl.rcParams) == before
    for display, width in ((own, 0.7), (given, 3.0)):
        assert display.ax_.spines["left"].get_linewidth() == width
        assert display.ax_.title.get_fontsize() == 9
        assert display.ax_.title.get_fontfamily() == ["monospace"]


def test_a_dark_style_of_the_host_is_drawn_on_in_its_ink():
    import matplotlib.pyplot as plt

    with plt.style.context("dark_background"):
        _, ax = plt.subplots()
        SelfProfileDisplay.from_arrays(np.ones(8), Dihedral(4), threshold=0.8).plot(ax)
        (dotted,) = [line for line in ax.lines if line.get_linestyle() == ":"]
        assert dotted.get_color() == "white"
        own = SelfProfileDisplay.from_arrays(np.ones(8), Dihedral(4), threshold=0.8).plot()
        (dotted,) = [line for line in own.ax_.lines if line.get_linestyle() == ":"]
        assert dotted.get_color() == "black"
        assert own.figure_.get_facecolor() == (1, 1, 1, 1)


def test_displays_draw_on_given_axes(analysis):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert TransformBlockDisplay.from_estimator(analysis, 0).plot(ax).ax_ is ax
    assert SelfProfileDisplay.from_estimator(analysis, 0).plot(ax).figure_ is ax.figure


def test_without_matplotlib_the_message_says_what_to_install(analysis, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[plot\]"):
        TransformBlockDisplay.from_estimator(analysis, 0).plot()
