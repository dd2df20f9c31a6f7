from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, SymmetryAnalyzer
from sklearn_groupcross.plotting import DistanceMatrixDisplay

GROUP = Dihedral(4)


def test_the_distance_matrix_is_ordered_by_family(analysis):
    display = DistanceMatrixDisplay.from_estimator(analysis).plot()
    drawn = np.asarray(display.ax_.images[0].get_array())
    rank = np.where(analysis.labels_ < 0, 10**6, analysis.labels_)
    order = np.argsort(rank, kind="stable")
    np.testing.assert_array_equal(drawn, analysis.distances_[np.ix_(order, order)])


def test_families_are_framed_and_numbered(analysis):
    display = DistanceMatrixDisplay.from_estimator(analysis).plot()
    (frames,) = display.ax_.collections
    sides = [np.ptp(path.vertices, axis=0).tolist() for path in frames.get_paths()]
    sizes = [float(len(family.members)) for family in analysis.families_]
    assert sides == [[size, size] for size in sizes]
    numbers = {text.get_text(): text.xy[0] for text in display.ax_.texts}
    assert numbers["0"] == (sizes[0] - 1) / 2


def test_dead_features_are_left_out_of_matrix_and_names():
    atoms = np.random.default_rng(0).standard_normal((6, 32))
    atoms[2] = 0
    analysis = SymmetryAnalyzer(group=GROUP, family_distance=0.4).fit(atoms)
    display = DistanceMatrixDisplay.from_estimator(analysis).plot()
    assert display.distances.shape == (5, 5)
    assert [int(t.get_text()) for t in display.ax_.get_xticklabels()] == [0, 1, 3, 4, 5]
    assert len(DistanceMatrixDisplay.from_estimator(analysis, [2, 3]).features) == 2


def test_a_thousand_features_are_not_named():
    labels = np.repeat(np.arange(500), 2)
    display = DistanceMatrixDisplay.from_arrays(np.ones((1000, 1000)), labels).plot()
    assert not display.ax_.texts
    assert len(display.ax_.get_xticks()) == 0


def test_distances_that_are_not_square_are_refused():
    with pytest.raises(ValueError, match="one label a feature"):
        DistanceMatrixDisplay.from_arrays(np.ones((2, 3)))
