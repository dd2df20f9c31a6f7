from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from sklearn_groupcross.analysis import Finding
from sklearn_groupcross.plotting import DiagnosisDisplay


def finding(name="no_clusters", value=0.03, limit=0.1, **evidence):
    return Finding(name, "No clusters.", value, limit, "raise n_features", evidence)


def test_value_and_limit_stand_above_the_evidence():
    profile = np.cos(np.arange(16.0))
    findings = [finding(profile=profile), finding("same profile", -0.2, 0.5, similarity=np.eye(3))]
    display = DiagnosisDisplay.from_findings(findings).plot()
    assert display.axes_.shape == (2, 2)
    values, evidence = display.axes_
    assert values[0].get_title() == "no clusters"
    assert [ax.patches[0].get_width() for ax in values] == [0.03, -0.2]
    assert [ax.lines[0].get_xdata()[0] for ax in values] == [0.1, 0.5]
    for ax in values:  # both are in sight
        left, right = ax.get_xlim()
        assert left <= min(ax.patches[0].get_width(), 0) < ax.lines[0].get_xdata()[0] < right
    np.testing.assert_array_equal(evidence[0].lines[0].get_ydata(), profile)
    np.testing.assert_array_equal(evidence[1].images[0].get_array(), np.eye(3))
    assert "raise n_features" in evidence[0].get_xlabel()


def test_long_evidence_makes_a_histogram_of_what_is_finite():
    values = np.random.default_rng(0).normal(size=500)
    values[::10] = np.nan
    display = DiagnosisDisplay.from_findings([finding(silhouette=values, other=values[:5])]).plot()
    counts = [sum(bar.get_height() for bar in bars) for bars in display.axes_[1, 0].containers]
    assert counts == [450, 4]


def test_no_finding_says_so():
    display = DiagnosisDisplay.from_findings([]).plot()
    assert "all is well" in display.axes_[0, 0].texts[0].get_text()


def test_a_given_figure_is_drawn_into():
    figure = mpl.figure.Figure(figsize=(5, 4))
    display = DiagnosisDisplay.from_findings([finding()]).plot(figure)
    assert display.figure_ is figure
    figure.canvas.draw()


def test_evidence_of_other_dimensions_is_refused():
    with pytest.raises(ValueError, match="'cube' of 'no_clusters' has 3"):
        DiagnosisDisplay.from_findings([finding(cube=np.zeros((2, 2, 2)))])
