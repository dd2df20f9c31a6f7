from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.analysis._similarity import (
    best_alignment,
    self_profiles,
    transform_block,
    unit_atoms,
)
from tests.groups.strategies import NON_ABELIAN, groups

CPU = torch.device("cpu")


def random_atoms(group, m=5, d=4, seed=0):
    components = np.random.default_rng(seed).standard_normal((m, group.order * d))
    return unit_atoms(components, group.order)


@given(groups, st.integers(0, 100))
def test_similarity_and_alignment_equal_the_definition(group, seed):
    atoms = random_atoms(group, seed=seed)
    similarity, alignment = best_alignment(atoms, None, group, CPU)
    for i, a in enumerate(atoms):
        for j, b in enumerate(atoms):
            cosines = [(a * b[group.right_translation(h)]).sum() for h in range(group.order)]
            assert similarity[i, j] == pytest.approx(max(cosines))
            assert cosines[alignment[i, j]] == pytest.approx(max(cosines))


@given(groups, st.integers(0, 100))
def test_similarity_is_exactly_symmetric_and_alignment_inverts(group, seed):
    similarity, alignment = best_alignment(random_atoms(group, seed=seed), None, group, CPU)
    np.testing.assert_array_equal(similarity, similarity.T)
    off_diagonal = ~np.eye(len(alignment), dtype=bool)
    np.testing.assert_array_equal(
        alignment.T[off_diagonal], group.inverses[alignment][off_diagonal]
    )


@given(groups, st.data())
def test_translating_an_atom_changes_no_similarity(group, data):
    atoms = random_atoms(group)
    shift = data.draw(st.integers(0, group.order - 1))
    moved = atoms.copy()
    moved[0] = atoms[0][group.right_translation(shift)]
    before, _ = best_alignment(atoms, None, group, CPU)
    after, _ = best_alignment(moved, None, group, CPU)
    np.testing.assert_allclose(before, after, atol=1e-12)


@pytest.mark.parametrize("group", NON_ABELIAN, ids=repr)
def test_left_translating_an_atom_would_change_it(group):
    """The law above tells right from left on groups that do not commute."""
    atoms = random_atoms(group)
    before, _ = best_alignment(atoms, None, group, CPU)
    changes = []
    for shift in range(group.order):
        moved = atoms.copy()
        moved[0] = atoms[0][group.cayley_table[shift]]
        changes.append(np.abs(best_alignment(moved, None, group, CPU)[0] - before).max())
    assert max(changes) > 0.05


@given(groups)
def test_profiles_are_the_diagonal(group):
    atoms = random_atoms(group)
    profiles = self_profiles(atoms, group)
    np.testing.assert_allclose(profiles[:, 0], 1.0)
    np.testing.assert_allclose(profiles, profiles[:, group.inverses], atol=1e-12)


def test_transform_blocks_of_an_equivariant_atom_depend_on_the_quotient_alone():
    """W[g] = ρ(g) v with orthogonal ρ: T[g, h] is a function of g⁻¹ h."""
    from sklearn_groupcross import Dihedral
    from sklearn_groupcross.actions import ImageAction

    group = Dihedral(5)
    matrices = ImageAction(group).matrices.numpy()
    block = transform_block(matrices @ np.array([0.6, 0.8]))
    quotient = group.cayley_table[group.inverses]
    for q in range(group.order):
        assert np.ptp(block[quotient == q]) < 1e-12
    np.testing.assert_allclose(np.diag(block), 1.0)


def test_zero_atoms_and_blocks_are_zero_and_never_nan():
    atoms = unit_atoms(np.zeros((2, 8)), 4)
    assert not np.isnan(atoms).any()
    assert not transform_block(np.zeros((4, 2))).any()
