"""Activity of a network in every pose of a family."""

import numpy as np
import pytest
import torch

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.analysis._pose_activity import Pattern, pose_activities
from tests.analysis.planted import units

GROUP, N_CHANNELS = Dihedral(4), 40


@pytest.fixture(scope="module")
def crosscoder():
    """One that has not learned anything: its atoms explain nothing."""
    noise = np.random.default_rng(0).standard_normal((64, GROUP.order, N_CHANNELS))
    fitted = GroupCrosscoder(GROUP, 4, max_epochs=1, random_state=0).fit(noise.astype(np.float32))
    fitted.components_ = np.zeros_like(fitted.components_)
    fitted.intercept_ = np.zeros_like(fitted.intercept_)
    return fitted


def activity(crosscoder, atom, orbits, image, poses=None):
    pattern = Pattern(
        atom.astype(np.float32),
        np.array([0, 1]),
        np.arange(GROUP.order) if poses is None else poses,
    )
    (found,) = pose_activities(
        crosscoder,
        Rows(orbits.reshape(len(orbits), -1).astype(np.float32)),
        image,
        [pattern],
        torch.device("cpu"),
        np.random.default_rng(0),
        batch_size=5,
    )
    return found


def test_a_sample_counts_for_its_pose_and_its_image(crosscoder):
    rng = np.random.default_rng(1)
    atom = units(rng.standard_normal((1, GROUP.order, N_CHANNELS)))[0]
    shown, sizes = np.array([0, 3, 3, 6, 2, 0, 5]), np.arange(1, 8)
    image = np.array([0, 0, 1, 1, 1, 2, 2])
    orbits = np.stack(
        [size * atom[GROUP.right_translation(int(h))] for h, size in zip(shown, sizes, strict=True)]
    )
    found = activity(crosscoder, atom, orbits, image)
    expected = np.zeros((3, GROUP.order))
    for h, size, i in zip(shown, sizes, image, strict=True):
        expected[i, h] += size**2 * (atom[h] ** 2).sum()
    np.testing.assert_allclose(found.family, expected, rtol=1e-4, atol=1e-6)
    assert found.strangers.sum() < 0.1 * found.family.sum()
    some = activity(crosscoder, atom, orbits, image, np.array([3, 6]))
    assert some.family[0, 0] == pytest.approx(expected[0, 3], rel=0.5)


def test_where_a_network_does_not_answer_nothing_counts(crosscoder):
    atom = units(np.random.default_rng(1).standard_normal((1, GROUP.order, N_CHANNELS)))[0]
    atom[3] = 0  # what it does with the pattern in pose 3
    orbits = np.stack([atom[GROUP.right_translation(h)] for h in (2, 3)])
    found = activity(crosscoder, atom, orbits, np.array([0, 0]))
    assert found.family[0, 2] > 0.05
    assert found.family[0, 3] == 0


def test_what_other_features_explain_does_not_count(crosscoder):
    rng = np.random.default_rng(2)
    atom = units(rng.standard_normal((1, GROUP.order, N_CHANNELS)))[0].astype(np.float32)
    fitted = GroupCrosscoder(GROUP, 4, max_epochs=1, random_state=0).fit(
        rng.standard_normal((64, GROUP.order, N_CHANNELS)).astype(np.float32)
    )
    fitted.encoder_ = np.zeros_like(fitted.encoder_)
    fitted.encoder_intercept_ = np.zeros_like(fitted.encoder_intercept_)
    fitted.intercept_ = np.zeros_like(fitted.intercept_)
    fitted.components_ = np.zeros_like(fitted.components_)
    for explains, expected in ((3, 0.0), (0, 4.0)):  # a feature outside the family, or a member
        fitted.encoder_intercept_[:] = 0
        fitted.encoder_intercept_[explains] = 2.0
        fitted.components_[:] = 0
        fitted.components_[explains] = atom.ravel()
        found = activity(fitted, atom, 2 * atom[None], np.array([0]))
        here = expected * (atom[0] ** 2).sum()
        assert found.family.sum() == pytest.approx(here, abs=1e-3)
