"""A family distance chosen from strangers."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from sklearn_groupcross import Dihedral, SymmetryAnalyzer, Trivial
from sklearn_groupcross.analysis._correlation import Spectra
from sklearn_groupcross.analysis._family_distance import (
    LARGEST,
    SMALLEST,
    balanced_signs,
    choose_family_distance,
)
from tests.analysis.planted import plant, units

CPU = torch.device("cpu")


def choose(blocks, group, seed=0):
    atoms = units(blocks)
    return choose_family_distance(atoms, Spectra(atoms, group, CPU), np.random.default_rng(seed))


@pytest.mark.parametrize("smoothness", [0.0, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.5, 0.9, 1.1])
def test_planted_families_are_separated_whatever_the_noise(noise, smoothness):
    group = Dihedral(8)
    planted, blocks = plant(
        group, 8, noise=noise, smoothness=smoothness, stabilizers="trivial", seed=1
    )
    analysis = SymmetryAnalyzer(group=group).fit(blocks.reshape(len(blocks), -1))
    assert adjusted_rand_score(planted.families, analysis.labels_) > 0.95
    fixed = SymmetryAnalyzer(group=group, family_distance=0.4).fit(blocks.reshape(len(blocks), -1))
    assert fixed.family_distance_ == 0.4
    if noise == 1.1:
        assert (fixed.labels_ < 0).mean() > 0.9


def test_smoother_atoms_and_fewer_channels_ask_for_a_smaller_distance():
    group = Dihedral(8)
    rough = [plant(group, 6, smoothness=s, noise=0.1)[1][:, :, :12] for s in (0.0, 2.0)]
    assert choose(rough[1], group) < choose(rough[0], group)
    assert choose(rough[0][:, :, :3], group) < choose(rough[0], group)


def test_it_stays_within_its_bounds():
    group = Dihedral(4)
    wide = np.random.default_rng(0).standard_normal((30, 8, 200))
    assert choose(wide, group) == LARGEST
    assert choose(wide[:1], group) == LARGEST
    assert choose(np.zeros((3, 8, 4)), group) == LARGEST
    assert choose(np.abs(wide[:, :, :1]), group) == SMALLEST
    with_dead = np.concatenate([wide[:, :, :5], np.zeros((5, 8, 5))])
    assert choose(with_dead, group) == choose(wide[:, :, :5], group)


def test_strangers_have_the_profile_of_their_atoms_and_little_else():
    atoms = units(np.random.default_rng(1).standard_normal((40, 8, 31)))
    signs = balanced_signs(atoms, np.random.default_rng(0))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    np.testing.assert_allclose(
        np.einsum("mgd,mhd->mgh", atoms * signs, atoms * signs),
        np.einsum("mgd,mhd->mgh", atoms, atoms),
        atol=1e-6,
    )
    left = np.abs((atoms * signs * atoms).sum(axis=(1, 2)))
    drawn = np.random.default_rng(2).choice([-1, 1], size=signs.shape)
    assert left.mean() < 0.5 * np.abs((atoms * drawn * atoms).sum(axis=(1, 2))).mean()


def test_the_same_seed_chooses_the_same():
    atoms = np.random.default_rng(0).standard_normal((20, 1, 10))
    assert choose(atoms, Trivial()) == choose(atoms, Trivial())
