from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.analysis import _spectra
from sklearn_groupcross.analysis._similarity import unit_atoms
from sklearn_groupcross.analysis._spectra import irrep_power, profiles_and_power, self_profiles
from sklearn_groupcross.groups import Dihedral
from tests.groups.strategies import GROUPS


def random_atoms(group, m=4, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((m, group.order, d))


@given(GROUPS, st.data())
def test_spectra_equal_projections_and_ignore_translation_and_scale(group, data):
    atoms = random_atoms(group, seed=data.draw(st.integers(0, 99)))
    h = data.draw(st.integers(0, group.order - 1))
    power = irrep_power(atoms, group)
    np.testing.assert_allclose(power.sum(axis=1), 1)
    np.testing.assert_allclose(
        irrep_power(1e-200 * atoms[:, group.right_translation(h)], group), power, atol=1e-9
    )
    for rho, share in zip(group.irreps, power.T, strict=True):
        part = np.tensordot(atoms, group.isotypic_projection(rho), axes=(1, 1))
        expected = (part**2).sum((1, 2)) / (atoms**2).sum((1, 2))
        np.testing.assert_allclose(share, expected, atol=1e-9)


@given(GROUPS, st.integers(0, 99))
def test_profiles_and_power_come_of_the_same_products(group, seed):
    atoms = unit_atoms(random_atoms(group, seed=seed).reshape(4, -1), group.order)
    atoms[1] = 0
    profiles, power = profiles_and_power(atoms, group)
    np.testing.assert_array_equal(profiles, self_profiles(atoms, group))
    np.testing.assert_allclose(power, irrep_power(atoms, group), atol=1e-12)
    for rho, share in zip(group.irreps, power.T, strict=True):
        # what the projection leaves of a profile at the identity
        weights = rho.weight * rho.character
        np.testing.assert_allclose(share, profiles @ weights, atol=1e-9)


def test_what_the_half_turn_fixes_has_no_power_where_it_acts_as_minus_one():
    group = Dihedral(6)
    seed = random_atoms(group)
    power = irrep_power(seed + seed[:, group.right_translation(3)], group)
    odd = np.array([rho.character[3] < 0 for rho in group.irreps])
    assert odd.any()
    np.testing.assert_allclose(power[:, odd], 0, atol=1e-12)
    assert irrep_power(seed, group)[:, odd].sum(axis=1).min() > 0.1


def test_chunks_change_nothing_and_dead_atoms_have_no_power(monkeypatch):
    group = Dihedral(3)
    atoms = random_atoms(group, m=7)
    atoms[2] = 0
    whole = irrep_power(atoms, group)
    monkeypatch.setattr(_spectra, "_BYTES_A_PASS", 8 * 20 * 3 * 2)
    np.testing.assert_allclose(irrep_power(atoms, group), whole, atol=1e-12)
    assert (whole[2] == 0).all()


def test_atoms_of_another_group_are_refused():
    with pytest.raises(ValueError, match=r"shape \(m, 8, d\); got \(4, 6, 3\)"):
        irrep_power(random_atoms(Dihedral(3)), Dihedral(4))
