from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.faithfulness import FeatureMaps
from sklearn_groupcross.plotting import CodeMapDisplay

GROUP = Dihedral(4)


class TestCodeMap:
    @pytest.fixture
    def maps(self):
        rng = np.random.default_rng(0)
        codes = rng.random((2, 3, 5, 5), dtype=np.float32)
        codes[:, 2] = 0.0  # a feature that is silent
        images = rng.random((2, 20, 20, 3), dtype=np.float32)
        return FeatureMaps(codes, np.array([4, 0, 9]), images, (-2.0, 18.0, 18.0, -2.0))

    def test_a_row_an_image_and_a_column_a_feature(self, maps):
        display = CodeMapDisplay(maps).plot()
        assert display.axes_.shape == (2, 3)
        assert [ax.get_title() for ax in display.axes_[0]] == [
            "feature 4",
            "feature 0",
            "feature 9",
        ]
        _, codes = display.axes_[1, 1].get_images()
        np.testing.assert_array_equal(codes.get_array(), maps.maps[1, 1])
        assert list(codes.get_extent()) == list(maps.extent)
        assert codes.get_clim() == (0.0, pytest.approx(maps.maps[:, 1].max()))

    def test_silence_is_clear_and_a_given_figure_is_drawn_into(self, maps):
        figure = mpl.figure.Figure()
        display = CodeMapDisplay(maps).plot(figure, cmap="viridis")
        assert display.figure_ is figure
        codes = display.axes_[0, 2].get_images()[1]
        assert not np.asarray(codes.get_alpha()).any()
        assert codes.get_cmap().name == "viridis"

    def test_from_a_crosscoder(self, small_dataset, small_network, smooth_images):
        crosscoder = GroupCrosscoder(group=GROUP, n_features=8, max_epochs=1, random_state=0)
        crosscoder.fit(small_dataset.as_array())
        display = CodeMapDisplay.from_estimator(
            crosscoder, small_network, smooth_images[:2], features=[1, 5, 6]
        ).plot()
        assert display.axes_.shape == (2, 3)
