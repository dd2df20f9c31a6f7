from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.faithfulness import PROBE_CLASSES, shape_probes
from sklearn_groupcross.faithfulness._probe_scores import score_responses, standardized

PROBES = shape_probes([8, 12, 18], [2, 4], [45, 90, 120], [(1.0, 0.5), (0.0, 0.5)])
KINDS = np.array([probe.kind for probe in PROBES])


def detector(kind, turn, of=None, noise=0.0, seed=0):
    """Responses of a detector of one class at one angle, (n_probes, 16)."""
    off = (np.arange(16) - turn + 8) % 16 - 8
    shown = kind == KINDS if of is None else np.array(of)
    clean = np.outer(shown, np.exp(-0.5 * off**2))
    return clean + noise * np.random.default_rng(seed).standard_normal(clean.shape)


@given(
    st.sampled_from(PROBE_CLASSES),
    st.integers(0, 15),
    st.floats(0, 0.1),
    st.floats(0.01, 100),
    st.floats(-10, 10),
)
def test_detectors_are_told_whatever_their_angle_scale_and_offset(kind, turn, noise, scale, offset):
    responses = scale * (detector(kind, turn, noise=noise) + offset)
    scores = score_responses(standardized(responses[None]), PROBES)
    column = PROBE_CLASSES.index(kind)
    assert scores.selectivities[0].argmax() == column
    assert scores.selectivities[0, column] > 1
    assert (np.delete(scores.selectivities[0], column) < 0).all()
    assert scores.orientations[0, column] == turn


def test_a_detector_may_prefer_a_radius_and_a_shade():
    of = [p.kind == "curve" and p.shape.radius == 12 and p.foreground == 1.0 for p in PROBES]
    scores = score_responses(standardized(detector("curve", 3, of=of)[None]), PROBES)
    assert scores.selectivities[0].argmax() == PROBE_CLASSES.index("curve")


def test_probes_of_one_class_count_where_they_agree_on_the_angle():
    probes = shape_probes(range(8, 20, 2), [3], [90], [(1.0, 0.5)])
    curves = np.array([probe.kind == "curve" for probe in probes])
    tuned = np.exp(-0.5 * (np.arange(16) - 3.0) ** 2)
    agreeing = np.outer(curves, tuned)
    scattered = np.stack([np.roll(row, 5 * i) for i, row in enumerate(agreeing)])
    both = score_responses(standardized(np.stack([agreeing, scattered])), probes)
    assert both.selectivities[0, 0] > 1.3 * both.selectivities[1, 0]


def test_showing_a_class_twice_as_often_changes_nothing():
    responses = standardized(np.random.default_rng(0).standard_normal((50, len(PROBES), 16)))
    curves = np.flatnonzero(KINDS == "curve")
    more = np.concatenate([np.arange(len(PROBES)), curves])
    scores = score_responses(responses, PROBES)
    again = score_responses(responses[:, more], [PROBES[i] for i in more])
    np.testing.assert_allclose(scores.peaks, again.peaks)
    np.testing.assert_array_equal(scores.orientations, again.orientations)


def test_responses_that_do_not_vary_prefer_nothing():
    flat = standardized(np.full((2, len(PROBES), 16), 0.1))
    assert not flat.any()
    scores = score_responses(flat, PROBES)
    assert not scores.selectivities.any()


def test_a_class_that_no_probe_shows_is_never_preferred():
    edges = [i for i, probe in enumerate(PROBES) if probe.kind in {"edge", "line"}]
    responses = standardized(detector("edge", 2)[None, edges])
    scores = score_responses(responses, [PROBES[i] for i in edges])
    assert scores.peaks[0, PROBE_CLASSES.index("curve")] == -np.inf
    assert scores.selectivities[0].argmax() == PROBE_CLASSES.index("edge")
    assert scores.selectivities[0].max() == pytest.approx(np.ptp(scores.peaks[0, 1:3]))
