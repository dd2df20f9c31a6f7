from __future__ import annotations

import io
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import FeatureMaps
from sklearn_groupcross.plotting import (
    CodeMapDisplay,
    DistanceMatrixDisplay,
    FeatureMapDisplay,
    SelfProfileDisplay,
    TransformBlockDisplay,
    block_to_png,
    figure_to_png,
)

GROUP = Dihedral(4)


@pytest.fixture(autouse=True)
def close_figures():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="module")
def analysis():
    planted = make_orbits(5, group=GROUP, n_families=4, random_state=5)
    atoms = planted.components.reshape(len(planted.components), -1)
    return SymmetryAnalyzer(group=GROUP).fit(atoms)


def test_transform_block_shows_its_numbers_and_labels_the_quadrants(analysis):
    display = TransformBlockDisplay.from_estimator(analysis, 2).plot()
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), analysis.transform_blocks(2))
    labels = [text.get_text() for text in display.ax_.texts]
    assert sorted(labels) == ["reflections", "reflections", "rotations", "rotations"]
    positions = {t.get_text(): [] for t in display.ax_.texts}
    for text in display.ax_.texts:
        positions[text.get_text()].append(text.get_position())
    # rotations stand on the diagonal: both coordinates in the same half
    for x, y in positions["rotations"]:
        assert (x > 3.5) == (y > 3.5)


def test_groups_without_mirrors_have_no_quadrants():
    display = TransformBlockDisplay.from_arrays(np.eye(6), Cyclic(6)).plot()
    assert not display.ax_.texts


def test_self_profiles(analysis):
    display = SelfProfileDisplay.from_estimator(analysis, [0, 1]).plot()
    drawn = [line for line in display.ax_.lines if len(line.get_xdata()) == 5]
    assert len(drawn) == 4  # rotations and reflections of two features
    np.testing.assert_allclose(drawn[0].get_ydata()[:4], analysis.profiles_[0, :4])
    np.testing.assert_allclose(drawn[0].get_xdata(), [0, 90, 180, 270, 360])
    SelfProfileDisplay.from_arrays(np.ones(3), Cyclic(3)).plot()


def test_the_distance_matrix_is_ordered_by_family(analysis):
    display = DistanceMatrixDisplay.from_estimator(analysis).plot()
    drawn = np.asarray(display.ax_.images[0].get_array())
    rank = np.where(analysis.labels_ < 0, 10**6, analysis.labels_)
    order = np.argsort(rank, kind="stable")
    np.testing.assert_array_equal(drawn, analysis.distances_[np.ix_(order, order)])


def test_the_map_has_one_dot_a_feature():
    points, kinds = (
        np.linspace(0, 1, 20).reshape(10, 2),
        np.array(["line"] * 3 + ["other"] * 7, dtype=object),
    )
    display = FeatureMapDisplay.from_arrays(points, kinds).plot()
    assert sorted(len(c.get_offsets()) for c in display.ax_.collections) == [3, 7]
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert labels == ["line (3)", "other (7)"]


def test_displays_draw_on_given_axes(analysis):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert TransformBlockDisplay.from_estimator(analysis, 0).plot(ax).ax_ is ax
    assert SelfProfileDisplay.from_estimator(analysis, 0).plot(ax).figure_ is ax.figure


def test_pictures_as_bytes(analysis):
    png = block_to_png(np.eye(8))
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert picture.shape == (8, 8, 3)
    red, white = picture[0, 0], picture[0, 1]
    assert red[0] > red[2]
    assert white.min() > 240
    figure = DistanceMatrixDisplay.from_estimator(analysis).plot().figure_
    assert Image.open(io.BytesIO(figure_to_png(figure))).format == "PNG"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TransformBlockDisplay.from_arrays(np.eye(3), GROUP), r"\(8, 8\); got \(3, 3\)"),
        (lambda: SelfProfileDisplay.from_arrays(np.ones(3), GROUP), "8 columns; got 3"),
        (lambda: DistanceMatrixDisplay.from_arrays(np.ones((2, 3))), "one label a feature"),
        (lambda: FeatureMapDisplay.from_arrays(np.ones((2, 3))), r"shape \(m, 2\)"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_matplotlib_the_message_says_what_to_install(analysis, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"sklearn-groupcross\[plot\]"):
        TransformBlockDisplay.from_estimator(analysis, 0).plot()


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
