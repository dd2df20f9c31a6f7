from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, Trivial
from sklearn_groupcross.analysis import equivariance_index
from sklearn_groupcross.analysis._similarity import transform_block
from sklearn_groupcross.groups import Quaternion
from sklearn_groupcross.testing import groups
from tests.groups.strategies import NON_ABELIAN

small_groups = groups(max_order=24)


def moved(group, seed, inverse=False, m=4):
    """Atoms ``U(g) v``, or ``U(g⁻¹) v``, with U the regular representation."""
    vectors = np.random.default_rng(seed).standard_normal((m, group.order))
    matrices = group.regular_representation()
    if inverse:
        matrices = matrices[group.inverses]
    return np.stack([matrices @ v for v in vectors])


def pair_variances(block, group):
    """Variance within classes and in all, pair by pair as the definition says."""
    pairs = [(g, h) for g in range(group.order) for h in range(group.order) if g != h]
    classes = [group.multiply(group.inverse(g), h) for g, h in pairs]
    values = np.array([block[pair] for pair in pairs])
    within = np.array([values[np.equal(classes, k)].var() for k in classes])
    return within.mean(), values.var()


@given(small_groups, st.integers(0, 100))
def test_the_index_is_that_of_the_definition(group, seed):
    assume(group.order > 2)
    atoms = np.random.default_rng(seed).standard_normal((2, group.order, 3))
    found = equivariance_index(atoms, group)
    for atom, index, mean in zip(atoms, found.index, found.mean_cosine, strict=True):
        block = transform_block(atom)
        within, total = pair_variances(block, group)
        assert index == pytest.approx(1 - within / total, abs=1e-9)
        assert mean == pytest.approx(block[~np.eye(group.order, dtype=bool)].mean())


@given(small_groups, st.integers(0, 100))
def test_an_equivariant_network_has_index_one(group, seed):
    found = equivariance_index(moved(group, seed), group)
    varies = ~found.constant
    np.testing.assert_allclose(found.index[varies], 1.0, atol=1e-9)
    assert np.isnan(found.index[~varies]).all()


# T is symmetric, and in the quaternion group k and k⁻¹ make up a conjugacy class: no T can tell
@pytest.mark.parametrize("group", [g for g in NON_ABELIAN if g != Quaternion()], ids=repr)
def test_left_and_right_quotients_are_told_apart(group):
    """Blocks whose cosine depends on ``g h⁻¹`` instead: perfect order, of the other kind."""
    # single atoms may live in one-dimensional irreps, where the two quotients are one
    found = equivariance_index(moved(group, 0, inverse=True, m=30), group)
    assert np.median(found.index) < 0.8


@given(groups(abelian=True, max_order=24), st.integers(0, 100))
def test_a_closed_distribution_over_an_abelian_group_looks_equivariant(group, seed):
    """Second moments over all right translates depend on ``g h⁻¹``: here the same as ``g⁻¹ h``."""
    atom = np.random.default_rng(seed).standard_normal((group.order, 3))
    augmented = group.translates(atom).transpose(1, 0, 2).reshape(1, group.order, -1)
    found = equivariance_index(augmented, group)
    assert found.constant[0] or found.index[0] == pytest.approx(1.0)


def test_a_closed_distribution_over_another_group_does_not():
    group = Dihedral(5)
    atom = np.random.default_rng(0).standard_normal((group.order, 3))
    augmented = group.translates(atom).transpose(1, 0, 2).reshape(1, group.order, -1)
    assert equivariance_index(augmented, group).index[0] < 0.9


@pytest.mark.parametrize("group", [Cyclic(4), *NON_ABELIAN], ids=repr)
def test_shuffled_pairs_have_the_expected_index(group):
    atoms = np.random.default_rng(0).standard_normal((1, group.order, 8)).repeat(600, axis=0)
    found = equivariance_index(atoms, group, random_state=1)
    error = found.shuffled.std() / len(atoms) ** 0.5
    assert 0 < error < 0.02
    assert abs(found.shuffled.mean() - found.expected) < 4 * error


def test_random_atoms_have_about_the_expected_index():
    group = Dihedral(8)
    atoms = np.random.default_rng(0).standard_normal((50, group.order, 64))
    found = equivariance_index(atoms, group)
    assert found.index.mean() == pytest.approx(found.expected, abs=0.02)
    assert found.expected == pytest.approx(11 / 119)


@given(small_groups, st.data())
def test_translating_and_scaling_blocks_changes_nothing(group, data):
    atoms = np.random.default_rng(3).standard_normal((2, group.order, 4))
    h = data.draw(st.integers(0, group.order - 1))
    scales = np.random.default_rng(4).uniform(0.1, 9, (2, group.order, 1))
    before = equivariance_index(atoms, group)
    # a left translation keeps g⁻¹ h; a right one conjugates it, which renames the classes
    for permutation in (group.left_translation(h), group.right_translation(h)):
        after = equivariance_index((scales * atoms)[:, permutation], group)
        np.testing.assert_allclose(after.index, before.index, atol=1e-9)


def test_constant_and_dead_atoms_are_reported_as_such():
    group = Dihedral(4)
    rng = np.random.default_rng(0)
    alike = np.ones((group.order, 1)) * rng.standard_normal(20)
    orthogonal = np.eye(group.order, 20)
    found = equivariance_index(
        np.stack([alike, orthogonal, np.zeros_like(alike), rng.standard_normal(alike.shape)]), group
    )
    assert found.constant.tolist() == [True, True, False, False]
    assert found.invariant.tolist() == [True, False, False, False]
    assert found.dead.tolist() == [False, False, True, False]
    assert np.isnan(found.index[:3]).all()
    assert np.isfinite(found.index[3])


@pytest.mark.parametrize("group", [Trivial(), Cyclic(2)], ids=repr)
def test_groups_without_two_pairs_have_no_index(group):
    found = equivariance_index(np.ones((2, group.order * 3)), group)
    assert np.isnan(found.index).all()
    assert np.isnan(found.expected)
    assert found.constant.all()


def test_the_same_seed_gives_the_same_bits():
    atoms = np.random.default_rng(0).standard_normal((3, 8, 4))
    one, two = (equivariance_index(atoms, Dihedral(4), random_state=5) for _ in range(2))
    np.testing.assert_array_equal(one.shuffled, two.shuffled)


def test_bad_atoms_are_refused():
    with pytest.raises(ValueError, match=r"shape \(m, 8 \* d\) or \(m, 8, d\); got \(2, 9\)"):
        equivariance_index(np.ones((2, 9)), Dihedral(4))
    atoms = np.ones((3, 8, 2))
    atoms[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="components contains NaN: in rows 1, first in block"):
        equivariance_index(atoms, Dihedral(4))
