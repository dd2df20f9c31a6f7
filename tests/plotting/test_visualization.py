from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from sklearn_groupcross.plotting import VisualizationDisplay
from sklearn_groupcross.visualization import Visualizations


@pytest.fixture
def visualizations():
    rng = np.random.default_rng(0)
    return Visualizations(
        images=rng.random((2, 3, 9, 9, 1), dtype=np.float32),
        values=rng.random((2, 3), dtype=np.float32),
        features=np.array([4, 11]),
        elements=np.array([0, 2]),
        words=("encoder", "block of identity", "block of turn 90°"),
        control_images=rng.random((1, 3, 9, 9, 1), dtype=np.float32),
        control_values=rng.random((1, 3), dtype=np.float32),
    )


def test_a_row_a_feature_and_the_random_direction_below(visualizations):
    display = VisualizationDisplay(visualizations).plot()
    assert display.axes_.shape == (3, 3)
    labels = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert labels == ["feature 4", "feature 11", "random direction"]
    value = visualizations.values[0, 2]
    assert display.axes_[0, 2].get_title() == f"block of turn 90°\n{value:.2f}"
    assert display.axes_[2, 1].get_title() == f"{visualizations.control_values[0, 1]:.2f}"
    (image,) = display.axes_[1, 2].get_images()
    shown = np.asarray(image.get_array())
    np.testing.assert_array_equal(shown, np.repeat(visualizations.images[1, 2], 3, axis=-1))


def test_a_given_figure_is_drawn_into(visualizations):
    figure = mpl.figure.Figure()
    display = VisualizationDisplay(visualizations).plot(figure, interpolation="nearest")
    assert display.figure_ is figure
    assert display.axes_[0, 0].get_images()[0].get_interpolation() == "nearest"


def test_from_a_crosscoder(small_crosscoder, small_network):
    pytest.importorskip("lucent", reason="torch-lucent, of the extra `lucent`, is not installed")
    display = VisualizationDisplay.from_estimator(
        small_crosscoder, small_network, features=[1], elements=[], n_controls=0, n_steps=2
    ).plot()
    assert display.axes_.shape == (1, 1)
