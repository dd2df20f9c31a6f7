from __future__ import annotations

import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitScaler, SymmetryAnalyzer
from sklearn_groupcross._estimator_html import ShowsWhatWasLearned


class Learner(ShowsWhatWasLearned, BaseEstimator):
    def __init__(self, rate=1.0):
        self.rate = rate

    def _learned_html(self):
        return "<p>three things</p>"


def test_the_diagram_comes_first_and_what_was_learned_below():
    html = Learner()._repr_html_()
    assert html.index("sk-top-container") < html.index("<p>three things</p>")
    bundle = Learner(2.0)._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == "Learner(rate=2.0)"
    assert bundle["text/html"].endswith("<p>three things</p>")


def test_text_is_all_where_text_is_asked_for():
    with config_context(display="text"):
        assert not hasattr(Learner(), "_repr_html_")
        assert set(Learner()._repr_mimebundle_()) == {"text/plain"}
    assert hasattr(Learner(), "_repr_html_")


@pytest.mark.parametrize("estimator", [GroupCrosscoder(Cyclic(3)), SymmetryAnalyzer(Cyclic(3))])
def test_before_fit_there_is_the_diagram_alone(estimator):
    html = estimator._repr_html_()
    assert type(estimator).__name__ in html
    assert "groupcross" not in html.replace("sklearn_groupcross", "").replace("groupcross.", "")


def test_pipelines_show_their_steps():
    pipeline = make_pipeline(OrbitScaler(Cyclic(3)), GroupCrosscoder(Cyclic(3)))
    html = pipeline._repr_html_()
    assert "OrbitScaler" in html
    assert "GroupCrosscoder" in html
