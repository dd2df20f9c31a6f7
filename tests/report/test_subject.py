from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_groupcross import Cyclic, SymmetryAnalyzer
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.report import ReportSubject
from sklearn_groupcross.report._pictures import Inputs, NoPictures, Patches
from sklearn_groupcross.report._subject import fingerprint, resolve_subject


def test_what_is_missing_is_found(analysis, small_crosscoder, small_dataset, orbits):
    whole = resolve_subject(ReportSubject(analysis, small_crosscoder, small_dataset))
    np.testing.assert_array_equal(whole.orbits, orbits)
    np.testing.assert_array_equal(whole.image_ids, small_dataset.image_ids)
    assert isinstance(whole.pictures, Patches)
    measured = (small_crosscoder.transform(orbits) > 0).mean(axis=0)
    np.testing.assert_allclose(whole.frequencies, measured)
    few = ReportSubject(analysis, small_crosscoder, None, orbits, min_frequency=0.1)
    few = resolve_subject(few)
    np.testing.assert_allclose(few.frequencies, np.where(measured >= 0.1, measured, 0))
    assert type(few.pictures) is NoPictures
    assert few.image_ids.tolist() == list(range(len(orbits)))


def test_an_analysis_is_enough(analysis):
    alone = resolve_subject(ReportSubject(analysis))
    assert alone.orbits is None
    np.testing.assert_array_equal(alone.frequencies, ~analysis.dead_)


def test_inputs_are_drawn(analysis, small_crosscoder, orbits):
    signals = np.zeros((len(orbits), 8))
    subject = ReportSubject(analysis, small_crosscoder, None, orbits, inputs=signals)
    assert isinstance(resolve_subject(subject).pictures, Inputs)


@pytest.mark.parametrize(
    ("details", "error", "words"),
    [
        ({"action": TimeShiftAction(Cyclic(7))}, ValueError, r"over .* acts by Cyclic\(7\)"),
        ({"action": "turn"}, TypeError, "action is an action"),
        ({"inputs": np.ones((2, 8))}, ValueError, "one for each orbit"),
        ({"inputs": np.full((240, 8), np.nan)}, ValueError, "NaN or infinity"),
        ({"inputs": np.full((240, 8), 1j)}, ValueError, "real and finite"),
        ({"frequencies": np.full(4, 0.3)}, ValueError, r"shape \(24,\), one for each atom"),
        ({"frequencies": np.full(24, 2.0)}, ValueError, "no shares"),
        ({"frequencies": np.full(24, np.nan)}, ValueError, "no shares"),
        ({"min_frequency": np.nan}, ValueError, "share in"),
        ({"orbits": np.ones((5, 96))}, ValueError, r"shape \(n_samples, 8, 12\)"),
        ({"orbits": np.ones((0, 8, 12))}, ValueError, "at least one"),
        ({"commands": "groupcross run"}, TypeError, "a list of texts"),
        ({"summary": "a run"}, TypeError, "summary is a mapping"),
        ({"findings": ["bad"]}, TypeError, "diagnose"),
        ({"visualizations": 3}, TypeError, "picture_features"),
        ({"crosscoder": "a crosscoder"}, TypeError, "fitted GroupCrosscoder"),
        ({"dataset": np.ones(3)}, TypeError, "A store is given as orbits"),
    ],
)
def test_what_does_not_fit_is_refused(analysis, small_crosscoder, orbits, details, error, words):
    about = {"crosscoder": small_crosscoder, "orbits": orbits, **details}
    with pytest.raises(error, match=words):
        resolve_subject(ReportSubject(analysis, **about))


def test_parts_of_different_things_are_refused(analysis, small_crosscoder, small_dataset, orbits):
    with pytest.raises(TypeError, match="fitted SymmetryAnalyzer"):
        resolve_subject(ReportSubject(small_crosscoder))
    with pytest.raises(NotFittedError):
        resolve_subject(ReportSubject(SymmetryAnalyzer()))
    others = np.random.default_rng(0).standard_normal(small_crosscoder.components_.shape)
    of_others = SymmetryAnalyzer(group=analysis.group_).fit(others)
    with pytest.raises(ValueError, match="not of the crosscoder's 24"):
        resolve_subject(ReportSubject(of_others, small_crosscoder))
    with pytest.raises(ValueError, match="dataset has 240 samples, and there are 200 orbits"):
        resolve_subject(ReportSubject(analysis, small_crosscoder, small_dataset, orbits[40:]))


def test_lists_are_orbits_too(analysis, small_crosscoder, orbits):
    subject = ReportSubject(analysis, small_crosscoder, None, orbits[:20].tolist())
    assert resolve_subject(subject).orbits.shape == (20, 8, 12)


def test_fingerprints_tell_materials_apart(analysis, small_crosscoder, orbits):
    def of(**details):
        subject = ReportSubject(analysis, small_crosscoder, None, **details)
        return fingerprint(resolve_subject(subject))

    signals = np.zeros((240, 8))
    told = [
        of(orbits=orbits),
        of(orbits=orbits[::-1]),
        of(orbits=orbits, min_frequency=0.1),
        of(orbits=orbits, inputs=signals),
        of(orbits=orbits, inputs=signals + 1),
    ]
    assert len(set(told)) == 5
    assert of(orbits=orbits.copy()) == told[0]
