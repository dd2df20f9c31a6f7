from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.groups import Symmetric
from sklearn_groupcross.plotting import SelfProfileDisplay

GROUP = Dihedral(4)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3), GROUP), "8 columns; got 3"),
        ((np.ones(8), GROUP, ["a", "b"]), "labels has one entry"),
    ],
)
def test_wrong_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelfProfileDisplay.from_arrays(*arguments)
