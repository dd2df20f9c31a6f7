from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sklearn_groupcross import Dihedral, make_orbits
from sklearn_groupcross.analysis._family_names import Kin
from sklearn_groupcross.analysis._jackknife import PairedProfiles, _summarize
from sklearn_groupcross.groups import score_subgroups
from tests.groups.strategies import NON_ABELIAN

GROUP = Dihedral(4)
N_BAGS = 20


def evidence_of(atoms, group, noise, seed=0, weight=None):
    """Evidence as if each of 20 bags saw the atoms with noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    bags = torch.tensor(atoms)[None].repeat(N_BAGS, 1, 1, 1)
    scale = noise * (N_BAGS / atoms[0].size) ** 0.5
    bags += scale * torch.randn(bags.shape, generator=generator, dtype=bags.dtype)
    if weight is not None:
        bags *= torch.tensor(weight)[:, :, None, None]
    weight = np.ones(bags.shape[:2]) if weight is None else weight
    paired = PairedProfiles(bags.sum(0).flatten(1), group)
    within, across = (np.stack(each) for each in zip(*map(paired, bags.flatten(2)), strict=True))
    images = 10 * (weight > 0).sum(axis=0)
    return _summarize(group, within, across, weight, images, seed=7)


def profiles_of(atoms, group):
    translates = [(atoms * atoms[:, group.right_translation(h)]) for h in range(group.order)]
    profiles = np.stack([t.sum((1, 2)) for t in translates], axis=1)
    return profiles / profiles[:, :1]


def test_noise_drops_out_of_energies_and_standard_errors_are_right():
    group = Dihedral(6)
    subgroup = group.generated_subgroup([3])
    options = {"n_families": 300, "closed": False, "stabilizers": subgroup, "n_active": 1}
    atoms = make_orbits(
        1, group=group, n_channels=8, energies=0.7, random_state=0, **options
    ).components.astype(np.float64)
    evidence = evidence_of(atoms, group, noise=0.5)
    which = group.subgroups().index(subgroup)
    energy, errors = evidence.energies[:, which], evidence.standard_errors[:, which]
    assert energy.mean() == pytest.approx(0.7, abs=3 * energy.std() / len(energy) ** 0.5 + 0.002)
    assert errors.mean() == pytest.approx(energy.std(), rel=0.2)
    # the plain cosine of noisy atoms is biased by far more
    rng = np.random.default_rng(0)
    noisy = atoms + 0.5 / atoms[0].size ** 0.5 * rng.standard_normal(atoms.shape)
    plain = score_subgroups(group, profiles_of(noisy, group))[0][:, which]
    assert plain.mean() < 0.67


@pytest.mark.parametrize("noise", [0.1, 0.4, 0.8])
def test_the_stated_error_rate_holds_for_features_a_margin_below_the_threshold(noise):
    """margin 0: H is false by nothing, and the point estimate alone would err half of the time."""
    group = Dihedral(6)
    subgroup = group.generated_subgroup([3, 6])
    options = {"n_families": 400, "closed": False, "stabilizers": subgroup, "n_active": 1}
    atoms = make_orbits(
        1, group=group, n_channels=8, energies=0.8, smoothness=0.6, random_state=1, **options
    ).components.astype(np.float64)
    true = score_subgroups(group, profiles_of(atoms, group))[0]
    evidence = evidence_of(atoms, group, noise)
    which = group.subgroups().index(subgroup)
    assert (evidence.energies[:, which] > 0.8).mean() > 0.4
    bounds = evidence.lower_bounds(0.05)
    at_most = binom.ppf(0.999, len(atoms), 0.05) / len(atoms)
    assert (bounds[:, which] > 0.8).mean() <= at_most
    # all bounds at once; 0.02 for a covariance that is known from 20 bags only
    assert (bounds > true + 1e-6).any(axis=1).mean() <= at_most + 0.02
    for margin in (0.0, 0.1):
        named, _ = evidence.name(0.8, margin=margin, error_rate=0.05)
        energy = [true[i, group.subgroups().index(s.subgroup)] for i, s in enumerate(named)]
        assert np.mean(np.array(energy) <= 0.8 - margin) <= at_most


@given(st.sampled_from(NON_ABELIAN), st.data())
def test_clear_symmetries_are_named_with_confidence_and_translation_conjugates_them(group, data):
    chosen = [data.draw(st.sampled_from(group.subgroups())) for _ in range(3)]
    options = {"n_families": 3, "closed": False, "n_active": 1, "n_channels": 40}
    atoms = make_orbits(1, group=group, stabilizers=chosen, random_state=0, **options).components
    h = data.draw(st.integers(0, group.order - 1))
    shifted = 5 * atoms[:, group.right_translation(h)]
    for some, element in ((atoms, 0), (shifted, h)):
        scale = 0.05 * np.linalg.norm(some[0])
        named, confidence = evidence_of(some.astype(np.float64), group, scale).name()
        assert [s.subgroup for s in named] == [s.conjugate(element) for s in chosen]
        assert [s.class_name for s in named] == [s.class_name for s in chosen]
        assert confidence.min() > 0.95


def test_confidence_falls_near_the_threshold():
    half_turn = GROUP.generated_subgroup([2])
    options = {"stabilizers": half_turn, "closed": False, "n_families": 2, "n_active": 1}
    # c(half turn) = 2 E - 1: the second lies on the threshold of the minimum, 0.8
    data = make_orbits(1, group=GROUP, n_channels=40, energies=[1, 0.9], random_state=0, **options)
    _, confidence = evidence_of(data.components.astype(np.float64), GROUP, 0.2).name()
    assert confidence[0] > 0.95
    assert confidence[1] < 0.95


def test_the_evidence_of_a_family_is_that_of_its_mean():
    options = {"n_families": 1, "n_active": 1, "stabilizers": GROUP.generated_subgroup([4])}
    planted = make_orbits(1, group=GROUP, n_channels=8, random_state=0, **options)
    atoms = planted.components.astype(np.float64)
    weight = np.ones((N_BAGS, len(atoms)))
    weight[2:, 3] = 0  # a member that fires in two bags
    evidence = evidence_of(atoms, GROUP, noise=0.6, weight=weight)
    assert evidence.reasons[3]
    carriers = [
        next(
            h
            for h in range(GROUP.order)
            if np.allclose(atoms[0][GROUP.right_translation(h)], atom, atol=1e-5)
        )
        for atom in atoms
    ]
    members = np.arange(len(atoms))
    family = evidence.of_families([Kin(members, 0, np.array(carriers))])
    alone = evidence.of_families([Kin(np.array([0]), 0, np.array([GROUP.identity]))])
    np.testing.assert_allclose(alone.profiles[0], evidence.profiles[0])
    np.testing.assert_allclose(alone.standard_errors[0], evidence.standard_errors[0])
    # bags have noise of their own for each member: its mean is known the better
    which = GROUP.subgroups().index(GROUP.generated_subgroup([2]))
    assert family.standard_errors[0, which] < 0.8 * evidence.standard_errors[0, which]
    (named,), _ = family.name(0.8, margin=0.1)
    assert named.subgroup == options["stabilizers"]
    unknown = evidence.of_families([Kin(np.array([3]), 3, np.array([GROUP.identity]))])
    assert unknown.reasons == [evidence.reasons[3]]
    assert np.isnan(unknown.degrees_of_freedom).all()
    assert np.isnan(unknown.name(0.8, margin=0.1)[1]).all()
