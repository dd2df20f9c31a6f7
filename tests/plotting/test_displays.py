from __future__ import annotations

import io
import sys

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import FeatureMaps
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.plotting import (
    CodeMapDisplay,
    DistanceMatrixDisplay,
    FeatureMapDisplay,
    SelfProfileDisplay,
    TransformBlockDisplay,
    block_to_png,
    figure_to_png,
    save_figure,
)

GROUP = Dihedral(4)


@pytest.fixture(scope="module")
def analysis():
    planted = make_orbits(5, group=GROUP, n_families=4, random_state=5)
    atoms = planted.components.reshape(len(planted.components), -1)
    return SymmetryAnalyzer(group=GROUP).fit(atoms)


def test_transform_block_shows_its_numbers_and_labels_the_halves(analysis):
    display = TransformBlockDisplay.from_estimator(analysis, 2).plot()
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), analysis.transform_blocks(2))
    texts = display.ax_.texts
    labels = [text.get_text() for text in texts]
    assert sorted(labels) == ["mirrored, then turned"] * 2 + ["turned"] * 2
    for text in texts:
        (along,) = {*text.xy} - {-0.5, 7.5}  # the other coordinate is a border
        assert along == (1.5 if text.get_text() == "turned" else 5.5)


def test_groups_without_mirrors_have_no_quadrants():
    display = TransformBlockDisplay.from_arrays(np.eye(6), Cyclic(6)).plot()
    assert not display.ax_.texts


class TestSelfProfile:
    def test_turns_go_round_a_circle(self, analysis):
        display = SelfProfileDisplay.from_estimator(analysis, [0, 1]).plot()
        assert display.ax_.name == "polar"
        drawn = [line for line in display.ax_.lines if len(line.get_xdata()) == 5]
        assert len(drawn) == 4  # turned and mirrored copies of two features
        np.testing.assert_allclose(np.rad2deg(drawn[0].get_xdata()), [0, 90, 180, 270, 360])
        np.testing.assert_allclose(drawn[0].get_ydata()[:4], analysis.profiles_[0, :4])
        np.testing.assert_allclose(drawn[1].get_ydata()[:4], analysis.profiles_[0, 4:])
        assert drawn[1].get_linestyle() == "--"

    def test_the_evidence_of_the_stabilizer_is_shown(self, analysis):
        feature = next(i for i, s in enumerate(analysis.stabilizers_) if s.subgroup.order == 4)
        display = SelfProfileDisplay.from_estimator(analysis, feature).plot()
        legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert "threshold 0.8" in legend
        dotted = [line for line in display.ax_.lines if line.get_linestyle() == ":"]
        assert set(dotted[0].get_ydata()) == {0.8}
        (rings,) = [line for line in display.ax_.lines if line.get_linestyle() == "None"]
        elements = list(analysis.stabilizers_[feature].subgroup.elements)
        np.testing.assert_allclose(rings.get_ydata(), analysis.profiles_[feature, elements])
        assert min(rings.get_ydata()) > 0.8

    def test_given_axes_need_not_be_polar(self, analysis):
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
        SelfProfileDisplay.from_estimator(analysis, 0).plot(ax)
        longest = [line for line in ax.lines if len(line.get_xdata()) == 5]
        np.testing.assert_allclose(longest[0].get_xdata(), [0, 90, 180, 270, 360])

    def test_other_groups_have_bars(self):
        group = Symmetric(3)
        profiles = np.random.default_rng(0).uniform(-1, 1, (2, 6))
        display = SelfProfileDisplay.from_arrays(profiles, group, threshold=0.7).plot()
        heights = [[bar.get_height() for bar in bars] for bars in display.ax_.containers]
        np.testing.assert_allclose(heights, profiles)
        names = [tick.get_text() for tick in display.ax_.get_xticklabels()]
        assert names == [group.describe_element(h) for h in range(6)]

    def test_groups_without_mirrors_have_one_line(self):
        display = SelfProfileDisplay.from_arrays(np.ones(3), Cyclic(3)).plot()
        assert len([line for line in display.ax_.lines if len(line.get_xdata()) == 4]) == 1


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
    analysis = SymmetryAnalyzer(group=GROUP).fit(atoms)
    display = DistanceMatrixDisplay.from_estimator(analysis).plot()
    assert display.distances.shape == (5, 5)
    assert [int(t.get_text()) for t in display.ax_.get_xticklabels()] == [0, 1, 3, 4, 5]
    assert len(DistanceMatrixDisplay.from_estimator(analysis, [2, 3]).features) == 2


def test_a_thousand_features_are_not_named():
    labels = np.repeat(np.arange(500), 2)
    display = DistanceMatrixDisplay.from_arrays(np.ones((1000, 1000)), labels).plot()
    assert not display.ax_.texts
    assert len(display.ax_.get_xticks()) == 0


def test_the_map_has_one_dot_a_feature():
    points, kinds = (
        np.linspace(0, 1, 20).reshape(10, 2),
        np.array(["line"] * 3 + ["other"] * 7, dtype=object),
    )
    display = FeatureMapDisplay.from_arrays(points, kinds).plot()
    assert sorted(len(c.get_offsets()) for c in display.ax_.collections) == [3, 7]
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert labels == ["line (3)", "other (7)"]


def test_maps_are_coloured_by_other_words_too():
    words = ["D2"] * 3 + ["C1"] * 4 + [f"D{n}" for n in range(3, 12)]
    display = FeatureMapDisplay.from_arrays(np.zeros((16, 2)), words).plot()
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert labels[0] == "D2 (3)"
    assert labels[-2:] == ["C1 (4)", "rest (4)"]
    colours = [tuple(c.get_facecolor()[0]) for c in display.ax_.collections]
    assert len(set(colours)) == len(colours) == 8


def test_what_the_map_is_coloured_by(analysis, monkeypatch):
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


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figures_are_written_whole_and_always_the_same(analysis, tmp_path, ending):
    for name in "ab":
        figure = TransformBlockDisplay.from_estimator(analysis, 2).plot().figure_
        save_figure(figure, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    with pytest.raises(ValueError, match="not supported"):
        save_figure(TransformBlockDisplay.from_estimator(analysis, 2).plot().figure_, "a.klm")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TransformBlockDisplay.from_arrays(np.eye(3), GROUP), r"\(8, 8\); got \(3, 3\)"),
        (lambda: SelfProfileDisplay.from_arrays(np.ones(3), GROUP), "8 columns; got 3"),
        (lambda: DistanceMatrixDisplay.from_arrays(np.ones((2, 3))), "one label a feature"),
        (
            lambda: SelfProfileDisplay.from_arrays(np.ones(8), GROUP, ["a", "b"]),
            "labels has one entry",
        ),
        (lambda: FeatureMapDisplay.from_arrays(np.ones((2, 3))), r"shape \(m, 2\)"),
        (lambda: FeatureMapDisplay.from_arrays(np.ones((2, 2)), ["line"]), "one entry a point"),
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
