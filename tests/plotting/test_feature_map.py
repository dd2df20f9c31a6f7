from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, SymmetryAnalyzer
from sklearn_groupcross.plotting import FeatureMapDisplay

GROUP = Dihedral(4)


def test_the_map_has_one_dot_a_feature():
    points, kinds = (
        np.linspace(0, 1, 20).reshape(10, 2),
        np.array(["line"] * 3 + ["other"] * 7, dtype=object),
    )
    display = FeatureMapDisplay.from_arrays(points, kinds).plot()
    assert sorted(len(c.get_offsets()) for c in display.ax_.collections) == [3, 7]
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert labels == ["line (3)", "other (7)"]


def test_maps_are_colored_by_other_words_too():
    words = ["D2"] * 3 + ["C1"] * 4 + [f"D{n}" for n in range(3, 12)]
    display = FeatureMapDisplay.from_arrays(np.zeros((16, 2)), words).plot()
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert labels[0] == "D2 (3)"
    assert labels[-2:] == ["C1 (4)", "rest (4)"]
    colors = [tuple(c.get_facecolor()[0]) for c in display.ax_.collections]
    assert len(set(colors)) == len(colors) == 8


def test_what_the_map_is_colored_by(analysis, monkeypatch):
    points = np.zeros((len(analysis.labels_), 2))
    monkeypatch.setattr(SymmetryAnalyzer, "embedding_", points)
    by_kind = FeatureMapDisplay.from_estimator(analysis)
    np.testing.assert_array_equal(by_kind.kinds, analysis.kinds_)
    by_family = FeatureMapDisplay.from_estimator(analysis, color_by="family")
    assert by_family.kinds[analysis.families_[0].medoid] == "family 0"
    by_symmetry = FeatureMapDisplay.from_estimator(analysis, [0], color_by="symmetry")
    assert analysis.stabilizers_[0].name.startswith(f"{by_symmetry.kinds[0]}:")
    with pytest.raises(ValueError, match="color_by is one of"):
        FeatureMapDisplay.from_estimator(analysis, color_by="size")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 3)),), r"shape \(m, 2\)"),
        ((np.ones((2, 2)), ["line"]), "one entry a point"),
    ],
)
def test_wrong_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureMapDisplay.from_arrays(*arguments)
