from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis._joining import central_features, pair_up
from tests.analysis.planted import strangers, units

D4 = Dihedral(4)
CPU = torch.device("cpu")


def noisy(atoms, rng, size):
    return units(atoms + size * rng.standard_normal(atoms.shape) / np.sqrt(atoms[0].size))


def test_partners_in_the_same_pose_go_first():
    free = strangers(D4, n_families=1, n_active=1, n_channels=24, stabilizers="trivial").components[
        0
    ]
    poses = np.stack([free[D4.right_translation(h)] for h in range(8)])
    rng = np.random.default_rng(0)
    one, other = noisy(poses, rng, 0.6), noisy(poses[::-1], rng, 0.6)
    found = pair_up(one, other, D4, CPU, 0.6)
    assert found.partner.tolist() == list(range(7, -1, -1))
    assert (found.alignment == D4.identity).all()
    # what has no partner in its pose gets one in another
    found = pair_up(one[:2], other[[7, 0]], D4, CPU, 0.6)
    assert found.partner.tolist() == [0, 1]
    assert found.alignment[0] == D4.identity != found.alignment[1]


def test_what_stays_below_the_threshold_has_no_partner():
    one, other = (strangers(D4, seed, n_channels=24).components for seed in (1, 2))
    one = np.concatenate([units(one), np.zeros_like(one[:1])])
    found = pair_up(one, units(other), D4, CPU, 0.7)
    assert (found.partner == -1).all()
    assert np.isnan(found.similarity).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n_runs=st.integers(2, 5), n_copies=st.integers(1, 3))
def test_groups_hold_one_feature_of_a_run_at_most(seed, n_runs, n_copies):
    """A run that has a feature in copies makes as many groups of them as another run has."""
    rng = np.random.default_rng(seed)
    truth = strangers(D4, seed % 50, n_families=4, n_channels=24).components
    runs = [noisy(np.concatenate([truth] * n_copies), rng, 0.2) for _ in range(2)]
    assert len(central_features(runs, D4, CPU, 0.7)) == 4 * n_copies
    runs += [noisy(truth, rng, 0.2) for _ in range(n_runs - 2)]
    atoms = central_features(runs, D4, CPU, 0.7)
    assert 4 <= len(atoms) <= 4 * n_copies
    covered = pair_up(units(truth), atoms, D4, CPU, 0.9)
    assert (covered.partner >= 0).all()


def test_the_central_feature_is_the_one_nearest_to_its_partners():
    rng = np.random.default_rng(0)
    truth = units(strangers(D4, n_families=4, n_channels=24).components)
    runs = [noisy(truth, rng, size) for size in (0.5, 0.05, 0.5)]
    np.testing.assert_array_equal(central_features(runs, D4, CPU, 0.7), runs[1])


def test_runs_without_anything_in_common_have_no_groups():
    runs = [units(strangers(D4, seed, n_channels=24).components) for seed in range(3)]
    assert central_features(runs, D4, CPU, 0.9).shape == (0, 8, 24)
