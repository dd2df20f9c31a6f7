"""Whatever is written can be read in a column of a paper, lies in the figure, on nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.analysis import Finding
from sklearn_groupcross.faithfulness import FeatureMaps
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.plotting import (
    CodeMapDisplay,
    DiagnosisDisplay,
    DistanceMatrixDisplay,
    FamilyWheelDisplay,
    FeatureMapDisplay,
    FrontierDisplay,
    SelfProfileDisplay,
    SpectrumDisplay,
    TransformBlockDisplay,
)
from sklearn_groupcross.plotting._fitting import fill, stride, text_width

COLUMN, SMALLEST = 3.3, 6.5
LONG = "feature 123 · D2: half turn and mirrors (axis 22.5°, 112.5°)"
rng = np.random.default_rng(0)
D8, S4 = Dihedral(8), Symmetric(4)
HALF_TURN = D8.generated_subgroup([4])
KINDS = np.repeat(["line", "grid", "three-fold", "directed", "round", "other", "dead"], 9)
FINDINGS = [
    Finding(
        "no_clusters",
        "Silhouettes are low: no family stands out from the rest of the dictionary.",
        0.03,
        0.1,
        "raise n_features, or train for longer, so that rare features have atoms",
        evidence,
    )
    for evidence in (
        {"silhouette": rng.normal(size=500)},
        {"profile": np.cos(np.arange(16.0)), "of another": np.sin(np.arange(16.0))},
        {"similarity": np.eye(5)},
    )
]
SEARCH = {
    "mean_test_neg_l0": -np.array([2, 5, 9, 20, 30, 4, 8.0]),
    "mean_test_explained_variance": np.array([0.3, 0.5, 0.62, 0.7, 0.72, 0.45, 0.6]),
    "params": [{"l1": l1} for l1 in (1, 0.5, 0.2, 0.1, 0.05)]
    + [{"activation": "topk", "k": k} for k in (4, 8)],
}
MAPS = FeatureMaps(
    rng.random((2, 3, 5, 5), dtype=np.float32),
    np.array([4, 110, 9]),
    rng.random((2, 20, 20, 3), dtype=np.float32),
    (-2.0, 18.0, 18.0, -2.0),
)


def wheel(poses, group, **options):
    return FamilyWheelDisplay.from_arrays(poses, group, title=f"family 12 · {LONG}", **options)


#: Every display, and the height in inches that it has in a column.
DISPLAYS = {
    "distances": (
        lambda: DistanceMatrixDisplay.from_arrays(np.ones((300, 300)), np.arange(300) // 25 - 1),
        3.0,
    ),
    "distances, named": (
        lambda: DistanceMatrixDisplay.from_arrays(np.ones((30, 30)), np.arange(30) // 9 - 1),
        3.0,
    ),
    "block": (lambda: TransformBlockDisplay.from_arrays(np.eye(16), D8, LONG), 3.2),
    "block of a permutation group": (
        lambda: TransformBlockDisplay.from_arrays(np.eye(24), S4, LONG),
        3.2,
    ),
    "profile": (
        lambda: SelfProfileDisplay.from_arrays(
            np.cos(np.arange(32.0)).reshape(2, 16),
            D8,
            [LONG, "feature 4"],
            threshold=0.8,
            stabilizers=[HALF_TURN] * 2,
        ),
        4.4,
    ),
    "profile of a permutation group": (
        lambda: SelfProfileDisplay.from_arrays(np.cos(np.arange(24.0)), S4, threshold=0.7),
        3.0,
    ),
    "spectra": (
        lambda: SpectrumDisplay.from_arrays(
            rng.dirichlet(np.ones(7), 2), D8, [LONG, "feature 4 · C1: none"]
        ),
        3.0,
    ),
    "many spectra": (
        lambda: SpectrumDisplay.from_arrays(rng.dirichlet(np.ones(32), 9), Cyclic(62)),
        3.0,
    ),
    "wheel": (lambda: wheel([*range(16), 3], D8, gaps=[5]), 4.2),
    "wheel of pictures": (lambda: wheel(range(16), D8, patches=np.ones((16, 4, 4, 3))), 4.2),
    "wheel of many turns": (lambda: wheel([0, 5], Cyclic(72), members=[10_000, 7]), 4.2),
    "wheel of a permutation group": (lambda: wheel([0, 5], S4, gaps=range(6, 24)), 5.0),
    "map": (lambda: FeatureMapDisplay.from_arrays(rng.normal(size=(63, 2)), KINDS), 3.0),
    "map of symmetries": (
        lambda: FeatureMapDisplay.from_arrays(
            rng.normal(size=(63, 2)), np.array([f"D{i % 9}" for i in range(63)])
        ),
        3.0,
    ),
    "diagnosis": (lambda: DiagnosisDisplay.from_findings(FINDINGS), 9.0),
    "no finding": (lambda: DiagnosisDisplay.from_findings([]), 1.6),
    "codes": (lambda: CodeMapDisplay(MAPS), 2.6),
    "codes of many": (
        lambda: CodeMapDisplay(
            replace(MAPS, maps=np.tile(MAPS.maps, (1, 4, 1, 1)), features=np.arange(1000, 1012))
        ),
        1.6,
    ),
    "frontier": (
        lambda: FrontierDisplay.from_cv_results(SEARCH, label="a search of penalties", chosen=2),
        3.0,
    ),
}


def texts_of(figure):
    """Every text that is seen: ticks keep labels where they are outside of the axes."""
    hidden = set()
    for axis in (axis for ax in figure.axes for axis in ax._axis_map.values()):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.majorTicks + axis.minorTicks:
            if not axis.axes.axison or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                hidden |= {id(tick.label1), id(tick.label2)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def corners(text):
    """Corners of a text as it is drawn, turned or not."""
    box = text.get_window_extent()
    angle = text.get_rotation()
    if angle % 90 == 0:
        return np.array([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])
    text.set_rotation(0)
    flat = text.get_window_extent()
    text.set_rotation(angle)
    half = np.array([flat.width, flat.height]) / 2
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    middle = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
    return middle + (signs * half) @ np.array([[c, s], [-s, c]])


def overlap(one, other, slack=1.0):
    """Whether two rectangles have more than `slack` pixels in common in every direction."""
    for rectangle in (one, other):
        for i in range(2):
            side = rectangle[i + 1] - rectangle[i]
            away = np.array([-side[1], side[0]]) / max(np.hypot(*side), 1e-9)
            a, b = one @ away, other @ away
            if a.max() - slack <= b.min() or b.max() - slack <= a.min():
                return False
    return True


def faults_of(figure):
    """Every text that is too small, lies outside of the figure, or on another."""
    figure.canvas.draw()
    texts = texts_of(figure)
    assert texts
    found = [
        f"{t.get_text()!r} has {t.get_fontsize()} pt" for t in texts if t.get_fontsize() < SMALLEST
    ]
    places = [corners(text) for text in texts]
    width, height = figure.bbox.size
    for text, place in zip(texts, places, strict=True):
        if place.min() < -1 or (place.max(axis=0) > (width + 1, height + 1)).any():
            found.append(f"{text.get_text()!r} is cut")
    for (a, one), (b, other) in combinations(zip(texts, places, strict=True), 2):
        if overlap(one, other):
            found.append(f"{a.get_text()!r} lies on {b.get_text()!r}")
    return found


def draw(make, height=None, layout=None):
    """Draw a display into a figure of one column, or into its own."""
    import matplotlib.pyplot as plt

    display = make()
    if height is None:
        return display.plot().figure_
    is_square = display.__class__ not in (SpectrumDisplay, FeatureMapDisplay, FrontierDisplay)
    is_square = is_square and not isinstance(display, DiagnosisDisplay)
    layout = layout or ("compressed" if is_square else "constrained")
    figure = plt.figure(figsize=(COLUMN, height), layout=layout)
    if isinstance(display, CodeMapDisplay | DiagnosisDisplay):
        return display.plot(figure).figure_
    is_polar = isinstance(display, SelfProfileDisplay) and display.group == D8
    return display.plot(figure.add_subplot(projection="polar" if is_polar else None)).figure_


@pytest.mark.parametrize("name", DISPLAYS)
def test_in_a_column_of_a_paper_all_can_be_read(name):
    make, height = DISPLAYS[name]
    assert faults_of(draw(make, height)) == []


@pytest.mark.parametrize("name", DISPLAYS)
def test_in_figures_of_our_own_all_can_be_read(name):
    make, _ = DISPLAYS[name]
    assert faults_of(draw(make)) == []


def test_faults_are_seen():
    figure = mpl.figure.Figure(figsize=(COLUMN, 2))
    for x, size in ((0.3, 6), (0.32, 9), (0.98, 9)):
        figure.text(x, 0.5, "a text", fontsize=size, rotation=45 if size == 9 and x < 0.5 else 0)
    assert faults_of(figure) == [
        "'a text' has 6.0 pt",
        "'a text' is cut",
        "'a text' lies on 'a text'",
    ]


def test_lines_are_as_wide_as_told_and_no_wider():
    text = "146 features: near if one is the other's transform"
    for width in (60, 90, 150):
        lines = fill(text, width, 9).split("\n")
        assert " ".join(lines) == text, width
        assert all(text_width(line, 9) <= width for line in lines)
        # no word would have had room in the line before
        starts = [line.split(" ")[0] for line in lines[1:]]
        assert all(
            text_width(f"{line} {start}", 9) > width
            for line, start in zip(lines, starts, strict=False)
        )
    assert fill("one\ntwo", 500, 9) == "one\ntwo"


def test_words_that_are_too_long_are_broken():
    lines = fill("see " + "a" * 40, 60, 8).split("\n")
    assert "".join(lines) == "see" + "a" * 40
    assert all(text_width(line, 8) <= 60 for line in lines)
    assert fill("ab", 0.1, 8) == "a\nb"


def test_measures_are_those_of_what_is_drawn():
    figure = mpl.figure.Figure(dpi=72)
    for text in ("alternating, mirror sign (1)", "112.5°", "two\nlonger lines"):
        drawn = figure.text(0, 0.5, text, fontsize=8).get_window_extent().width
        assert drawn * 0.95 <= text_width(text, 8) <= drawn * 1.15


def test_names_are_left_out_until_the_others_have_room():
    assert [stride(spacing, 7) for spacing in (20, 7.8, 7, 3, 1)] == [1, 1, 2, 3, 8]
